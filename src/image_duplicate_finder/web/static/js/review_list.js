/**
 * The list of groups: fifty thousand of them behind one scroll bar.
 *
 * The outline (numbers of all groups and how many files each has) tells where every group is
 * before any of them is there, so scrolling is exact. Cards are fetched as they come into view;
 * those that leave it are taken out of the page. A large group that is unfolded is treated the same
 * way: only the lines of its files that are in view are in the page.
 */

import { complain, getHtml } from "./server.js";

const FOLDED_FILES = 12;
const GAP = 10;
const CARDS_AT_ONCE = 40;
const TILES_AT_ONCE = 60;
const KEPT_CARDS = 600;

/* Sizes in CSS pixels at the usual text size; css/review.css takes them from the custom
   properties that are set here. ``text`` is the height of the lines below a picture. */
const VIEWS = {
  list: { smallest: 19, largest: 100, start: 0 },
  grid: { smallest: 104, largest: 300, start: 23, head: 26, text: 56, pad: 8, gap: 8, stretch: 1.25 },
  large: { smallest: 240, largest: 720, start: 30, head: 32, text: 100, pad: 10, gap: 12, stretch: 1.2 },
};
/* Widths in which the server has pictures. One that is only a little wider or narrower than before
   is not asked for again; review/tile.html says the same for the first page. */
const RENDITIONS = [160, 320, 640];
const MORE_HEIGHT = 30;
const NARROW = 700;

export class GroupList {
  constructor(root, { cardsUrl, tilesUrl, onChange }) {
    this.root = root;
    this.cardsUrl = cardsUrl;
    this.tilesUrl = tilesUrl;
    this.onChange = onChange;
    this.view = "grid";
    this.sizes = {};
    this.ids = [];
    this.files = [];
    this.place = new Map();
    this.unfolded = new Set();
    this.cards = new Map();
    this.tiles = new Map();
    this.asked = new Set();
    this.waiting = [];
    this.untold = 0;
    this.outdated = false;
    this.pressed = false;
    root.addEventListener("pointerdown", () => { this.pressed = true; });
    for (const name of ["click", "pointercancel", "blur"]) addEventListener(name, () => { this.pressed = false; });
    addEventListener("pointerup", () => setTimeout(() => { this.pressed = false; }));
    // Until the outline tells of all groups, the list is those that came with the page.
    this.whole = false;
    for (const card of root.querySelectorAll(".group")) {
      this.#take(card);
      this.ids.push(Number(card.dataset.group));
      this.files.push(Number(card.dataset.files));
    }
    this.#number();
    addEventListener("scroll", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(root);
    new ResizeObserver(() => this.#soon()).observe(document.documentElement);
  }

  /* What is shown */

  /** Show other groups: their numbers in order, and how many files each has. */
  load(ids, files) {
    this.whole = true;
    this.ids = ids;
    this.files = files;
    this.#number();
    this.layout();
  }

  /** Groups that replace one, as the server made them. */
  replace(id, cards) {
    this.outdated ||= this.untold > 0;
    const at = this.place.get(id);
    this.#forget(id);
    for (const card of cards) {
      const made = Number(card.dataset.group);
      this.#forget(made);
      this.#take(card);
      if (this.unfolded.has(id)) this.unfolded.add(made);
    }
    if (at === undefined) return;
    this.ids.splice(at, 1, ...cards.map((card) => Number(card.dataset.group)));
    this.files.splice(at, 1, ...cards.map((card) => Number(card.dataset.files)));
    this.#number();
    this.layout();
  }

  /** Boxes changed whose state the server is told in its turn: until then its answers are older. */
  ticked() {
    this.untold += 1;
  }

  /** The server was told of one such change. */
  told() {
    this.untold -= 1;
  }

  /** Wait until no mouse button is down on the list: a click on a tile that is replaced between
      press and release would get lost. */
  async released() {
    for (let tries = 0; tries < 1000 && this.pressed; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /** Fetch anew what is in the page; forget the rest. A card that says the same stays in its place.
      While the server has not been told of all boxes, it waits for the turn of that change. */
  async refresh() {
    this.outdated = this.untold > 0;
    if (this.outdated) return;
    const shown = [...this.root.querySelectorAll(".group[data-group]")].map((card) => Number(card.dataset.group));
    const fresh = await this.#fetch(shown.filter((id) => this.place.has(id)));
    await this.released();
    this.outdated = this.untold > 0;
    if (this.outdated) return;
    const stale = new Set(this.cards.keys());
    const focused = this.#focusedPlace();
    const hadFocus = document.activeElement;
    for (const card of fresh) {
      const id = Number(card.dataset.group);
      if (this.#alike(id, card)) stale.delete(id);
    }
    for (const id of stale) this.#forget(id);
    for (const card of fresh) if (!this.cards.has(Number(card.dataset.group))) this.#take(card);
    this.layout();
    if (focused && !hadFocus.isConnected) {
      await this.focusTile(this.place.get(focused.group), focused.index, { scroll: false });
    }
  }

  /** Give all boxes that are at hand a state at once; the server's answer has the last word. */
  tick(state) {
    for (const tiles of this.tiles.values()) {
      for (const tile of tiles.values()) {
        const box = tile.querySelector(".pick:not(:disabled)");
        if (box) box.checked = state(box);
      }
    }
  }

  /** Whether a card says what a fresh one says; what is selected is taken over from that. */
  #alike(id, fresh) {
    const card = this.cards.get(id);
    if (!card || this.unfolded.has(id) && this.files[this.place.get(id)] > FOLDED_FILES) return false;
    const said = (of) => of.querySelector(".group-title").textContent;
    const [mine, theirs] = [this.tiles.get(id), [...fresh.querySelectorAll(".tile")]];
    const same = said(card) === said(fresh) && mine.size === theirs.length
      && theirs.every((tile, index) => mine.get(index)?.textContent === tile.textContent);
    if (!same) return false;
    theirs.forEach((tile, index) => {
      const [box, wanted] = [mine.get(index).querySelector(".pick"), tile.querySelector(".pick")];
      if (!box || !wanted) return;
      box.checked = wanted.checked;
      box.disabled = wanted.disabled;
    });
    return true;
  }

  setView(view, sizes) {
    this.#anchored(() => {
      this.view = view;
      this.sizes = sizes;
    });
  }

  fold(index) {
    const id = this.ids[index];
    this.#anchored(() => {
      if (!this.unfolded.delete(id)) this.unfolded.add(id);
    }, index);
  }

  /** The slider's place in a view, 0 to 100. */
  sizeOf(view = this.view) {
    return this.sizes[view] ?? VIEWS[view].start;
  }

  /* Geometry */

  layout() {
    const text = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const width = this.root.clientWidth;
    const count = this.ids.length;
    this.box = {
      top: new Float64Array(count),
      left: new Float64Array(count),
      width: new Float64Array(count),
      height: new Float64Array(count),
      tile: new Float64Array(count),
      columns: new Uint16Array(count),
    };
    const shape = VIEWS[this.view];
    const size = shape.smallest + ((shape.largest - shape.smallest) * this.sizeOf()) / 100;
    this.text = text;
    const height = this.view === "list" ? this.#rows(size * text, width) : this.#flow(size, width, shape);
    this.root.style.height = `${Math.ceil(height)}px`;
    this.root.dataset.virtual = "";
    this.root.closest("[data-view]").dataset.view = this.view;
    this.#render();
  }

  #rows(size, width) {
    const coarse = matchMedia("(pointer: coarse)").matches ? 34 : 0;
    const row = Math.round(Math.max(size, coarse, width < NARROW * this.text ? 48 * this.text : 0));
    this.line = row;
    this.root.parentElement.style.setProperty("--row", `${row}px`);
    let y = 0;
    for (let at = 0; at < this.ids.length; at++) {
      const height = this.#shown(at, 1) * row + (this.#folds(at) ? MORE_HEIGHT * this.text : 0) + 1;
      this.#put(at, y, 0, width, height, row, 1);
      y += height;
    }
    return y;
  }

  #flow(size, width, shape) {
    const { pad, gap } = shape;
    const tile = Math.min(size, width - 2 * pad);
    const most = Math.max(1, Math.floor((width - 2 * pad + gap) / (tile + gap)));
    let y = 0;
    let line = [];
    let used = 0;
    const flush = (last) => {
      if (!line.length) return;
      const columns = line.reduce((sum, each) => sum + each.columns, 0);
      const free = width - (used - GAP);
      const wide = Math.min(tile + free / columns, tile * (last && columns < most ? 1 : shape.stretch));
      let x = 0;
      let tallest = 0;
      for (const each of line) {
        const lines = Math.ceil(this.#shown(each.at, most) / each.columns);
        const high = this.#lineHeight(wide, shape);
        const height = shape.head * this.text + 2 * pad + lines * high + (lines - 1) * gap
          + (this.#folds(each.at) ? MORE_HEIGHT * this.text : 0);
        const across = each.columns * wide + (each.columns - 1) * gap + 2 * pad;
        this.#put(each.at, y, x, across, height, wide, each.columns);
        x += across + GAP;
        tallest = Math.max(tallest, height);
      }
      y += tallest + GAP;
      line = [];
      used = 0;
    };
    for (let at = 0; at < this.ids.length; at++) {
      const columns = Math.min(this.#shown(at, most), most);
      const across = columns * tile + (columns - 1) * gap + 2 * pad;
      if (line.length && used + across > width) flush(false);
      line.push({ at, columns });
      used += across + GAP;
    }
    flush(true);
    return y;
  }

  #lineHeight(tile, shape = VIEWS[this.view]) {
    return this.view === "list" ? this.line : Math.round(tile * 0.75) + shape.text * this.text;
  }

  #put(at, top, left, width, height, tile, columns) {
    this.box.top[at] = top;
    this.box.left[at] = left;
    this.box.width[at] = width;
    this.box.height[at] = height;
    this.box.tile[at] = tile;
    this.box.columns[at] = columns;
  }

  #folds(at) {
    return this.files[at] > FOLDED_FILES;
  }

  /** How many files of a group are shown where a line holds ``columns``. */
  #shown(at, columns) {
    const files = this.files[at];
    if (files <= FOLDED_FILES || this.unfolded.has(this.ids[at])) return files;
    return Math.min(files, Math.max(columns, Math.floor(FOLDED_FILES / columns) * columns, 1));
  }

  /** The position of a file of a group in the list. */
  #tileBox(at, index) {
    const shape = VIEWS[this.view];
    const high = this.#lineHeight(this.box.tile[at]);
    const line = Math.floor(index / this.box.columns[at]);
    if (this.view === "list") {
      const top = this.box.top[at] + line * high;
      return { top, bottom: top + high };
    }
    const top = this.box.top[at] + shape.head * this.text + shape.pad + line * (high + shape.gap);
    return { top, bottom: top + high };
  }

  /** The part of the window that no bar covers, in the list's own coordinates. */
  #window() {
    const { top, bottom } = insets();
    const start = this.root.getBoundingClientRect().top;
    return { top: top - start, bottom: innerHeight - bottom - start };
  }

  /** Scroll so that a stretch of the list is wholly in the window; its top, if it is too large. */
  #reveal(top, bottom) {
    const margin = 6;
    const seen = this.#window();
    const tall = bottom - top + 2 * margin > seen.bottom - seen.top;
    let by = 0;
    if (tall || top - margin < seen.top) by = top - margin - seen.top;
    else if (bottom + margin > seen.bottom) by = bottom + margin - seen.bottom;
    if (by) scrollBy({ top: by, behavior: "instant" });
    this.#render();
  }

  /** Do something that moves groups, and keep the one that is looked at in its place. */
  #anchored(change, at = null) {
    const seen = this.#window();
    let anchor = at;
    if (anchor === null && this.box && this.ids.length) {
      const focused = this.#focusedPlace();
      anchor = focused ? this.place.get(focused.group) : this.#firstBelow(seen.top);
      if (anchor !== undefined && (this.box.top[anchor] > seen.bottom || this.box.top[anchor] + this.box.height[anchor] < seen.top)) {
        anchor = this.#firstBelow(seen.top);
      }
    }
    const before = anchor === null || anchor === undefined || !this.box ? 0 : this.box.top[anchor] - seen.top;
    change();
    this.layout();
    if (anchor === null || anchor === undefined || anchor >= this.ids.length) return;
    if (scrollY === 0 && anchor === 0) return;
    const now = this.box.top[anchor] - this.#window().top;
    scrollBy({ top: now - Math.max(0, before), behavior: "instant" });
    this.#render();
  }

  #firstBelow(y) {
    let [low, high] = [0, this.ids.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.box.top[middle] + this.box.height[middle] > y) high = middle;
      else low = middle + 1;
    }
    return Math.min(low, Math.max(0, this.ids.length - 1));
  }

  /** The first group that is wholly below the bars, counted from 0. */
  first() {
    if (!this.ids.length) return 0;
    const { top } = this.#window();
    const at = this.#firstBelow(top);
    return this.box.top[at] < top - 1 && at + 1 < this.ids.length ? this.#firstBelow(this.box.top[at] + this.box.height[at]) : at;
  }

  /* What is in the page */

  #soon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.#render();
    });
  }

  #resized() {
    if (!this.box || this.root.clientWidth === this.wide) return;
    this.wide = this.root.clientWidth;
    this.#anchored(() => {});
  }

  #render() {
    if (!this.box) return;
    const seen = this.#window();
    const reach = innerHeight;
    const from = this.#firstBelow(seen.top - reach);
    const wanted = [];
    for (let at = from; at < this.ids.length && this.box.top[at] < seen.bottom + reach; at++) wanted.push(at);
    const focused = this.root.contains(document.activeElement) ? document.activeElement.closest(".group") : null;
    const held = focused ? this.place.get(Number(focused.dataset.group)) : undefined;
    if (held !== undefined && !wanted.includes(held)) wanted.push(held);
    wanted.sort((one, other) => one - other);
    const shown = new Set(wanted.map((at) => this.#element(at)));
    for (const element of [...this.root.children]) {
      if (shown.has(element)) continue;
      element.remove();
      stopLoading(element);
    }
    let cursor = this.root.firstElementChild;
    const [missing, near] = [[], []];
    for (const at of wanted) {
      const element = this.#element(at);
      if (element === cursor) cursor = cursor.nextElementSibling;
      else this.root.insertBefore(element, cursor);
      this.#dress(element, at, seen);
      if (this.cards.has(this.ids[at])) continue;
      const inView = this.box.top[at] < seen.bottom && this.box.top[at] + this.box.height[at] > seen.top;
      (inView ? missing : near).push(this.ids[at]);
    }
    if (missing.length || near.length) this.#ask(missing.length ? missing : near);
    this.root.setAttribute("aria-busy", String(!this.whole || missing.length + near.length > 0));
  }

  #element(at) {
    const id = this.ids[at];
    const card = this.cards.get(id);
    if (card) return card;
    this.ghosts ??= new Map();
    if (!this.ghosts.has(id)) {
      const ghost = document.createElement("article");
      ghost.className = "group ghost";
      ghost.dataset.group = id;
      ghost.tabIndex = -1;
      this.ghosts.set(id, ghost);
    }
    return this.ghosts.get(id);
  }

  /** Give a card its place, and the files that are to be seen of it. */
  #dress(card, at, seen) {
    const { box } = this;
    const style = card.style;
    style.top = `${box.top[at]}px`;
    style.left = `${box.left[at]}px`;
    style.width = `${box.width[at]}px`;
    style.height = `${box.height[at]}px`;
    card.setAttribute("aria-posinset", at + 1);
    card.setAttribute("aria-setsize", this.ids.length);
    card.classList.toggle("odd", at % 2 === 1);
    const list = card.querySelector(".tiles");
    if (!list) return;
    goOnLoading(card);
    style.setProperty("--tile", `${box.tile[at]}px`);
    style.setProperty("--line", `${this.#lineHeight(box.tile[at])}px`);
    style.setProperty("--columns", box.columns[at]);
    const shown = this.#shown(at, box.columns[at]);
    const more = card.querySelector("[data-unfold]");
    const folds = this.#folds(at);
    more.hidden = !folds;
    if (folds) {
      const open = this.unfolded.has(this.ids[at]);
      more.textContent = open ? this.words.fewer : this.words.more.replace("{num}", (this.files[at] - shown).toLocaleString(document.documentElement.lang));
      more.setAttribute("aria-expanded", String(open));
    }
    this.#fill(list, at, shown, seen);
    const wide = this.view === "list" ? this.line * 1.4 : box.tile[at];
    const sizes = `${RENDITIONS.find((each) => wide <= 0.9 * each) ?? RENDITIONS.at(-1)}px`;
    for (const image of list.querySelectorAll("img")) if (image.sizes !== sizes) image.sizes = sizes;
  }

  /** Put the files of a group into the page that are in or near the window. */
  #fill(list, at, shown, seen) {
    const id = this.ids[at];
    const tiles = this.tiles.get(id);
    let [from, to] = [0, shown];
    const columns = this.box.columns[at];
    const high = this.#lineHeight(this.box.tile[at]) + (this.view === "list" ? 0 : VIEWS[this.view].gap);
    if (shown > 2 * TILES_AT_ONCE) {
      const start = this.#tileBox(at, 0).top;
      from = Math.max(0, Math.floor((seen.top - innerHeight - start) / high)) * columns;
      to = Math.min(shown, Math.ceil((seen.bottom + innerHeight - start) / high) * columns);
    }
    list.style.paddingTop = `${(from / columns) * high}px`;
    const wanted = [];
    let missing = null;
    for (let index = from; index < to; index++) {
      let tile = tiles.get(index);
      if (!tile) {
        missing ??= index;
        tile = document.createElement("li");
        tile.className = "tile ghost";
      }
      tile.dataset.index = index;
      wanted.push(tile);
    }
    const focused = list.contains(document.activeElement) ? document.activeElement.closest(".tile") : null;
    const present = [...list.children];
    if (present.length !== wanted.length || present.some((tile, place) => tile !== wanted[place])) {
      const keep = new Set(wanted);
      for (const tile of present) if (!keep.has(tile) && tile !== focused) tile.remove();
      let cursor = list.firstElementChild;
      for (const tile of wanted) {
        if (focused && cursor === focused && !keep.has(focused)) cursor = cursor.nextElementSibling;
        if (tile === cursor) cursor = cursor.nextElementSibling;
        else list.insertBefore(tile, cursor);
      }
      if (focused && !keep.has(focused)) focused.hidden = true;
    }
    if (missing !== null) this.#askTiles(id, missing, Math.max(TILES_AT_ONCE, to - missing));
  }

  #take(card) {
    const id = Number(card.dataset.group);
    this.ghosts?.delete(id);
    this.cards.set(id, card);
    this.tiles.set(id, new Map([...card.querySelectorAll(".tile")].map((tile, index) => [index, tile])));
    if (this.cards.size > KEPT_CARDS) {
      for (const [old, kept] of this.cards) {
        if (this.cards.size <= KEPT_CARDS / 2) break;
        if (!kept.isConnected && old !== id) this.#forget(old);
      }
    }
  }

  #forget(id) {
    this.cards.delete(id);
    this.tiles.delete(id);
  }

  #number() {
    this.place = new Map(this.ids.map((id, at) => [id, at]));
  }

  async #fetch(ids) {
    if (!ids.length) return [];
    const url = this.cardsUrl();
    url.searchParams.set("ids", ids.join(","));
    return [...(await getHtml(url)).querySelectorAll(".group")];
  }

  /** Ask for cards, one request after the other: what is in the window before what is near it. What
      has left it meanwhile is not asked for. */
  async #ask(ids) {
    this.waiting = ids;
    if (this.asking) return this.asking;
    this.asking = (async () => {
      try {
        while (this.waiting.length) {
          const part = this.waiting.splice(0, CARDS_AT_ONCE);
          const found = await this.#fetch(part);
          for (const card of found) this.#take(card);
          if (found.length < part.length) this.onChange("gone");
          this.waiting = this.waiting.filter((id) => !this.cards.has(id));
          this.#render();
          if (found.length < part.length) break;
        }
      } catch (error) {
        complain(error);
      } finally {
        this.asking = null;
      }
    })();
    return this.asking;
  }

  async #askTiles(id, first, count) {
    const key = `${id}:${first}`;
    if (this.asked.has(key)) return;
    this.asked.add(key);
    try {
      const url = this.tilesUrl(id);
      url.searchParams.set("first", first);
      url.searchParams.set("count", count);
      const found = [...(await getHtml(url)).querySelectorAll(".tile")];
      const tiles = this.tiles.get(id);
      found.forEach((tile, place) => { if (!tiles?.has(first + place)) tiles?.set(first + place, tile); });
      this.#render();
    } catch (error) {
      complain(error);
    } finally {
      this.asked.delete(key);
    }
  }

  /* Where the keyboard is */

  #focusedPlace() {
    const card = document.activeElement?.closest?.(".group");
    if (!card || !this.root.contains(card)) return null;
    const tile = document.activeElement.closest(".tile");
    return { group: Number(card.dataset.group), index: tile ? Number(tile.dataset.index ?? 0) : 0 };
  }

  /** The group and file that the keyboard is at; null before it is used. */
  current() {
    const focused = this.#focusedPlace();
    if (focused && this.place.has(focused.group)) this.last = focused;
    if (!this.last || !this.place.has(this.last.group)) return null;
    return { at: this.place.get(this.last.group), index: this.last.index };
  }

  /** Go to a group: it is brought wholly into view, and its first copy gets the focus. */
  async focusGroup(at) {
    if (at < 0 || at >= this.ids.length) return;
    await this.focusTile(at, Math.min(1, this.files[at] - 1), { group: true });
  }

  /** Go to a file of a group; ``step`` says where to look on from a file that cannot be chosen. */
  async focusTile(at, index, { group = false, step = 0, scroll = true } = {}) {
    if (at === undefined || at < 0 || at >= this.ids.length) return;
    const id = this.ids[at];
    const shown = this.#shown(at, this.box.columns[at]);
    index = Math.max(0, Math.min(shown - 1, index));
    const box = this.#tileBox(at, index);
    const seen = this.#window();
    const fits = this.box.height[at] <= seen.bottom - seen.top - 12;
    if (scroll) {
      if (fits) this.#reveal(this.box.top[at], this.box.top[at] + this.box.height[at]);
      else if (group && box.bottom - this.box.top[at] <= seen.bottom - seen.top - 12) {
        this.#reveal(this.box.top[at], box.bottom);
      } else {
        this.#reveal(box.top, box.bottom);
      }
    }
    this.last = { group: id, index };
    const turn = (this.turn = (this.turn ?? 0) + 1);
    for (let tries = 0; tries < 200 && !this.tiles.get(id)?.has(index); tries++) {
      this.#element(at).focus({ preventScroll: true });
      await new Promise((resolve) => setTimeout(resolve, 25));
      if (turn !== this.turn) return; // another key went elsewhere meanwhile
    }
    this.#render();
    const tile = this.tiles.get(id)?.get(index);
    const stop = tile?.querySelector("[data-stop]:not(:disabled)");
    if (stop) {
      stop.focus({ preventScroll: true });
    } else if (step && index + step >= 0 && index + step < shown) {
      await this.focusTile(at, index + step, { step, scroll });
    } else if (tile) {
      tile.tabIndex = -1;
      tile.focus({ preventScroll: true });
    }
  }

  /** The file above or below, over the borders of groups. */
  async moveLine(step) {
    const from = this.current();
    if (!from) return this.focusGroup(step > 0 ? 0 : this.ids.length - 1);
    const columns = this.box.columns[from.at];
    const shown = this.#shown(from.at, columns);
    const index = from.index + step * columns;
    const last = Math.floor((shown - 1) / columns);
    const line = Math.floor(from.index / columns) + step;
    if (line >= 0 && line <= last) return this.focusTile(from.at, index, { step });
    if (this.view === "list") {
      const at = from.at + step;
      if (at < 0 || at >= this.ids.length) return undefined;
      return this.focusTile(at, step > 0 ? 0 : this.#shown(at, 1) - 1, { step });
    }
    const middle = this.box.left[from.at] + (from.index % columns + 0.5) * this.box.tile[from.at];
    let at = from.at;
    while (at >= 0 && at < this.ids.length && this.box.top[at] === this.box.top[from.at]) at += step;
    if (at < 0 || at >= this.ids.length) return undefined;
    const top = this.box.top[at];
    let best = at;
    for (let each = at; each >= 0 && each < this.ids.length && this.box.top[each] === top; each += step) {
      if (middle >= this.box.left[each] && middle <= this.box.left[each] + this.box.width[each]) best = each;
    }
    const column = Math.floor((middle - this.box.left[best]) / this.box.tile[best]);
    const inLine = Math.max(0, Math.min(this.box.columns[best] - 1, column));
    const lines = Math.ceil(this.#shown(best, this.box.columns[best]) / this.box.columns[best]);
    return this.focusTile(best, step > 0 ? inLine : (lines - 1) * this.box.columns[best] + inLine, { step });
  }
}

/** The menu of a card, which gets its entries when they are first asked for. */
export function menuOf(card) {
  const menu = card.querySelector("[data-group-menu] .menu-list");
  if (menu.childElementCount) return menu;
  menu.append(document.getElementById("group-menu").content.cloneNode(true));
  for (const name of ["post", "bestShot"]) {
    for (const entry of menu.querySelectorAll("button")) {
      if (name in entry.dataset) entry.dataset[name] = entry.dataset[name].replace("/0/", `/${card.dataset.group}/`);
    }
  }
  const compare = menu.querySelector('[data-act="compare"]');
  const link = card.querySelector('.tile [data-act="compare"]');
  if (link) compare.href = link.href;
  else compare.hidden = true;
  menu.querySelector("[data-best-shot]").hidden = !card.matches(".similar");
  return menu;
}

/** Whoever scrolls on does not wait for the pictures that were passed. */
function stopLoading(card) {
  for (const image of card.querySelectorAll("img")) {
    if (image.complete || !image.srcset) continue;
    image.dataset.srcset = image.srcset;
    image.dataset.src = image.getAttribute("src");
    image.removeAttribute("srcset");
    image.removeAttribute("src");
  }
}

function goOnLoading(card) {
  for (const image of card.querySelectorAll("img[data-srcset]")) {
    image.srcset = image.dataset.srcset;
    image.src = image.dataset.src;
    delete image.dataset.srcset;
    delete image.dataset.src;
  }
}

/** How much of the window the bars cover above and below. */
export function insets() {
  const covers = (selector) => {
    const bar = document.querySelector(selector);
    const sticky = bar && getComputedStyle(bar).position === "sticky";
    return sticky ? bar.offsetHeight : 0;
  };
  return {
    top: covers(".review-bar") + covers(".list-columns"),
    bottom: covers(".selection-dock"),
  };
}
