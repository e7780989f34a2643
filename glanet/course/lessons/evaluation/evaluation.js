// The square that you drag over a photograph in notebook 13. It runs in the browser, so that the
// crops follow the pointer. widgets.py inlines this file into the page and fills in the two names in
// capitals below.
(() => {
  const {width, height, side, start, images} = PAGE_DATA;
  const page = document.getElementById("PAGE_ID"), zoom = 384 / width;
  let [top, left] = start;

  function add(parent, tag, style) {
    const element = document.createElement(tag);
    element.style.cssText = style;
    return parent.appendChild(element);
  }

  const whole = add(page, "div", "position: relative; touch-action: none; cursor: move;"
    + "flex: none; align-self: flex-start");
  const photo = add(whole, "img", "display: block; max-width: none; pointer-events: none");
  [photo.src, photo.width, photo.height] = [images[0].png, zoom * width, zoom * height];
  const square = add(whole, "div", "position: absolute; box-sizing: border-box;"
    + "border: 2px solid white; outline: 2px solid black");
  square.style.width = square.style.height = zoom * side + "px";

  const crops = add(page, "div", "display: flex; flex-wrap: wrap; gap: 12px; flex: 1 1 180px");
  const views = images.map(({name, png, errors}) => {
    const frame = add(crops, "div", "width: 180px");
    const canvas = add(frame, "canvas", "width: 180px; height: 180px; image-rendering: pixelated");
    canvas.width = canvas.height = side;
    const caption = add(frame, "div", "text-align: center");
    const image = new Image();
    image.onload = show;
    image.src = png;
    const bytes = Uint8Array.from(atob(errors), (letter) => letter.charCodeAt(0));
    return {name, canvas, caption, image, errors: new Float32Array(bytes.buffer)};
  });

  function decibels(errors) {  // PSNR of the square, from the squared errors on Y of all pixels
    let sum = 0;
    for (let row = top; row < top + side; row++)
      for (let column = left; column < left + side; column++) sum += errors[row * width + column];
    return 10 * Math.log10(255 ** 2 * side ** 2 / sum);
  }

  function show() {
    [square.style.top, square.style.left] = [zoom * top + "px", zoom * left + "px"];
    whole.setAttribute("aria-valuenow", top * width + left);  // a slider has one number; its text
    whole.setAttribute("aria-valuetext", `row ${top}, column ${left}`);  // is what a learner hears
    for (const {name, canvas, caption, image, errors} of views) {
      canvas.getContext("2d").drawImage(image, -left, -top);
      const score = errors.length ? ": " + decibels(errors).toFixed(2) + " dB" : "";
      caption.textContent = name + score;
    }
  }

  function move(row, column) {
    top = Math.min(Math.max(Math.round(row), 0), height - side);
    left = Math.min(Math.max(Math.round(column), 0), width - side);
    show();
  }

  function follow(event) {
    const box = whole.getBoundingClientRect(), half = side / 2;
    move((event.clientY - box.top) / zoom - half, (event.clientX - box.left) / zoom - half);
  }

  whole.tabIndex = 0;
  whole.setAttribute("role", "slider");
  whole.setAttribute("aria-roledescription", "square to move over the photograph");
  whole.setAttribute("aria-label", "square: arrow keys move it");
  whole.setAttribute("aria-valuemin", 0);
  whole.setAttribute("aria-valuemax", (height - side) * width + width - side);
  whole.onpointerdown = (event) => {
    whole.setPointerCapture(event.pointerId);
    follow(event);
  };
  whole.onpointermove = (event) => whole.hasPointerCapture(event.pointerId) && follow(event);
  whole.onkeydown = (event) => {
    const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
    if (!(event.key in step)) return;
    event.preventDefault();
    event.stopPropagation();  // otherwise the notebook moves to the next cell
    move(top + step[event.key][0], left + step[event.key][1]);
  };
})();
