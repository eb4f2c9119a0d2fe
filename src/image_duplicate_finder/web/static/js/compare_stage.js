/**
 * The two viewers of the compare page. The left one shows the kept file and, laid over it in its
 * frame, the aligned other file or the difference; the right one shows the other file as it is.
 *
 * Positions go between the viewers as shares of the pictures' sizes, through the 3 x 3 matrix
 * that the server computed; without one, equal shares are shown.
 */

const OSD = window.OpenSeadragon;
const IDENTITY = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
const MAX_PIXEL_ZOOM = 16;

function mapped(matrix, x, y) {
  const [a, b, c] = matrix.map((row) => row[0] * x + row[1] * y + row[2]);
  return [a / c, b / c];
}

function inverted([[a, b, c], [d, e, f], [g, h, i]]) {
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    [(e * i - f * h) / det, (c * h - b * i) / det, (b * f - c * e) / det],
    [(f * g - d * i) / det, (a * i - c * g) / det, (c * d - a * f) / det],
    [(d * h - e * g) / det, (b * g - a * h) / det, (a * e - b * d) / det],
  ];
}

/* OpenSeadragon adds a style element where this mark is missing, which the page's content security
   policy forbids. An element of another namespace is a mark and no style. */
const mark = document.createElementNS("urn:image-duplicate-finder", "style");
mark.setAttribute("data-openseadragon-mobile-css", "");
document.head.append(mark);

function viewer(element) {
  const made = OSD({
    element,
    drawer: "canvas",
    showNavigationControl: false,
    visibilityRatio: 0.5,
    maxZoomPixelRatio: MAX_PIXEL_ZOOM,
    minZoomImageRatio: 0.5,
    animationTime: 0.25,
    springStiffness: 9,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    imageSmoothingEnabled: true,
    preserveImageSizeOnResize: false,
  });
  made.canvas.setAttribute("role", "application");
  made.canvas.setAttribute("aria-label", element.dataset.label);
  return made;
}

/* Larger renditions are drawn when someone zooms in. */
const MOST_AHEAD = 2200;
const CLOSEST = 1100;

function load(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = reject;
    image.src = url;
  });
}

/**
 * A picture whose smaller levels can be drawn before anyone asks for them.
 *
 * With a ``small`` rendition, what fits into that is drawn from it and is there at once; the whole
 * picture is loaded when someone zooms in.
 */
class Picture extends OSD.ImageTileSource {
  constructor({ url, small = url, size = null }) {
    super({ url, buildPyramid: true, useCanvas: true });
    this.small = small;
    this.size = size;
    this.drawn = new Map();
    this.there = new Promise((resolve, reject) => {
      this.addHandler("ready", resolve);
      this.addHandler("open-failed", reject);
    });
    this.there.catch(() => {});
  }

  getImageInfo() {
    super.getImageInfo(this.small);
  }

  /** The image that has all the detail of a level. */
  async #imageFor({ width }) {
    await this.there;
    if (this.size === null || width <= this.image.naturalWidth) return this.image;
    this.whole ??= load(this.url);
    return this.whole;
  }

  async draw() {
    await this.there;
    for (const level of this.levels) {
      const { width, height } = level;
      if (Math.max(width, height) > MOST_AHEAD || this.drawn.has(width)) continue;
      const image = await this.#imageFor(level);
      await image.decode();
      this.drawn.set(width, this._createContext2D(image, width, height));
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  /** The level that is always there: not the largest, which takes longest and which few look at. */
  getClosestLevel() {
    const small = this.levels.findLastIndex(({ width, height }) => Math.max(width, height) <= CLOSEST);
    return Math.max(this.minLevel, small);
  }

  downloadTileStart(job) {
    const level = this.levels[job.postData.level];
    this.#imageFor(level).then((image) => {
      if (level === this.levels.at(-1)) return job.finish(image, null, "image");
      const made = this.drawn.get(level.width);
      this.drawn.delete(level.width); // the viewer wipes what it was given
      return job.finish(made ?? this._createContext2D(image, level.width, level.height), null, "context2d");
    }, () => job.fail(`Cannot load ${this.url}`));
  }

  _buildLevels(image) {
    if (this.size === null) return super._buildLevels(image);
    const [width, height] = this.size;
    Object.assign(this, { width, height, tileWidth: width, tileHeight: height });
    return super._buildLevels({ src: this.url, naturalWidth: width, naturalHeight: height });
  }
}

const ahead = new Map();

/** The two pictures that a page compares, as it names them. */
function filesOf({ keeper, keeperSmall, keeperSize, member, memberSmall, memberSize }) {
  const file = (url, small, size) => (small ? { url, small, size: size.split(" ").map(Number) } : { url });
  return { keeper: file(keeper, keeperSmall, keeperSize), member: file(member, memberSmall, memberSize) };
}

/** Load and draw the pictures of a page that is likely to be shown next, and only these. */
export async function drawAhead(page) {
  const { keeper, member } = filesOf(page);
  const wanted = [keeper, member, { url: page.aligned }];
  for (const url of ahead.keys()) if (!wanted.some((each) => each.url === url)) ahead.delete(url);
  for (const each of wanted) {
    if (!ahead.has(each.url)) ahead.set(each.url, new Picture(each));
    await ahead.get(each.url).draw().catch(() => ahead.delete(each.url));
  }
}

function pictureOf(file) {
  const made = ahead.get(file.url) ?? new Picture(file);
  ahead.delete(file.url);
  return made;
}

/** Add a picture at the place of the first one; resolves with it. */
function add(target, file, options = {}) {
  return new Promise((resolve, reject) => {
    target.addTiledImage({
      tileSource: pictureOf(file),
      width: 1,
      ...options,
      success: (event) => resolve(event.item),
      error: (event) => reject(event),
    });
  });
}

/** Do work with a picture once it is there: one that cannot be loaded never is. */
function whenThere(picture, work) {
  picture.then(work, () => {});
}

export class Stage {
  constructor(root, onZoom) {
    this.root = root;
    this.onZoom = onZoom;
    this.geometry = JSON.parse(root.dataset.geometry);
    this.matrix = this.geometry.matrix ?? IDENTITY;
    this.left = viewer(root.querySelector("#viewer-keeper"));
    this.right = viewer(root.querySelector("#viewer-member"));
    this.mode = "side";
    this.over = {};
    this.share = 0.5;
    this.leader = this.left;
    this.left.addHandler("viewport-change", () => this.#follow(this.left));
    this.right.addHandler("viewport-change", () => this.#follow(this.right));
    for (const each of [this.left, this.right]) {
      each.addHandler("canvas-enter", () => { this.leader = each; });
      for (const event of ["canvas-press", "canvas-scroll", "canvas-key"]) {
        each.addHandler(event, () => {
          this.leader = each;
          this.fitted = false;
        });
      }
      // The viewer takes a new size some frames after its element, and keeps its zoom then.
      each.addHandler("after-resize", () => requestAnimationFrame(() => {
        if (this.fitted && each === this.leader) this.zoom("fit");
      }));
    }
    this.left.addHandler("update-viewport", () => this.#clip());
    const { keeper, member } = filesOf(root.dataset);
    this.keeper = add(this.left, keeper);
    this.member = add(this.right, member);
    this.#waiting(this.keeper, root.querySelector(".pane-keeper"));
    this.#waiting(this.member, root.querySelector(".pane-member"));
    this.loaded = Promise.allSettled([this.keeper, this.member]);
    whenThere(this.keeper, () => this.zoom("fit"));
    this.#dragDivider(root.querySelector("#divider"));
  }

  destroy() {
    this.left.destroy();
    this.right.destroy();
  }

  show(mode) {
    this.mode = mode;
    this.root.querySelector("#divider").hidden = mode !== "slider";
    this.flipped = false;
    this.root.dataset.flipped = "no";
    if (mode === "slider" || mode === "blink") this.#lay("aligned");
    if (mode === "difference") this.#lay("difference");
    this.leader = this.left;
    requestAnimationFrame(() => {
      this.left.forceResize();
      this.right.forceResize();
      this.#update();
      this.zoom("fit");
    });
  }

  /** Blink: show the other picture of the two; returns whether it is the member now. */
  flip() {
    this.flipped = !this.flipped;
    this.root.dataset.flipped = this.flipped ? "yes" : "no";
    this.#update();
    return this.flipped;
  }

  /** Slider: the kept file is shown left of ``share`` (0 to 1) of the stage. */
  slide(share) {
    this.share = share;
    this.root.querySelector("#divider").style.left = `${share * 100}%`;
    this.#clip();
    this.left.forceRedraw();
  }

  onDivider(handler) {
    this.moved = handler;
  }

  zoom(how) {
    const viewport = this.leader.viewport;
    const item = this.leader.world?.getItemAt(0);  // none once the viewers are destroyed
    if (!item) return;
    this.fitted = how === "fit";
    if (how === "fit") viewport.goHome(true);
    if (how === "in") viewport.zoomBy(1.5);
    if (how === "out") viewport.zoomBy(1 / 1.5);
    if (how === "pixels") viewport.zoomTo(item.imageToViewportZoom(1 / devicePixelRatio));
    viewport.applyConstraints();
  }

  /** Load what the other modes show, before anyone asks for it. */
  async layAll() {
    for (const name of this.geometry.matrix ? ["aligned", "difference"] : ["aligned"]) {
      this.#lay(name, false);
      await this.over[name].then((item) => item.source.draw()).catch(() => {});
    }
    // The other modes show the kept picture larger.
    await this.keeper.then((item) => item.source.draw()).catch(() => {});
  }

  /** Outline regions, boxes as shares of the kept picture, in both pictures. */
  mark(regions, words) {
    this.regions = regions;
    this.region = -1;
    whenThere(this.keeper, () => regions.forEach((box) => this.#box(this.left, box, words)));
    whenThere(this.member, () => regions.forEach((box) => this.#box(this.right, this.#inMember(box), words)));
  }

  /** Go to the next region that differs. */
  jump() {
    const item = this.left.world.getItemAt(0);
    if (!item || !this.regions?.length) return;
    this.region = (this.region + 1) % this.regions.length;
    const [left, top, right, bottom] = this.regions[this.region];
    const bounds = item.getBounds();
    const around = (low, high) => {
      const size = Math.max(0.12, (high - low) * 2.5);
      return [(low + high - size) / 2, size];
    };
    const [x, width] = around(left, right);
    const [y, height] = around(top, bottom);
    this.leader = this.left;
    this.fitted = false;
    this.left.viewport.fitBounds(new OSD.Rect(bounds.x + x * bounds.width, bounds.y + y * bounds.height,
      width * bounds.width, height * bounds.height));
  }

  #inMember([left, top, right, bottom]) {
    const corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(([x, y]) => mapped(this.matrix, x, y));
    const [xs, ys] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }

  #box(target, [left, top, right, bottom], words) {
    const bounds = target.world.getItemAt(0).getBounds();
    const box = document.createElement("span");
    box.className = "region";
    box.title = words;
    target.addOverlay({
      element: box,
      location: new OSD.Rect(bounds.x + left * bounds.width, bounds.y + top * bounds.height,
        (right - left) * bounds.width, (bottom - top) * bounds.height),
    });
  }

  outline(shown) {
    this.outlined = shown;
    if (!this.geometry.outline) return;
    whenThere(this.keeper, () => this.#draw(this.left, this.geometry.outline, shown));
    whenThere(this.member, () => this.#draw(this.right, this.geometry.reverse, shown));
  }

  #draw(target, corners, shown) {
    for (const drawn of target.element.querySelectorAll(".outline")) target.removeOverlay(drawn);
    if (!shown) return;
    const space = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(space, "svg");
    drawing.setAttribute("class", "outline");
    drawing.setAttribute("viewBox", "0 0 1 1");
    drawing.setAttribute("preserveAspectRatio", "none");
    for (const name of ["outline-under", "outline-over"]) {
      const polygon = document.createElementNS(space, "polygon");
      polygon.setAttribute("class", name);
      polygon.setAttribute("points", corners.map((corner) => corner.join(",")).join(" "));
      drawing.append(polygon);
    }
    target.addOverlay({ element: drawing, location: target.world.getItemAt(0).getBounds() });
  }

  #lay(name, waited = true) {
    const pane = this.root.querySelector(".pane-keeper");
    this.over[name] ??= this.keeper.then((keeper) => add(this.left, { url: this.root.dataset[name] }, {
      opacity: 0,
      preload: true,  // decoded and scaled before it is seen
      fitBounds: keeper.getBounds(),
      width: undefined,
    }));
    if (waited) this.#waiting(this.over[name], pane);
    whenThere(this.over[name], () => this.#update());
  }

  #waiting(promise, pane) {
    const line = pane.querySelector(".pane-wait");
    const slow = setTimeout(() => { line.hidden = false; }, 250);
    const done = () => { clearTimeout(slow); line.hidden = true; };
    promise.then(done, done);
  }

  #update() {
    const opacity = {
      aligned: this.mode === "slider" || (this.mode === "blink" && this.flipped) ? 1 : 0,
      difference: this.mode === "difference" ? 1 : 0,
    };
    for (const [name, promise] of Object.entries(this.over)) {
      whenThere(promise, (item) => {
        item.setOpacity(opacity[name]);
        if (this.mode !== "slider") item.setClip(null);
        this.#clip();
        this.left.forceRedraw();
      });
    }
  }

  #clip() {
    if (this.mode !== "slider" || !this.over.aligned) return;
    whenThere(this.over.aligned, (item) => {
      const size = item.getContentSize();
      const at = this.left.viewport.pointFromPixel(
        new OSD.Point(this.share * this.left.container.clientWidth, 0), true);
      const x = Math.max(0, Math.min(size.x, item.viewportToImageCoordinates(at, true).x));
      const clip = item.getClip();
      if (clip && Math.abs(clip.x - x) < 0.01) return;
      item.setClip(new OSD.Rect(x, 0, Math.max(0.001, size.x - x), size.y));
    });
  }

  /** Show in the other viewer what ``leader`` shows. */
  #follow(leader) {
    const first = leader.world.getItemAt(0);
    if (first && leader === this.left) {
      this.onZoom(first.viewportToImageZoom(leader.viewport.getZoom(true)) * devicePixelRatio);
    }
    if (leader !== this.leader || this.mode !== "side") return;
    const other = leader === this.left ? this.right : this.left;
    const second = other.world.getItemAt(0);
    if (!first || !second) return;
    const matrix = leader === this.left ? this.matrix : inverted(this.matrix);
    const from = first.getContentSize();
    const to = second.getContentSize();
    const centre = first.viewportToImageCoordinates(leader.viewport.getCenter(true), true);
    const [x, y] = [centre.x / from.x, centre.y / from.y];
    const [u, v] = mapped(matrix, x, y);
    // How many pixels of the other picture one pixel of this one is wide, at this place.
    const step = 0.01;
    const [a, b] = mapped(matrix, x + step, y);
    const [c, d] = mapped(matrix, x, y + step);
    const area = Math.abs((a - u) * (d - v) - (c - u) * (b - v)) * to.x * to.y;
    const scale = Math.sqrt(area / (step * step * from.x * from.y)) || 1;
    const zoom = first.viewportToImageZoom(leader.viewport.getZoom(true)) / scale;
    other.viewport.zoomTo(second.imageToViewportZoom(zoom), null, true);
    other.viewport.panTo(second.imageToViewportCoordinates(u * to.x, v * to.y), true);
  }

  #dragDivider(divider) {
    divider.addEventListener("pointerdown", (event) => {
      divider.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    divider.addEventListener("pointermove", (event) => {
      if (!divider.hasPointerCapture(event.pointerId)) return;
      const box = divider.parentElement.getBoundingClientRect();
      const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
      this.slide(share);
      this.moved?.(share);
    });
  }
}
