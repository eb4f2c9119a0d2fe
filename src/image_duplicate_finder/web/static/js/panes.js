/**
 * Pictures of one scene in several panes that move together, each laid over the kept one: the same
 * detail lies at the same place in every pane.
 *
 * Positions go through 3 x 3 matrices from the kept picture to the other one, in shares of their
 * sizes; without one a picture is shown whole in the middle.
 */

const MOST_ZOOM = 40;

export function inverted([[a, b, c], [d, e, f], [g, h, i]]) {
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    [(e * i - f * h) / det, (c * h - b * i) / det, (b * f - c * e) / det],
    [(f * g - d * i) / det, (a * i - c * g) / det, (c * d - a * f) / det],
    [(d * h - e * g) / det, (b * g - a * h) / det, (a * e - b * d) / det],
  ];
}

function times(one, other) {
  return one.map((row) => [0, 1, 2].map((column) => row.reduce((sum, value, at) => sum + value * other[at][column], 0)));
}

function applied(matrix, x, y) {
  const [a, b, c] = matrix.map((row) => row[0] * x + row[1] * y + row[2]);
  return [a / c, b / c];
}

const scaling = (x, y) => [[x, 0, 0], [0, y, 0], [0, 0, 1]];
const moving = (x, y) => [[1, 0, x], [0, 1, y], [0, 0, 1]];

function css([[a, b, c], [d, e, f], [g, h, i]]) {
  return `matrix3d(${a},${d},0,${g},${b},${e},0,${h},0,0,1,0,${c},${f},0,${i})`;
}

/* Pictures that were loaded once stay at hand, decoded. */
const loaded = new Map();

export function preload(url) {
  if (!loaded.has(url)) {
    const image = new Image();
    image.src = url;
    image.alt = "";
    image.draggable = false;
    loaded.set(url, { image, ready: image.decode().then(() => true, () => false) });
    if (loaded.size > 60) loaded.delete(loaded.keys().next().value);
  }
  return loaded.get(url);
}

export class Panes {
  constructor(onView = () => {}) {
    this.panes = [];
    this.onView = onView;
    this.view = { zoom: 1, x: 0, y: 0 };
    this.flipped = false;
  }

  /** Show pictures: ``kept`` first; each ``{ element, file, matrix }``. */
  show(kept, items) {
    this.kept = kept;
    for (const pane of this.panes) pane.element.replaceChildren();
    this.panes = items.map((item) => ({ ...item, map: this.#mapOf(item) }));
    this.regions = [];
    this.flipped = false;
    this.frame = this.#frame();
    this.view = { zoom: 1, x: 0, y: 0 };
    for (const pane of this.panes) {
      pane.image = this.#picture(pane, pane.file);
      pane.element.append(pane.image);
      this.#listen(pane.element);
    }
    this.draw();
  }

  /** The mapping from a picture's shares to the kept picture's pixels. */
  #mapOf({ file, matrix }) {
    const { width, height } = this.kept;
    if (matrix) return times(scaling(width, height), inverted(matrix));
    const scale = Math.min(width / file.width, height / file.height);
    const [w, h] = [file.width * scale, file.height * scale];
    return times(moving((width - w) / 2, (height - h) / 2), scaling(w, h));
  }

  /** What is to be seen when everything fits: all corners of all pictures. */
  #frame() {
    const corners = this.panes.flatMap(({ map }) => [[0, 0], [1, 0], [0, 1], [1, 1]].map(([x, y]) => applied(map, x, y)));
    const [xs, ys] = [0, 1].map((axis) => corners.map((corner) => corner[axis]).filter(Number.isFinite));
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
  }

  #picture(pane, file) {
    const { image } = preload(file.screen);
    const copy = image.parentElement && image.isConnected ? image.cloneNode() : image;
    copy.className = "";
    return copy;
  }

  #fit(element) {
    const { clientWidth: width, clientHeight: height } = element;
    const scale = Math.min(width / this.frame.width, height / this.frame.height);
    return { scale, x: (width - this.frame.width * scale) / 2, y: (height - this.frame.height * scale) / 2 };
  }

  /** From the kept picture's pixels to a pane's. */
  #toPane(element) {
    const { scale, x, y } = this.#fit(element);
    const { zoom } = this.view;
    const [middleX, middleY] = [element.clientWidth / 2, element.clientHeight / 2];
    const home = times(moving(x, y), times(scaling(scale, scale), moving(-this.frame.left, -this.frame.top)));
    const moved = times(moving(middleX + this.view.x * element.clientWidth, middleY + this.view.y * element.clientHeight),
      times(scaling(zoom, zoom), moving(-middleX, -middleY)));
    return times(moved, home);
  }

  draw() {
    this.panes.forEach((pane, place) => {
      const shown = this.flipped && this.panes.length === 2 ? this.panes[1 - place] : pane;
      if (pane.shown !== shown) {
        pane.image.remove();
        pane.image = this.#picture(pane, shown.file);
        pane.element.prepend(pane.image);
        pane.shown = shown;
      }
      const toPane = this.#toPane(pane.element);
      // The element has the picture's whole size, whichever rendition it shows.
      const { width, height } = shown.file;
      pane.image.style.width = `${width}px`;
      pane.image.style.height = `${height}px`;
      pane.image.style.transform = css(times(toPane, times(shown.map, scaling(1 / width, 1 / height))));
      for (const box of pane.element.querySelectorAll(".region")) box.remove();
      for (const [left, top, right, bottom] of this.regions) {
        const [x, y] = applied(toPane, left * this.kept.width, top * this.kept.height);
        const [u, v] = applied(toPane, right * this.kept.width, bottom * this.kept.height);
        const box = document.createElement("span");
        box.className = "region";
        box.style.width = `${Math.max(8, u - x)}px`;
        box.style.height = `${Math.max(8, v - y)}px`;
        box.style.transform = `translate(${x}px, ${y}px)`;
        pane.element.append(box);
      }
    });
    this.#sharpen();
    this.onView(this.view);
  }

  /** Beyond the size of the rendition the whole pictures come. */
  #sharpen() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      for (const pane of this.panes) {
        const { file } = pane.shown;
        const { scale } = this.#fit(pane.element);
        const across = file.width * scale * this.view.zoom * (this.kept.width / file.width) * devicePixelRatio;
        if (across < 1700 || Math.max(file.width, file.height) <= 1600) continue;
        const { image, ready } = preload(file.full);
        ready.then((fine) => { if (fine && pane.shown.file === file && pane.image.src !== image.src) pane.image.src = image.src; });
      }
    }, 120);
  }

  zoom(by, element = this.panes[0]?.element, x = 0.5, y = 0.5) {
    if (!element) return;
    const zoom = Math.max(1, Math.min(MOST_ZOOM, this.view.zoom * by));
    const change = zoom / this.view.zoom;
    const [offX, offY] = [x - 0.5, y - 0.5];
    this.view = {
      zoom,
      x: zoom === 1 ? 0 : offX - (offX - this.view.x) * change,
      y: zoom === 1 ? 0 : offY - (offY - this.view.y) * change,
    };
    this.draw();
  }

  fit() {
    this.view = { zoom: 1, x: 0, y: 0 };
    this.draw();
  }

  /** One pixel of the kept picture on one of the screen. */
  pixels() {
    const element = this.panes[0]?.element;
    if (!element) return;
    const wanted = 1 / (this.#fit(element).scale * devicePixelRatio);
    this.zoom(Math.max(1, wanted) / this.view.zoom);
  }

  flip() {
    this.flipped = !this.flipped;
    this.draw();
  }

  mark(regions) {
    this.regions = regions;
    this.region = -1;
    this.draw();
  }

  /** Go to the next region that differs. */
  jump() {
    if (!this.regions.length) return;
    this.region = (this.region + 1) % this.regions.length;
    this.goTo(this.regions[this.region]);
  }

  /** Bring a box, in shares of the kept picture, into the middle of all panes: that share of them. */
  goTo([left, top, right, bottom], share = 0.4) {
    const element = this.panes[0]?.element;
    if (!element) return;
    const { scale, x, y } = this.#fit(element);
    const [w, h] = [element.clientWidth, element.clientHeight];
    const across = Math.max((right - left) * this.kept.width * scale / w, (bottom - top) * this.kept.height * scale / h);
    const zoom = Math.max(1, Math.min(MOST_ZOOM / 2, share / Math.max(0.01, across)));
    const middle = [
      (((left + right) / 2) * this.kept.width - this.frame.left) * scale + x,
      (((top + bottom) / 2) * this.kept.height - this.frame.top) * scale + y,
    ];
    this.view = { zoom, x: (0.5 - middle[0] / w) * zoom, y: (0.5 - middle[1] / h) * zoom };
    this.draw();
  }

  #listen(element) {
    if (element.dataset.listens) return;
    element.dataset.listens = "yes";
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = element.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 300), element, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    }, { passive: false });
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      this.from = { x: event.clientX, y: event.clientY, view: this.view };
    });
    element.addEventListener("pointermove", (event) => {
      if (!element.hasPointerCapture(event.pointerId) || !this.from) return;
      this.view = {
        zoom: this.from.view.zoom,
        x: this.from.view.x + (event.clientX - this.from.x) / element.clientWidth,
        y: this.from.view.y + (event.clientY - this.from.y) / element.clientHeight,
      };
      this.draw();
    });
    element.addEventListener("dblclick", () => (this.view.zoom > 1 ? this.fit() : this.pixels()));
  }
}
