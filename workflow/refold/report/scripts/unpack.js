// Cases as viewer.py packed them; its first lines say how.
const unpacking = (() => {
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

  // Grey values of each channel on the grid `coarse`; label maps of the truth and of each layer. wide: two bytes a label.
  async function unpack({ shape, factors, channels, layers }, packed, wide) {
    const bytes = await inflate(packed);
    const coarse = shape.map((n, axis) => Math.ceil(n / factors[axis]));
    const count = shape[0] * shape[1] * shape[2];
    const coarseCount = coarse[0] * coarse[1] * coarse[2];
    let start = 0;
    const take = (length) => bytes.subarray(start, (start += length));
    const greys = channels.map(({ planes }) => {
      const colours = Array.from({ length: planes }, () => restore(take(coarseCount), coarse));
      for (const plane of colours.slice(1)) plane.forEach((value, i) => (plane[i] = value + colours[0][i] - 128));
      return colours;
    });
    const map = () => {
      const low = take(count);
      if (!wide) return low;
      const high = take(count);
      return Uint16Array.from(low, (value, i) => value | (high[i] << 8));
    };
    const maps = [map()];
    layers.forEach(() => maps.push(map().map((value, i) => value ^ maps[0][i])));
    return { coarse, greys, maps };
  }

  return { unpack };
})();
