// Enlarges photographs, off the page's thread. A file comes in. Out go {done, total}, the number of
// tiles, and {width, height, before, after}: the size of the result, and PNGs by bicubic and by the
// network. Or {error} goes out, a sentence.

import * as ort from "./ort.wasm.bundle.min.mjs";
import {bicubic} from "./bicubic.js";
import {shares, spans} from "./tiles.js";

const settings = fetch(new URL("settings.json", import.meta.url)).then((answer) => answer.json());
const session = settings.then(({network}) =>
  ort.InferenceSession.create(new URL(network, import.meta.url).href, {executionProviders: ["wasm"]}));

onmessage = async ({data: file}) => {
  try {
    postMessage(await enlarge(file));
  } catch (error) {
    postMessage({error: error.message});
  }
};

async function enlarge(file) {
  const lr = await read(file);
  const before = await png(bicubic(lr));
  const sr = await upscale(lr);
  if (isGrey(lr)) makeGrey(sr);
  return {width: sr.width, height: sr.height, before, after: await png(sr)};
}

// The photograph, upright, in sRGB, on white: {data, width, height}, RGBA.
async function read(file) {
  const photo = await createImageBitmap(file);
  const {width, height} = photo;
  const context = canvas(width, height);
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(photo, 0, 0);
  photo.close();
  return context.getImageData(0, 0, width, height);
}

function png(image) {
  const context = canvas(image.width, image.height);
  context.putImageData(image, 0, 0);
  return context.canvas.convertToBlob();
}

function canvas(width, height) {
  return new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
}

// The image, enlarged by the network in tiles, as glanet.inference.upscale does. What is kept
// meanwhile is one row of tiles as floats: its pixels from left to right, three channels each.
async function upscale(lr) {
  const {scale, ...tiling} = await settings;
  const rows = spans(lr.height, tiling);
  const columns = spans(lr.width, tiling);
  const rowShares = shares(rows, {scale, ...tiling});
  const columnShares = shares(columns, {scale, ...tiling});
  const sr = new ImageData(scale * lr.width, scale * lr.height);
  const line = 3 * sr.width;
  const total = rows.length * columns.length;
  let done = 0;
  await session;
  postMessage({done, total});
  let carried = new Float32Array(0);
  for (const [j, row] of rows.entries()) {
    const band = new Float32Array(scale * (row.stop - row.start) * line);
    band.set(carried);
    for (const [i, column] of columns.entries()) {
      const answer = await run(lr, row, column);
      blend(answer, band, line, scale * column.start, rowShares[j], columnShares[i]);
      postMessage({done: ++done, total});
    }
    const finished = scale * ((rows[j + 1]?.start ?? row.stop) - row.start) * line;
    store(band.subarray(0, finished), sr.data, 4 * scale * row.start * sr.width);
    carried = band.subarray(finished);
  }
  return sr;
}

// The network's answer to one tile: three channels, one after the other.
async function run(lr, row, column) {
  const [height, width] = [row.stop - row.start, column.stop - column.start];
  const values = new Float32Array(3 * height * width);
  for (let y = 0; y < height; y++) {
    const from = 4 * ((row.start + y) * lr.width + column.start);
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        const place = (channel * height + y) * width + x;
        values[place] = lr.data[from + 4 * x + channel] / 255;
      }
    }
  }
  const tile = new ort.Tensor("float32", values, [1, 3, height, width]);
  const {sr} = await (await session).run({lr: tile});
  return sr.data;
}

function blend(answer, band, line, left, rowShare, columnShare) {
  const plane = rowShare.length * columnShare.length;
  for (const [y, down] of rowShare.entries()) {
    for (const [x, across] of columnShare.entries()) {
      for (let channel = 0; channel < 3; channel++) {
        const value = answer[channel * plane + y * columnShare.length + x];
        band[y * line + 3 * (left + x) + channel] += value * down * across;
      }
    }
  }
}

// RGB in [0, 1] -> RGBA in 0 ... 255, from a place on. The array of an ImageData rounds and clamps.
function store(rgb, rgba, start) {
  for (let i = 0, to = start; i < rgb.length; i += 3, to += 4) {
    for (let channel = 0; channel < 3; channel++) rgba[to + channel] = 255 * rgb[i + channel];
    rgba[to + 3] = 255;
  }
}

function isGrey({data}) {
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
  }
  return true;
}

// Luma of ITU-R BT.601, as `glanet upscale`.
function makeGrey({data}) {
  for (let i = 0; i < data.length; i += 4) {
    const luma = Math.floor(0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2] + 0.5);
    data.fill(luma, i, i + 3);
  }
}
