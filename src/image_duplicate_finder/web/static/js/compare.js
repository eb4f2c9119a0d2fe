/** The compare page: two zoomable pictures that move together, shown in four ways. */

import { installKeys } from "./compare_keys.js";
import { drawAhead, Stage } from "./compare_stage.js";
import { getHtml, getJson } from "./server.js";

const BLINK_MS = 700;

let mode = "side";
let stage = null;
let blinking = 0;

const find = (selector) => document.getElementById("compare").querySelector(selector);

function stopBlinking() {
  clearInterval(blinking);
  blinking = 0;
  find("#blink-run").setAttribute("aria-pressed", "false");
}

function flip() {
  const other = stage.flip();
  const words = find("#blink-words");
  words.textContent = other ? words.dataset.member : words.dataset.keeper;
}

function show(wanted) {
  const radio = find(`input[name="mode"][value="${wanted}"]`);
  mode = radio && !radio.disabled ? wanted : "side";
  find(`input[name="mode"][value="${mode}"]`).checked = true;
  document.getElementById("compare").dataset.mode = mode;
  stopBlinking();
  find(".slider-tool").hidden = mode !== "slider";
  find(".blink-tool").hidden = mode !== "blink";
  const difference = find(".difference-tool");
  if (difference) {
    difference.hidden = mode !== "difference";
    if (mode === "difference") htmx.trigger(difference, "shown");
  }
  stage.show(mode);
  if (mode === "slider") stage.slide(Number(find("#slider").value) / 100);
  if (mode === "blink") find("#blink-words").textContent = find("#blink-words").dataset.keeper;
}

/* What differs, what the other modes show, and the next pair, one after the other: none of it may
   slow the pictures that someone looks at. */
async function prepare(root, shown) {
  const here = () => shown === stage;
  await shown.loaded;
  if (root.dataset.regions && here()) {
    const { regions, spread } = await getJson(root.dataset.regions);
    if (!here()) return;
    const words = JSON.parse(root.dataset.words);
    shown.mark(regions, words.here);
    const button = find("#differs");
    button.hidden = !regions.length && !spread;
    button.disabled = spread;
    button.querySelector("span").textContent = spread ? words.spread : regions.length === 1
      ? words.differs1 : words.differs.replace("{num}", regions.length.toLocaleString(document.documentElement.lang));
  }
  await shown.layAll();
  if (!here()) return;
  const difference = find(".difference-tool");
  if (difference) htmx.trigger(difference, "shown");
  if (!root.dataset.following) return;
  const next = (await getHtml(root.dataset.following)).querySelector("#compare").dataset;
  if (here()) await drawAhead(next);
}

function start() {
  stage?.destroy();
  const root = document.getElementById("compare");
  stage = new Stage(root, (level) => {
    find("#zoom-level").textContent = level.toLocaleString(document.documentElement.lang, {
      style: "percent",
    });
  });
  const outline = find("#outline");
  if (outline) stage.outline(outline.checked);

  root.addEventListener("change", (event) => {
    if (event.target.name === "mode") show(event.target.value);
    if (event.target.id === "outline") stage.outline(event.target.checked);
    if (event.target.id === "remove") {
      htmx.ajax("POST", event.target.dataset.url, {
        target: "#selection",
        swap: "outerHTML",
        values: { members: event.target.value, selected: event.target.checked ? "1" : "0" },
      });
    }
  });
  root.addEventListener("input", (event) => {
    if (event.target.id === "slider") stage.slide(Number(event.target.value) / 100);
  });
  root.addEventListener("click", (event) => {
    const zoom = event.target.closest("[data-zoom]");
    if (zoom) stage.zoom(zoom.dataset.zoom);
    if (event.target.closest("#differs")) {
      if (mode === "blink") show("side");
      stage.jump();
    }
    if (event.target.closest("#blink-flip")) {
      stopBlinking();
      flip();
    }
    if (event.target.closest("#blink-run")) {
      if (blinking) return stopBlinking();
      blinking = setInterval(flip, BLINK_MS);
      find("#blink-run").setAttribute("aria-pressed", "true");
    }
  });
  stage.onDivider((share) => { find("#slider").value = share * 100; });
  show(mode);
  prepare(root, stage).catch(() => {});  // what is asked for is then loaded when it is
}

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id === "compare") clearInterval(blinking);
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (document.getElementById("compare") === stage?.root) return;
  start();
  if (document.activeElement === document.body) {
    document.getElementById("compare-title").focus({ preventScroll: true });
  }
});

installKeys({
  mode: show,
  zoom: (how) => stage.zoom(how),
  flip: () => { show("blink"); flip(); },
  press: (selector) => document.querySelector(`#compare ${selector}`)?.click(),
});
start();
