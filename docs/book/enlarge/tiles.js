// Where tiles lie and how they are blended, along one axis: as glanet/inference/upscale.py does.

// The places {start, stop} of tiles that cover 0 ... size, in LR pixels.
export function spans(size, {tile, overlap, multiple}) {
  const step = Math.floor((tile - overlap) / multiple) * multiple;
  const count = Math.max(1, Math.ceil((size - overlap) / step));
  return Array.from({length: count}, (_, i) => ({
    start: i * step,
    stop: Math.min(i * step + tile, size),
  }));
}

// The blend weights of each tile, one for each SR pixel; they sum to 1 everywhere.
export function shares(spans, {scale, overlap, margin}) {
  const rise = (inward) => {
    const share = (inward / scale - margin) / (overlap - 2 * margin);
    return Math.min(Math.max(share, 0), 1);
  };
  const total = new Float64Array(scale * spans.at(-1).stop);
  const weights = spans.map(({start, stop}, number) => {
    const length = scale * (stop - start);
    return Float64Array.from({length}, (_, i) => {
      const left = number === 0 ? 1 : rise(i + 0.5);
      const right = number === spans.length - 1 ? 1 : rise(length - i - 0.5);
      total[scale * start + i] += Math.min(left, right);
      return Math.min(left, right);
    });
  });
  return weights.map((tile, number) =>
    tile.map((weight, i) => weight / total[scale * spans[number].start + i]));
}
