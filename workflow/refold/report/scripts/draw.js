// One plane of a case on its canvas: grey values, errors, outlines, ticks and letters. It draws what it is handed.
const drawing = (() => {
  // For each pixel of a plane, row by row, what `read([x, y, z])` gives for its voxel.
  function cut(plane, shape, point, read, into) {
    const [cols, rows] = [shape[plane.across], shape[plane.up]];
    const at = [...point];
    for (let row = 0, i = 0; row < rows; row++)
      for (let col = 0; col < cols; col++, i++) {
        at[plane.across] = plane.turned ? cols - 1 - col : col;
        at[plane.up] = plane.turned ? rows - 1 - row : row;
        into(i, read(at));
      }
  }

  // only: the one label to keep; 0 keeps all.
  function cutMap(plane, shape, at, map, only) {
    const labels = new Uint16Array(shape[plane.across] * shape[plane.up]);
    cut(plane, shape, at, ([x, y, z]) => map[x + shape[0] * (y + shape[1] * z)], (i, value) => {
      labels[i] = only && value !== only ? 0 : value;
    });
    return labels;
  }

  function cutGrey(plane, { shape, factors }, { coarse, greys }, { at, low, high, channel }) {
    const image = new ImageData(shape[plane.across], shape[plane.up]);
    const [nx, ny] = coarse;
    const colours = greys[Math.min(channel, greys.length - 1)];
    const scale = 255 / Math.max(1, high - low);
    const shade = Uint8ClampedArray.from({ length: 256 }, (_, value) => (value - low) * scale);
    const [fx, fy, fz] = factors;
    cut(
      plane,
      shape,
      at,
      ([x, y, z]) => Math.floor(x / fx) + nx * (Math.floor(y / fy) + ny * Math.floor(z / fz)),
      (i, from) => {
        for (let c = 0; c < 3; c++) image.data[4 * i + c] = shade[colours[colours.length > 1 ? c : 0][from]];
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

  // Stripes for what is too much, dots for what is missed: told apart without their colours.
  function hatch({ context, ratio }, kind, colour) {
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

  // Where a plane lies on its canvas, in the canvas's pixels. ratio: how many of them are one of the page's.
  function frame(canvas, plane, { shape, spacing }) {
    const [cols, rows] = [shape[plane.across], shape[plane.up]];
    const ratio = Math.min(devicePixelRatio || 1, 3);
    const size = Math.round(canvas.clientWidth * ratio);
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const [across, up] = [spacing[plane.across], spacing[plane.up]];
    const scale = size / Math.max(cols * across, rows * up);
    const [dx, dy] = [across * scale, up * scale];
    const [left, top] = [(size - cols * dx) / 2, (size - rows * dy) / 2];
    return { context: canvas.getContext("2d"), plane, cols, rows, ratio, size, dx, dy, left, top };
  }

  function paintGrey({ context, cols, rows, size, left, top, dx, dy }, image) {
    context.fillStyle = "#000";
    context.fillRect(0, 0, size, size);
    const grey = new OffscreenCanvas(cols, rows);
    grey.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(grey, left, top, cols * dx, rows * dy);
  }

  // Marks where a prediction differs from the truth, if they are to be seen, and counts its pixels.
  function paintErrors(place, canvas, truth, predicted, seen) {
    const { context, cols, left, top, dx, dy } = place;
    const counts = { missed: 0, extra: 0 };
    const marks = { missed: new Path2D(), extra: new Path2D() };
    truth.forEach((value, i) => {
      if (value === predicted[i]) return;
      const pixel = [left + (i % cols) * dx, top + Math.floor(i / cols) * dy, dx, dy];
      for (const kind of [value && "missed", predicted[i] && "extra"])
        if (kind) {
          counts[kind]++;
          marks[kind].rect(...pixel);
        }
    });
    if (seen)
      for (const kind of ["missed", "extra"]) {
        context.fillStyle = hatch(place, kind, getComputedStyle(canvas).getPropertyValue(`--${kind}`).trim());
        context.fill(marks[kind]);
      }
    return counts;
  }

  // lines: label maps of the plane, each with its colour and dashes.
  function paintOutlines({ context, cols, rows, ratio, left, top, dx, dy }, lines) {
    const paths = lines.map(({ labels }) => {
      const path = new Path2D();
      for (const line of outline(labels, cols, rows)) {
        const [first, last] = [line[0], line.at(-1)];
        line.forEach(([x, y], i) => path[i ? "lineTo" : "moveTo"](left + x * dx, top + y * dy));
        if (first[0] === last[0] && first[1] === last[1]) path.closePath();
      }
      return path;
    });
    context.lineJoin = "round";
    for (const halo of [true, false])
      lines.forEach(({ colour, dash }, i) => {
        context.setLineDash(halo || !dash ? [] : dash.split(" ").map((n) => n * ratio));
        context.lineWidth = (halo ? 3.2 : 1.6) * ratio;
        context.strokeStyle = halo ? "rgba(0, 0, 0, .5)" : colour;
        context.stroke(paths[i]);
      });
    context.setLineDash([]);
  }

  // Ticks at the rim say where the other two planes run.
  function paintTicks({ context, plane, cols, rows, ratio, size, left, top, dx, dy }, at) {
    const rim = 0.035 * size;
    const x = left + (plane.turned ? cols - 0.5 - at[plane.across] : at[plane.across] + 0.5) * dx;
    const y = top + (plane.turned ? rows - 0.5 - at[plane.up] : at[plane.up] + 0.5) * dy;
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

  function paintLetters({ context, plane, ratio, size }) {
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

  // view: at, low, high, channel, label; `judged`, the label map whose errors are counted, and `marked` if they are to be
  // seen; `lines`, maps to outline with their colour and dashes; `ticks` if there are other planes.
  // Gives the counts of errors, and where the plane lies on the canvas, in pixels of the page.
  function draw(canvas, plane, kept, voxels, view) {
    const place = frame(canvas, plane, kept);
    paintGrey(place, cutGrey(plane, kept, voxels, view));
    const cuts = new Map();
    const labels = (map) => {
      if (!cuts.has(map)) cuts.set(map, cutMap(plane, kept.shape, view.at, map, view.label));
      return cuts.get(map);
    };
    const errors = paintErrors(place, canvas, labels(voxels.maps[0]), labels(view.judged), view.marked);
    paintOutlines(place, view.lines.map((line) => ({ ...line, labels: labels(line.map) })));
    if (view.ticks) paintTicks(place, view.at);
    if (plane.letters) paintLetters(place);
    const { ratio, left, top, dx, dy } = place;
    return { errors, place: { left: left / ratio, top: top / ratio, dx: dx / ratio, dy: dy / ratio } };
  }

  return { draw, outline };
})();
