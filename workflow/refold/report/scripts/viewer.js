// Cases slice by slice. Every word comes from the page; without this script the still pictures remain.
const caseViewer = (() => {
  const box = document.getElementById("viewer-box");
  if (!box) return null;
  const index = JSON.parse(document.getElementById("viewer-index").textContent);
  const { text, truth, methods, first, wide, planes, cases } = index;
  const say = (key, values = {}) => text[key].replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
  const part = (name) => box.querySelector(`[data-part="${name}"]`);
  const slots = [...box.querySelectorAll("[data-plane]")].map((figure) => ({
    figure,
    canvas: figure.querySelector("canvas"),
    range: figure.querySelector("input"),
    where: figure.querySelector("[data-part=where]"),
    wrong: figure.querySelector("[data-part=wrong]"),
  }));

  const unscripted = document.getElementById("viewer-unscripted");
  if (typeof DecompressionStream === "undefined") {
    unscripted.textContent = text.old;
    return null;
  }
  unscripted.hidden = true;
  box.hidden = false;

  // what is shown: a case, the method judged, the voxel where the planes meet, grey values 0 to 255 that are black and
  // white; active: the plane that keys move
  const state = {
    index: -1, layer: 0, method: first, at: [0, 0, 0], low: 0, high: 255, channel: 0, label: 0, view: 0, active: 0,
  };
  let voxels = null;
  let wanted = 0;
  const ready = () => voxels !== null && voxels.index === state.index; // else the case is still being unpacked
  const unpack = (number) =>
    unpacking.unpack(cases[number], document.getElementById(`viewer-data-${number}`).textContent, wide);

  // The layer shown of a method: the one chosen, or its first in this case; -1 where it has none.
  function layerOf(method) {
    const { layers } = cases[state.index];
    if (layers[state.layer].method === method) return state.layer;
    return layers.findIndex((layer) => layer.method === method);
  }

  const checked = (name) => part(name)?.checked ?? false;

  // What is to be outlined: the truth, and the methods that have a prediction of this case.
  function outlines() {
    const lines = checked("truth") ? [{ name: text.truth, map: voxels.maps[0], colour: truth, dash: "" }] : [];
    methods.forEach(({ name, colour, dash }, method) => {
      const layer = layerOf(method);
      if (layer >= 0 && checked(`method-${method}`)) lines.push({ name, map: voxels.maps[layer + 1], colour, dash });
    });
    return lines;
  }

  function draw(number, lines) {
    const slot = slots[number];
    if (!slot.canvas.clientWidth) return;
    const judged = voxels.maps[layerOf(state.method) + 1];
    const view = { ...state, judged, marked: checked("errors"), lines, ticks: planes.length > 1 };
    const { errors, place } = drawing.draw(slot.canvas, planes[number], cases[state.index], voxels, view);
    slot.place = place;
    describing.caption(viewer, number, errors, lines.map(({ name }) => name));
  }

  let frame = 0;
  function refresh() {
    if (frame) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      if (!ready()) return;
      const lines = outlines();
      planes.forEach((plane, number) => draw(number, lines));
      describing.describe(viewer);
    });
  }

  // [case, layer, mean Dice] of a method, worst first.
  function choices(method) {
    const ranked = [];
    cases.forEach((kept, number) =>
      kept.layers.forEach((layer, i) => {
        if (layer.method === method) ranked.push([number, i, Number.parseFloat(layer.mean)]);
      }),
    );
    const last = (mean) => (Number.isNaN(mean) ? 2 : mean); // without a Dice: after all others
    return ranked.sort((a, b) => last(a[2]) - last(b[2]));
  }

  function list(method) {
    const options = choices(method).map(([number, layer], rank) => {
      const option = document.createElement("option");
      option.value = `${number} ${layer}`;
      option.textContent = `${rank + 1}. ${cases[number].layers[layer].option}`;
      return option;
    });
    part("case").replaceChildren(...options);
  }

  // stay: at the same voxel, if the case is the same.
  async function show(number, layer, stay = false) {
    const same = state.index === number;
    const before = state.method;
    const { layers, channels } = cases[number];
    Object.assign(state, { index: number, layer, method: layers[layer].method });
    if (state.method !== before || !part("case").options.length) {
      if (part(`method-${before}`)) part(`method-${before}`).checked = false;
      list(state.method);
    }
    part(`method-${state.method}`).checked = true;
    methods.forEach((method, m) => (part(`method-${m}`).disabled = layerOf(m) < 0));
    part("method").value = state.method;
    part("case").value = `${number} ${layer}`;
    if (!same || !stay) state.at = [...layers[layer].at];
    if (!same) Object.assign(state, { low: 0, high: 255 });
    const channel = part("channel");
    if (channel) {
      channel.replaceChildren(...channels.map(({ name }, i) => new Option(name, i)));
      state.channel = Math.min(state.channel, channels.length - 1);
      channel.value = state.channel;
    }
    const ticket = ++wanted;
    if (voxels?.index !== number) {
      box.setAttribute("aria-busy", "true");
      const unpacked = await unpack(number);
      if (ticket !== wanted) return;
      voxels = { index: number, ...unpacked };
      box.removeAttribute("aria-busy");
    }
    refresh();
  }

  const viewer = { ...index, box, slots, state, part, say, ready, refresh, choices, show };
  controls.listen(viewer);
  const sizes = new ResizeObserver(refresh);
  for (const { canvas } of slots) sizes.observe(canvas);

  // ---------------------------------------------------------------- the way in

  const anchors = new Map(
    cases.flatMap((kept, number) => kept.layers.map((layer, i) => [layer.anchor, [number, i]])),
  );
  for (const anchor of anchors.keys()) {
    const cell = document.getElementById(anchor)?.cells?.[0];
    if (!cell) continue;
    const link = document.createElement("a");
    link.href = `#${anchor}`;
    link.append(...cell.childNodes);
    cell.append(link);
  }

  // nothing is unpacked before it is about to be seen
  const near = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      if (state.index < 0) show(...choices(state.method).concat(choices(0))[0]);
    },
    { rootMargin: "50% 0%" },
  );
  near.observe(box);

  return {
    // Shows the case of an anchor such as case-12, and says whether it is here.
    open(anchor) {
      if (!anchors.has(anchor)) return false;
      near.disconnect();
      show(...anchors.get(anchor));
      const come = () => document.getElementById("viewer").scrollIntoView({ block: "start" });
      come();
      // a browser that still loads the page goes to the row of the table afterwards
      if (document.readyState !== "complete") addEventListener("load", () => setTimeout(come), { once: true });
      (slots.find(({ figure }) => !figure.hidden) ?? slots[0]).range.focus({ preventScroll: true });
      return true;
    },
    state,
    outline: drawing.outline,
    unpack,
  };
})();
