"use strict";
// Cases slice by slice. Every word comes from the page; without this script the still pictures remain.
const caseViewer = (() => {
  const box = document.getElementById("viewer-box");
  if (!box) return null;
  const { text, truth, methods, first, labels, wide, planes, cases } = JSON.parse(
    document.getElementById("viewer-index").textContent,
  );
  const say = (key, values = {}) => text[key].replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
  const part = (name) => box.querySelector(`[data-part="${name}"]`);
  const figures = [...box.querySelectorAll("[data-plane]")];
  const slots = figures.map((figure) => ({
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

  // what is shown: a case, the method judged, the voxel where the planes meet, grey values 0 to 255 that are black and white
  const state = { index: -1, layer: 0, method: first, at: [0, 0, 0], low: 0, high: 255, channel: 0, label: 0, view: 0 };
  let active = 0;
  let voxels = null;
  let wanted = 0;
  const ready = () => voxels !== null && voxels.index === state.index; // else the case is still being unpacked

  // ---------------------------------------------------------------- unpacking

  async function inflate(base64) {
    const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Grey values from what their prediction left over, in place: see `residual` in viewer.py.
  function restore(left, [nx, ny, nz]) {
    const plane = nx * ny;
    for (let z = 0, i = 0; z < nz; z++)
      for (let y = 0; y < ny; y++)
        for (let x = 0; x < nx; x++, i++) {
          const west = x ? left[i - 1] : 0;
          const north = y ? left[i - nx] : 0;
          const above = z ? left[i - plane] : west + north - (x && y ? left[i - nx - 1] : 0);
          left[i] += Math.max(Math.min(west, north), Math.min(Math.max(west, north), above));
        }
    return left;
  }

  async function unpack(index) {
    const { shape, factors, channels, layers } = cases[index];
    const bytes = await inflate(document.getElementById(`viewer-data-${index}`).textContent);
    const coarse = shape.map((n, axis) => Math.ceil(n / factors[axis]));
    const count = shape[0] * shape[1] * shape[2];
    const coarseCount = coarse[0] * coarse[1] * coarse[2];
    let start = 0;
    const take = (length) => bytes.subarray(start, (start += length));
    const greys = channels.map(({ planes }) => {
      const found = Array.from({ length: planes }, () => restore(take(coarseCount), coarse));
      for (const plane of found.slice(1)) plane.forEach((value, i) => (plane[i] = value + found[0][i] - 128));
      return found;
    });
    const map = () => {
      const low = take(count);
      if (!wide) return low;
      const high = take(count);
      return Uint16Array.from(low, (value, i) => value | (high[i] << 8));
    };
    const maps = [map()];
    for (const _ of layers) maps.push(map().map((value, i) => value ^ maps[0][i]));
    return { index, coarse, greys, maps };
  }

  // ---------------------------------------------------------------- planes

  // For each pixel of a plane, row by row, what `read(x, y, z)` gives for its voxel.
  function cut(plane, read, into) {
    const { shape } = cases[voxels.index];
    const [cols, rows] = [shape[plane.across], shape[plane.up]];
    const at = [...state.at];
    for (let row = 0, i = 0; row < rows; row++)
      for (let col = 0; col < cols; col++, i++) {
        at[plane.across] = plane.turned ? cols - 1 - col : col;
        at[plane.up] = plane.turned ? rows - 1 - row : row;
        into(i, read(at));
      }
  }

  function cutMap(plane, map) {
    const { shape } = cases[voxels.index];
    const found = new Uint16Array(shape[plane.across] * shape[plane.up]);
    const only = state.label;
    cut(plane, ([x, y, z]) => map[x + shape[0] * (y + shape[1] * z)], (i, value) => {
      found[i] = only && value !== only ? 0 : value;
    });
    return found;
  }

  function cutGrey(plane) {
    const { shape, factors } = cases[voxels.index];
    const [cols, rows] = [shape[plane.across], shape[plane.up]];
    const image = new ImageData(cols, rows);
    const [nx, ny] = voxels.coarse;
    const channel = voxels.greys[Math.min(state.channel, voxels.greys.length - 1)];
    const scale = 255 / Math.max(1, state.high - state.low);
    const shade = Uint8ClampedArray.from({ length: 256 }, (_, value) => (value - state.low) * scale);
    const [fx, fy, fz] = factors;
    cut(
      plane,
      ([x, y, z]) => Math.floor(x / fx) + nx * (Math.floor(y / fy) + ny * Math.floor(z / fz)),
      (i, from) => {
        for (let c = 0; c < 3; c++) image.data[4 * i + c] = shade[channel[channel.length > 1 ? c : 0][from]];
        image.data[4 * i + 3] = 255;
      },
    );
    return image;
  }

  // Borders in a label map as lines of corners, along the edges between pixels; each border once. Most lines end where
  // they began; where three labels meet, some do not.
  function outline(map, cols, rows) {
    const at = (x, y) => (x < 0 || y < 0 || x >= cols || y >= rows ? 0 : map[y * cols + x]);
    const across = cols + 1;
    const open = new Uint8Array(across * (rows + 1)); // 1: a border runs from this corner to the right, 2: downwards
    for (let y = 0; y <= rows; y++)
      for (let x = 0; x <= cols; x++) {
        if (x < cols && at(x, y - 1) !== at(x, y)) open[y * across + x] |= 1;
        if (y < rows && at(x - 1, y) !== at(x, y)) open[y * across + x] |= 2;
      }
    const step = (corner) => {
      const ways = [
        [corner, 1, corner + 1],
        [corner, 2, corner + across],
        [corner % across ? corner - 1 : -1, 1, corner - 1],
        [corner - across, 2, corner - across],
      ];
      for (const [from, bit, to] of ways)
        if (from >= 0 && open[from] & bit) {
          open[from] &= ~bit;
          return to;
        }
      return -1;
    };
    const lines = [];
    for (let start = 0; start < open.length; start++)
      while (open[start]) {
        const line = [];
        for (let corner = start; corner >= 0; corner = step(corner))
          line.push([corner % across, Math.floor(corner / across)]);
        lines.push(line);
      }
    return lines;
  }

  // The layer shown of a method: the one chosen, or its first in this case; -1 where it has none.
  function layerOf(method) {
    const { layers } = cases[state.index];
    if (layers[state.layer].method === method) return state.layer;
    return layers.findIndex((layer) => layer.method === method);
  }

  const checked = (name) => part(name)?.checked ?? false;

  // Stripes for what is too much, dots for what is missed: told apart without their colours.
  function hatch(context, kind, colour, ratio) {
    const size = Math.round(6 * ratio);
    const tile = new OffscreenCanvas(size, size);
    const ink = tile.getContext("2d");
    ink.fillStyle = colour;
    ink.globalAlpha = 0.18;
    ink.fillRect(0, 0, size, size);
    ink.globalAlpha = 1;
    ink.strokeStyle = colour;
    ink.lineWidth = 1.4 * ratio;
    ink.beginPath();
    if (kind === "extra") {
      for (const shift of [-size, 0, size]) {
        ink.moveTo(shift - size / 2, size * 1.5);
        ink.lineTo(shift + size * 1.5, -size / 2);
      }
      ink.stroke();
    } else {
      // a dark rim, to be seen on bright tissue
      for (const [radius, fill] of [[2.3, "rgba(0, 0, 0, .6)"], [1.5, colour]]) {
        ink.beginPath();
        ink.fillStyle = fill;
        ink.arc(size / 2, size / 2, radius * ratio, 0, 7);
        ink.fill();
      }
    }
    return context.createPattern(tile, "repeat");
  }

  function draw(number) {
    const slot = slots[number];
    const plane = planes[number];
    if (!slot.canvas.clientWidth) return;
    const it = cases[voxels.index];
    const { shape, spacing, begin, whole } = it;
    const [cols, rows] = [shape[plane.across], shape[plane.up]];
    const ratio = Math.min(devicePixelRatio || 1, 3);
    const size = Math.round(slot.canvas.clientWidth * ratio);
    if (slot.canvas.width !== size) slot.canvas.width = slot.canvas.height = size;
    const context = slot.canvas.getContext("2d");
    const [across, up] = [spacing[plane.across], spacing[plane.up]];
    const scale = size / Math.max(cols * across, rows * up);
    const [dx, dy] = [across * scale, up * scale];
    const [left, top] = [(size - cols * dx) / 2, (size - rows * dy) / 2];
    slot.place = { left: left / ratio, top: top / ratio, dx: dx / ratio, dy: dy / ratio };

    context.fillStyle = "#000";
    context.fillRect(0, 0, size, size);
    const grey = new OffscreenCanvas(cols, rows);
    grey.getContext("2d").putImageData(cutGrey(plane), 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(grey, left, top, cols * dx, rows * dy);

    const truthMap = cutMap(plane, voxels.maps[0]);
    const judged = layerOf(state.method);
    const judgedMap = cutMap(plane, voxels.maps[judged + 1]);
    const errors = { missed: 0, extra: 0 };
    const marks = { missed: new Path2D(), extra: new Path2D() };
    truthMap.forEach((value, i) => {
      if (value === judgedMap[i]) return;
      const box = [left + (i % cols) * dx, top + Math.floor(i / cols) * dy, dx, dy];
      for (const kind of [value && "missed", judgedMap[i] && "extra"])
        if (kind) {
          errors[kind]++;
          marks[kind].rect(...box);
        }
    });
    if (checked("errors"))
      for (const kind of ["missed", "extra"]) {
        context.fillStyle = hatch(context, kind, getComputedStyle(box).getPropertyValue(`--${kind}`).trim(), ratio);
        context.fill(marks[kind]);
      }

    const drawn = [];
    const stroke = (map, colour, dash) => {
      const path = new Path2D();
      for (const line of outline(map, cols, rows)) {
        const [first, last] = [line[0], line.at(-1)];
        line.forEach(([x, y], i) => path[i ? "lineTo" : "moveTo"](left + x * dx, top + y * dy));
        if (first[0] === last[0] && first[1] === last[1]) path.closePath();
      }
      drawn.push([path, colour, dash]);
    };
    const named = [];
    if (checked("truth")) {
      stroke(truthMap, truth, "");
      named.push(text.truth);
    }
    methods.forEach(({ name, colour, dash }, method) => {
      const layer = layerOf(method);
      if (layer < 0 || !checked(`method-${method}`)) return;
      stroke(layer === judged ? judgedMap : cutMap(plane, voxels.maps[layer + 1]), colour, dash);
      named.push(name);
    });
    context.lineJoin = "round";
    for (const halo of [true, false])
      for (const [path, colour, dash] of drawn) {
        context.setLineDash(halo || !dash ? [] : dash.split(" ").map((n) => n * ratio));
        context.lineWidth = (halo ? 3.2 : 1.6) * ratio;
        context.strokeStyle = halo ? "rgba(0, 0, 0, .5)" : colour;
        context.stroke(path);
      }
    context.setLineDash([]);

    if (planes.length > 1) {
      // ticks at the rim say where the other two planes run
      const rim = 0.035 * size;
      const x = left + (plane.turned ? cols - 0.5 - state.at[plane.across] : state.at[plane.across] + 0.5) * dx;
      const y = top + (plane.turned ? rows - 0.5 - state.at[plane.up] : state.at[plane.up] + 0.5) * dy;
      for (const [colour, width] of [["#000", 3], ["#fff", 1.4]]) {
        context.strokeStyle = colour;
        context.lineWidth = width * ratio;
        context.beginPath();
        for (const [a, b] of [[0, rim], [size - rim, size]]) {
          context.moveTo(x, a);
          context.lineTo(x, b);
          context.moveTo(a, y);
          context.lineTo(b, y);
        }
        context.stroke();
      }
    }
    if (plane.letters) {
      const inset = 0.05 * size;
      context.font = `600 ${Math.max(11 * ratio, size / 22)}px system-ui, sans-serif`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.lineWidth = 3 * ratio;
      context.strokeStyle = "#000";
      context.fillStyle = "#fff";
      const spots = [[inset, size / 2], [size - inset, size / 2], [size / 2, inset], [size / 2, size - inset]];
      spots.forEach(([x, y], i) => {
        context.strokeText(plane.letters[i], x, y);
        context.fillText(plane.letters[i], x, y);
      });
    }

    const axis = plane.axis;
    const where =
      planes.length > 1
        ? say("slice", { plane: plane.name, at: begin[axis] + state.at[axis] + 1, count: whole[axis] })
        : plane.name;
    const wrong = say("errors", errors);
    slot.where.textContent = where;
    slot.wrong.textContent = wrong;
    slot.range.min = begin[axis] + 1;
    slot.range.max = begin[axis] + shape[axis];
    slot.range.value = begin[axis] + state.at[axis] + 1;
    slot.range.setAttribute("aria-valuetext", where);
    slot.canvas.setAttribute(
      "aria-label",
      say("alt", {
        case: it.name,
        plane: where,
        channel: it.channels[Math.min(state.channel, it.channels.length - 1)].name,
        outlines: named.join(", ") || text["no outlines"],
        method: methods[state.method].name,
        errors: wrong,
      }),
    );
  }

  // ---------------------------------------------------------------- what stands around the planes

  function describe() {
    const it = cases[voxels.index];
    const chosen = it.layers[state.layer];
    part("shown").textContent = say("shown", {
      case: it.name, method: methods[chosen.method].name, fold: chosen.fold, mean: chosen.mean,
    });
    const rows = it.layers.map((layer, i) => {
      const row = document.createElement("tr");
      if (i === state.layer) row.className = "whole";
      const cells = [methods[layer.method].name, layer.fold, ...layer.dice, ...(labels.length > 1 ? [layer.mean] : [])];
      cells.forEach((content, c) => {
        const cell = document.createElement(c ? "td" : "th");
        if (c) cell.className = c > 1 ? "n" : "";
        else cell.scope = "row";
        cell.textContent = content;
        row.append(cell);
      });
      return row;
    });
    part("dice").replaceChildren(...rows);
    const { name, tones } = it.channels[Math.min(state.channel, it.channels.length - 1)];
    const short = (v) => String(Number(v.toPrecision(4)));
    const value = (shade) => {
      const found = tones.findIndex(([, end], i) => i && shade <= end);
      const next = found < 0 ? tones.length - 1 : found;
      const [[from, a], [to, b]] = [tones[next - 1], tones[next]];
      return short(from + ((to - from) * (shade - a)) / (b - a));
    };
    const grey = say("grey", { low: value(state.low), high: value(state.high) });
    part("level").value = (state.low + state.high) / 2;
    part("width").value = 255 - (state.high - state.low);
    for (const control of ["level", "width"]) part(control).setAttribute("aria-valuetext", grey);
    const times = (numbers) => numbers.slice(0, planes.length > 1 ? 3 : 2).join(" × ");
    const [kept, whole] = [times(it.shape), times(it.whole)];
    const notes = [`${name}: ${grey}`];
    if (tones.length > 2) {
      const most = tones.findIndex(([, end], i) => i && end - tones[i - 1][1] > 127); // more than half of all
      notes.push(say("bent", { first: short(tones[most - 1][0]), last: short(tones[most][0]) }));
    }
    notes.push(say(kept === whole ? "whole" : "part", { kept, whole }));
    if (Math.max(...it.factors) > 1) notes.push(say("coarse", { factors: times(it.factors) }));
    part("notes").textContent = `${notes.join("; ")}.`;
  }

  let drawing = 0;
  function refresh() {
    if (drawing) return;
    drawing = requestAnimationFrame(() => {
      drawing = 0;
      if (!ready()) return;
      slots.forEach((_, number) => draw(number));
      describe();
    });
  }

  function choices(method) {
    const found = [];
    cases.forEach((it, index) =>
      it.layers.forEach((layer, number) => {
        if (layer.method === method) found.push([index, number, Number.parseFloat(layer.mean)]);
      }),
    );
    const last = (mean) => (Number.isNaN(mean) ? 2 : mean); // without a Dice: after all others
    return found.sort((a, b) => last(a[2]) - last(b[2]));
  }

  function list(method) {
    const options = choices(method).map(([index, number], rank) => {
      const option = document.createElement("option");
      option.value = `${index} ${number}`;
      option.textContent = `${rank + 1}. ${cases[index].layers[number].option}`;
      return option;
    });
    part("case").replaceChildren(...options);
  }

  async function show(index, number, stay = false) {
    const same = state.index === index;
    const before = state.method;
    const { layers, channels } = cases[index];
    Object.assign(state, { index, layer: number, method: layers[number].method });
    if (state.method !== before || !part("case").options.length) {
      if (part(`method-${before}`)) part(`method-${before}`).checked = false;
      list(state.method);
    }
    part(`method-${state.method}`).checked = true;
    methods.forEach((_, m) => (part(`method-${m}`).disabled = layerOf(m) < 0));
    part("method").value = state.method;
    part("case").value = `${index} ${number}`;
    if (!same || !stay) state.at = [...layers[number].at];
    if (!same) Object.assign(state, { low: 0, high: 255 });
    const channel = part("channel");
    if (channel) {
      channel.replaceChildren(...channels.map(({ name }, i) => new Option(name, i)));
      state.channel = Math.min(state.channel, channels.length - 1);
      channel.value = state.channel;
    }
    const ticket = ++wanted;
    if (voxels?.index !== index) {
      box.setAttribute("aria-busy", "true");
      const found = await unpack(index);
      if (ticket !== wanted) return;
      voxels = found;
      box.removeAttribute("aria-busy");
    }
    refresh();
  }

  // ---------------------------------------------------------------- what a reader does

  const limit = (value, low, high) => Math.min(Math.max(value, low), high);

  function move(number, by) {
    const { axis } = planes[number];
    state.at[axis] = limit(state.at[axis] + by, 0, cases[state.index].shape[axis] - 1);
    refresh();
  }

  function contrast(level, width) {
    width = limit(width, 8, 255);
    level = limit(level, 0, 255);
    Object.assign(state, { low: level - width / 2, high: level + width / 2 });
    refresh();
  }
  const level = () => (state.low + state.high) / 2;
  const width = () => state.high - state.low;

  function turn(select, by = 1) {
    if (!select) return;
    select.selectedIndex = (select.selectedIndex + by + select.options.length) % select.options.length;
    select.dispatchEvent(new Event("change"));
  }

  function toggle(name) {
    const control = part(name);
    if (!control || control.disabled) return;
    control.checked = !control.checked;
    refresh();
  }

  function look(view) {
    const held = document.activeElement?.closest("[data-plane]");
    state.view = view;
    slots.forEach(({ figure }, i) => (figure.hidden = view > 0 && i !== view - 1));
    part("planes").classList.toggle("one", view > 0 || planes.length === 1);
    if (view) active = view - 1;
    if (held?.hidden) slots[active].range.focus({ preventScroll: true }); // or the keys would go nowhere
    refresh();
  }

  part("method").addEventListener("change", (event) => {
    const method = Number(event.target.value);
    const found = choices(method);
    const [index, number] = found.find(([i]) => i === state.index) ?? found[0] ?? [];
    if (index === undefined) event.target.value = state.method;
    else show(index, number, true);
  });
  part("case").addEventListener("change", (event) => show(...event.target.value.split(" ").map(Number)));
  part("previous").addEventListener("click", () => turn(part("case"), -1));
  part("next").addEventListener("click", () => turn(part("case")));
  part("channel")?.addEventListener("change", (event) => {
    state.channel = Number(event.target.value);
    refresh();
  });
  part("label")?.addEventListener("change", (event) => {
    state.label = Number(event.target.value);
    refresh();
  });
  part("view")?.addEventListener("change", (event) => look(Number(event.target.value)));
  part("reset").addEventListener("click", () => contrast(127.5, 255));
  part("level").addEventListener("input", (event) => contrast(Number(event.target.value), width()));
  part("width").addEventListener("input", (event) => contrast(level(), 255 - Number(event.target.value)));
  part("row").addEventListener("click", () => reveal(document.getElementById(cases[state.index].layers[state.layer].anchor)));
  for (const control of box.querySelectorAll("input[type=checkbox]")) control.addEventListener("change", refresh);

  const keys = {
    n: () => turn(part("case")),
    p: () => turn(part("case"), -1),
    m: () => turn(part("method")),
    t: () => toggle("truth"),
    e: () => toggle("errors"),
    c: () => turn(part("channel")),
    l: () => turn(part("label")),
    v: () => turn(part("view")),
    b: () => contrast(level() - 8, width()),
    d: () => contrast(level() + 8, width()),
    "+": () => contrast(level(), width() - 16),
    "=": () => contrast(level(), width() - 16),
    "-": () => contrast(level(), width() + 16),
    r: () => contrast(127.5, 255),
  };
  const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -1e6, End: 1e6 };
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || state.index < 0) return;
    const { target, key } = event;
    if (target.tagName === "SELECT" || target.tagName === "SUMMARY") return;
    const own = target.type === "range" && !target.closest("[data-plane]"); // level and contrast move themselves
    if (key in steps && !own) move(active, steps[key]);
    else if (/^[1-9]$/.test(key)) toggle(`method-${key - 1}`);
    else if (Object.hasOwn(keys, key.toLowerCase())) keys[key.toLowerCase()]();
    else return;
    event.preventDefault();
  });

  slots.forEach((slot, number) => {
    const { canvas, range, figure } = slot;
    const fingers = new Map();
    let left = 0; // of a drag, what did not yet make a slice
    let far = 0;
    let rolled = 0;
    const apart = () => {
      const [a, b] = [...fingers.values()];
      return { wide: Math.hypot(a.x - b.x, a.y - b.y), high: (a.y + b.y) / 2 };
    };
    figure.addEventListener("focusin", () => (active = number));
    range.addEventListener("input", () => {
      const { axis } = planes[number];
      move(number, range.value - 1 - cases[state.index].begin[axis] - state.at[axis]);
    });
    // two fingers are for the contrast here, one finger up or down still scrolls the page
    canvas.addEventListener("touchstart", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      left = far = 0;
      active = number;
      range.focus({ preventScroll: true });
      event.preventDefault();
    });
    canvas.addEventListener("pointermove", (event) => {
      const finger = fingers.get(event.pointerId);
      if (!finger || !ready()) return;
      const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
      const before = fingers.size === 2 && apart();
      Object.assign(finger, { x: event.clientX, y: event.clientY });
      far += Math.abs(dx) + Math.abs(dy);
      if (before) {
        const { wide, high } = apart();
        contrast(level() + (high - before.high), width() - (wide - before.wide));
      } else if (event.shiftKey) contrast(level() + dy, width() - dx);
      else {
        left += dx / Math.max(4, canvas.clientWidth / 60);
        const whole = Math.trunc(left);
        left -= whole;
        if (whole) move(number, whole);
      }
    });
    const lift = (event) => {
      const finger = fingers.get(event.pointerId);
      fingers.delete(event.pointerId);
      if (!finger || !ready() || far > 5 || event.type !== "pointerup" || planes.length < 2) return;
      // a tap: the other planes go through this point
      const plane = planes[number];
      const { shape } = cases[state.index];
      const { left: x0, top: y0, dx, dy } = slot.place;
      const edge = canvas.getBoundingClientRect();
      const spot = [[plane.across, (finger.x - edge.left - x0) / dx], [plane.up, (finger.y - edge.top - y0) / dy]];
      for (const [axis, value] of spot) {
        const index = limit(Math.floor(value), 0, shape[axis] - 1);
        state.at[axis] = plane.turned ? shape[axis] - 1 - index : index;
      }
      refresh();
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    // the wheel is the page's until this plane was clicked
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!figure.contains(document.activeElement) || event.ctrlKey || !event.deltaY) return;
        event.preventDefault();
        rolled += event.deltaY;
        if (Math.abs(rolled) < 30) return; // a touch pad sends many small steps
        move(number, rolled < 0 ? 1 : -1);
        rolled = 0;
      },
      { passive: false },
    );
  });

  const sizes = new ResizeObserver(refresh);
  for (const { canvas } of slots) sizes.observe(canvas);
  if (matchMedia("(max-width: 30rem)").matches && part("view")) {
    part("view").value = 1;
    look(1);
  } else look(0);

  // ---------------------------------------------------------------- the way in

  const anchors = new Map(
    cases.flatMap((it, index) => it.layers.map((layer, number) => [layer.anchor, [index, number]])),
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
    outline,
    unpack,
  };
})();
