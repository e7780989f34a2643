// MATLAB's bicubic enlargement by 2, which rounds after each axis: glanet/data/degradation.py.

// Keys' kernel at four samples that lie 1.75, 0.75, 0.25 and 1.25 from an even pixel of the result.
// An odd pixel has them the other way round.
const EVEN = [-0.0234375, 0.2265625, 0.8671875, -0.0703125];
const ODD = EVEN.toReversed();

// The image {data, width, height}, RGBA, at twice its width and height.
export function bicubic({data, width, height}) {
  const sr = new ImageData(2 * width, 2 * height);
  const row = new Uint8ClampedArray(4 * width);
  const columns = taps(width, 4);
  taps(height, 4 * width).forEach((rows, y) => {
    for (let i = 0; i < row.length; i++) row[i] = mix(data, rows, i);
    columns.forEach((pixels, x) => {
      const target = 4 * (y * sr.width + x);
      for (let i = 0; i < 4; i++) sr.data[target + i] = mix(row, pixels, i);
    });
  });
  return sr;
}

// For each sample of the result along an axis: where its four samples lie, `step` apart, and their
// weights. Beyond its ends the axis is mirrored.
function taps(size, step) {
  const inside = (i) => {
    const place = (i + 2 * size) % (2 * size);
    return Math.min(place, 2 * size - 1 - place);
  };
  return Array.from({length: 2 * size}, (_, k) => {
    const first = Math.floor((k - 3) / 2);
    return {
      places: [0, 1, 2, 3].map((i) => step * inside(first + i)),
      weights: k % 2 ? ODD : EVEN,
    };
  });
}

function mix(from, {places: [a, b, c, d], weights: [p, q, r, s]}, i) {
  return Math.floor(p * from[a + i] + q * from[b + i] + r * from[c + i] + s * from[d + i] + 0.5);
}
