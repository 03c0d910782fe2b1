// What a reader does to the viewer: menus, keys, mouse and touch. `viewer` is as viewer.js makes it.
const controls = (() => {
  const limit = (value, low, high) => Math.min(Math.max(value, low), high);

  function move({ cases, planes, refresh, state }, number, by) {
    const { axis } = planes[number];
    state.at[axis] = limit(state.at[axis] + by, 0, cases[state.index].shape[axis] - 1);
    refresh();
  }

  function contrast({ refresh, state }, level, width) {
    width = limit(width, 8, 255);
    level = limit(level, 0, 255);
    Object.assign(state, { low: level - width / 2, high: level + width / 2 });
    refresh();
  }
  const level = ({ state }) => (state.low + state.high) / 2;
  const width = ({ state }) => state.high - state.low;

  function turn(select, by = 1) {
    if (!select) return;
    select.selectedIndex = (select.selectedIndex + by + select.options.length) % select.options.length;
    select.dispatchEvent(new Event("change"));
  }

  function toggle({ part, refresh }, name) {
    const control = part(name);
    if (!control || control.disabled) return;
    control.checked = !control.checked;
    refresh();
  }

  // view: 0 for all planes, or the number of one.
  function look({ part, planes, refresh, slots, state }, view) {
    const held = document.activeElement?.closest("[data-plane]");
    state.view = view;
    slots.forEach(({ figure }, i) => (figure.hidden = view > 0 && i !== view - 1));
    part("planes").classList.toggle("one", view > 0 || planes.length === 1);
    if (view) state.active = view - 1;
    if (held?.hidden) slots[state.active].range.focus({ preventScroll: true }); // or the keys would go nowhere
    refresh();
  }

  function menus(viewer) {
    const { box, cases, choices, part, refresh, show, state } = viewer;
    part("method").addEventListener("change", (event) => {
      const ranked = choices(Number(event.target.value));
      const [index, number] = ranked.find(([i]) => i === state.index) ?? ranked[0] ?? [];
      if (index === undefined) event.target.value = state.method;
      else show(index, number, true);
    });
    part("case").addEventListener("change", (event) => show(...event.target.value.split(" ").map(Number)));
    part("previous").addEventListener("click", () => turn(part("case"), -1));
    part("next").addEventListener("click", () => turn(part("case")));
    for (const name of ["channel", "label"])
      part(name)?.addEventListener("change", (event) => {
        state[name] = Number(event.target.value);
        refresh();
      });
    part("view")?.addEventListener("change", (event) => look(viewer, Number(event.target.value)));
    part("reset").addEventListener("click", () => contrast(viewer, 127.5, 255));
    part("level").addEventListener("input", (event) => contrast(viewer, Number(event.target.value), width(viewer)));
    part("width").addEventListener("input", (event) => contrast(viewer, level(viewer), 255 - Number(event.target.value)));
    part("row").addEventListener("click", () => {
      reveal(document.getElementById(cases[state.index].layers[state.layer].anchor));
    });
    for (const control of box.querySelectorAll("input[type=checkbox]")) control.addEventListener("change", refresh);
  }

  function keyboard(viewer) {
    const { box, part, state } = viewer;
    const keys = {
      n: () => turn(part("case")),
      p: () => turn(part("case"), -1),
      m: () => turn(part("method")),
      t: () => toggle(viewer, "truth"),
      e: () => toggle(viewer, "errors"),
      c: () => turn(part("channel")),
      l: () => turn(part("label")),
      v: () => turn(part("view")),
      b: () => contrast(viewer, level(viewer) - 8, width(viewer)),
      d: () => contrast(viewer, level(viewer) + 8, width(viewer)),
      "+": () => contrast(viewer, level(viewer), width(viewer) - 16),
      "=": () => contrast(viewer, level(viewer), width(viewer) - 16),
      "-": () => contrast(viewer, level(viewer), width(viewer) + 16),
      r: () => contrast(viewer, 127.5, 255),
    };
    const steps = {
      ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -1e6, End: 1e6,
    };
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || state.index < 0) return;
      const { target, key } = event;
      if (target.tagName === "SELECT" || target.tagName === "SUMMARY") return;
      const own = target.type === "range" && !target.closest("[data-plane]"); // level and contrast move themselves
      if (key in steps && !own) move(viewer, state.active, steps[key]);
      else if (/^[1-9]$/.test(key)) toggle(viewer, `method-${key - 1}`);
      else if (Object.hasOwn(keys, key.toLowerCase())) keys[key.toLowerCase()]();
      else return;
      event.preventDefault();
    });
  }

  // A tap: the other planes go through this point.
  function tap({ cases, planes, refresh, slots, state }, number, finger) {
    const plane = planes[number];
    const { shape } = cases[state.index];
    const { canvas, place } = slots[number];
    const edge = canvas.getBoundingClientRect();
    const spot = [
      [plane.across, (finger.x - edge.left - place.left) / place.dx],
      [plane.up, (finger.y - edge.top - place.top) / place.dy],
    ];
    for (const [axis, value] of spot) {
      const index = limit(Math.floor(value), 0, shape[axis] - 1);
      state.at[axis] = plane.turned ? shape[axis] - 1 - index : index;
    }
    refresh();
  }

  function pointers(viewer, number) {
    const { planes, ready, slots, state } = viewer;
    const { canvas, range } = slots[number];
    const fingers = new Map();
    let left = 0; // of a drag, what did not yet make a slice
    let far = 0;
    const apart = () => {
      const [a, b] = [...fingers.values()];
      return { wide: Math.hypot(a.x - b.x, a.y - b.y), high: (a.y + b.y) / 2 };
    };
    // two fingers are for the contrast here, one finger up or down still scrolls the page
    canvas.addEventListener("touchstart", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      left = far = 0;
      state.active = number;
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
        contrast(viewer, level(viewer) + (high - before.high), width(viewer) - (wide - before.wide));
      } else if (event.shiftKey) contrast(viewer, level(viewer) + dy, width(viewer) - dx);
      else {
        left += dx / Math.max(4, canvas.clientWidth / 60);
        const whole = Math.trunc(left);
        left -= whole;
        if (whole) move(viewer, number, whole);
      }
    });
    const lift = (event) => {
      const finger = fingers.get(event.pointerId);
      fingers.delete(event.pointerId);
      if (finger && ready() && far <= 5 && event.type === "pointerup" && planes.length > 1) tap(viewer, number, finger);
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
  }

  // The wheel is the page's until this plane was clicked.
  function wheel(viewer, number) {
    const { canvas, figure } = viewer.slots[number];
    let rolled = 0;
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!figure.contains(document.activeElement) || event.ctrlKey || !event.deltaY) return;
        event.preventDefault();
        rolled += event.deltaY;
        if (Math.abs(rolled) < 30) return; // a touch pad sends many small steps
        move(viewer, number, rolled < 0 ? 1 : -1);
        rolled = 0;
      },
      { passive: false },
    );
  }

  function listen(viewer) {
    const { cases, part, planes, slots, state } = viewer;
    menus(viewer);
    keyboard(viewer);
    slots.forEach(({ figure, range }, number) => {
      figure.addEventListener("focusin", () => (state.active = number));
      range.addEventListener("input", () => {
        const { axis } = planes[number];
        move(viewer, number, range.value - 1 - cases[state.index].begin[axis] - state.at[axis]);
      });
      pointers(viewer, number);
      wheel(viewer, number);
    });
    if (matchMedia("(max-width: 30rem)").matches && part("view")) {
      part("view").value = 1;
      look(viewer, 1);
    } else look(viewer, 0);
  }

  return { listen };
})();
