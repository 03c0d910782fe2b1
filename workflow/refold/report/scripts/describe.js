// What stands around the planes of the viewer: beneath each what it shows; the case's name, Dice and grey values.
const describing = (() => {
  const channelOf = ({ channels }, { channel }) => channels[Math.min(channel, channels.length - 1)];
  const short = (value) => String(Number(value.toPrecision(4)));

  // errors: how many pixels; outlined: names of what is outlined.
  function caption({ cases, methods, planes, say, slots, state, text }, number, errors, outlined) {
    const slot = slots[number];
    const plane = planes[number];
    const { name, shape, begin, whole, channels } = cases[state.index];
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
        case: name,
        plane: where,
        channel: channelOf({ channels }, state).name,
        outlines: outlined.join(text.comma) || text["no outlines"],
        method: methods[state.method].name,
        errors: wrong,
      }),
    );
  }

  // The rows of the case's Dice, a layer each.
  function dice({ cases, labels, methods, state }) {
    return cases[state.index].layers.map((layer, i) => {
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
  }

  // The value in the file that a grey value from 0 to 255 stands for. tones: corners of the line between them.
  function valueOf(tones, shade) {
    const after = tones.findIndex(([, end], i) => i && shade <= end);
    const next = after < 0 ? tones.length - 1 : after;
    const [[from, a], [to, b]] = [tones[next - 1], tones[next]];
    return short(from + ((to - from) * (shade - a)) / (b - a));
  }

  function describe(viewer) {
    const { cases, methods, part, planes, say, state, text } = viewer;
    const kept = cases[state.index];
    const chosen = kept.layers[state.layer];
    part("shown").textContent = say("shown", {
      case: kept.name, method: methods[chosen.method].name, fold: chosen.fold, mean: chosen.mean,
    });
    part("dice").replaceChildren(...dice(viewer));
    const { name, tones } = channelOf(kept, state);
    const grey = say("grey", { low: valueOf(tones, state.low), high: valueOf(tones, state.high) });
    part("level").value = (state.low + state.high) / 2;
    part("width").value = 255 - (state.high - state.low);
    for (const control of ["level", "width"]) part(control).setAttribute("aria-valuetext", grey);
    const times = (numbers) => numbers.slice(0, planes.length > 1 ? 3 : 2).join(" × ");
    const [inside, whole] = [times(kept.shape), times(kept.whole)];
    const notes = [`${name}${text.colon}${grey}`];
    if (tones.length > 2) {
      const most = tones.findIndex(([, end], i) => i && end - tones[i - 1][1] > 127); // more than half of all
      notes.push(say("bent", { first: short(tones[most - 1][0]), last: short(tones[most][0]) }));
    }
    notes.push(say(inside === whole ? "whole" : "part", { kept: inside, whole }));
    if (Math.max(...kept.factors) > 1) notes.push(say("coarse", { factors: times(kept.factors) }));
    part("notes").textContent = `${notes.join(text.semicolon)}${text.stop}`;
  }

  return { caption, describe };
})();
