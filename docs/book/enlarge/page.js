// Takes one photograph, shows the progress, and the result under a slider. worker.js does the work.

const MEGAPIXELS = 16; // four times as many are what a browser can hold of the result
const SIDE = 8192;

const part = (id) => document.getElementById(id);
const [photo, progress, split, pictures] = ["photo", "progress", "split", "pictures"].map(part);

let worker; // keeps the network from one photograph to the next
let file; // what is being enlarged
let began;

photo.disabled = false;
say("");

photo.addEventListener("change", () => {
  if (photo.files.length) take([...photo.files]); // none: the dialog was cancelled
});
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("drop", (event) => {
  event.preventDefault();
  take([...event.dataTransfer.files]);
});
part("cancel").addEventListener("click", () => {
  stop();
  say("Cancelled.");
  photo.focus();
});
split.addEventListener("input", divide);
part("view").addEventListener("scroll", divide);
window.addEventListener("resize", divide);
pictures.addEventListener("pointerdown", drag);
pictures.addEventListener("pointermove", drag);

function say(status, error = "") {
  part("status").textContent = status;
  part("error").textContent = error;
  part("error").hidden = error === "";
}

function stop(error) {
  worker?.terminate();
  worker = file = undefined;
  photo.value = ""; // the same file can be chosen again
  part("busy").hidden = true;
  if (error) say("", error);
}

async function take(files) {
  if (file) stop();
  say("");
  part("result").hidden = true;
  if (files.length !== 1) {
    stop(`Found ${files.length} files, expected one photograph.`);
    return;
  }
  const taken = (file = files[0]);
  const fault = await faultOf(taken);
  if (file !== taken) return; // there is another one by now
  if (fault) stop(fault);
  else start();
}

// Why a file cannot be enlarged; undefined if it can.
async function faultOf({name}) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => Object.assign(image, {onload: resolve, onerror: reject}));
  } catch {
    return `${name}: not an image that this browser can read. JPEG, PNG and WebP are.`;
  } finally {
    URL.revokeObjectURL(image.src);
  }
  const {naturalWidth: width, naturalHeight: height} = image;
  if (width * height > MEGAPIXELS * 1e6 || Math.max(width, height) > SIDE) {
    return `${name}: ${width} × ${height} pixels, expected at most ${MEGAPIXELS} megapixels and `
      + `${SIDE} pixels a side. Shrink or cut it first.`;
  }
}

function start() {
  if (!worker) {
    worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
    worker.addEventListener("error", () => stop("The network did not load. Reload this page."));
    worker.addEventListener("message", ({data}) => receive(data));
  }
  progress.removeAttribute("value");
  part("left").textContent = "";
  part("busy").hidden = false;
  say("Loading the network …");
  began = performance.now();
  worker.postMessage(file);
}

function receive({error, done, total, ...result}) {
  if (error) stop(`${file.name}: ${error}. Reload this page, or choose a smaller photograph.`);
  else if (total) watch(done, total);
  else show(result);
}

function watch(done, total) {
  Object.assign(progress, {value: done, max: total});
  if (done === 0) {
    began = performance.now();
    say(`Enlarging ${file.name} …`);
  } else {
    const left = ((performance.now() - began) / done) * (total - done);
    part("left").textContent = `${done} of ${total} tiles, ${clock(left)} left`;
  }
}

function clock(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

async function show({width, height, before, after}) {
  const {name} = file;
  const seconds = Math.round((performance.now() - began) / 1000);
  for (const [image, blob] of [[part("before"), before], [part("after"), after]]) {
    URL.revokeObjectURL(image.src);
    Object.assign(image, {src: URL.createObjectURL(blob), width, height});
  }
  const download = part("download");
  download.href = part("after").src;
  download.download = `${name.replace(/\.\w+$/, "")}-x2.png`;
  file = undefined;
  part("busy").hidden = true;
  part("result").hidden = false;
  split.style.setProperty("--width", `${width}px`);
  divide();
  say(`${name}: ${width} × ${height} pixels in ${seconds} seconds.`);
}

// How much of the pictures' width can be seen without scrolling.
function seen() {
  return Math.min(part("view").clientWidth, pictures.offsetWidth);
}

function divide() {
  const place = part("view").scrollLeft + (split.value / 100) * seen();
  pictures.style.setProperty("--split", `${place}px`);
}

function drag({buttons, pointerType, clientX}) {
  if (buttons !== 1 || pointerType !== "mouse") return; // a finger scrolls
  const {left} = part("view").getBoundingClientRect();
  split.value = (100 * (clientX - left)) / seen();
  divide();
}
