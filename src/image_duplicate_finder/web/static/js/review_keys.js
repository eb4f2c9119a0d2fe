/** The keyboard on the review page; the dialog "shortcuts" shows all of it. */

import { toggle } from "./review_selection.js";

// A dialog that has just closed still holds the focus for a moment.
const TYPING = "input:not(.pick), select, textarea, dialog[open]";

function groupsOf(results) {
  return [...results.querySelectorAll(".group")];
}

function currentGroup(results) {
  return document.activeElement.closest?.(".group") ?? results.querySelector(".group[aria-current]");
}

function focusStop(stop) {
  const card = stop.closest(".group");
  stop.focus({ preventScroll: true });
  const whole = card.getBoundingClientRect().height < innerHeight * 0.7;
  (whole ? card : stop).scrollIntoView({ block: "nearest", behavior: "instant" });
}

function stopsOf(card) {
  return [...card.querySelectorAll("[data-stop]:not(:disabled)")];
}

function moveGroup(results, step) {
  const groups = groupsOf(results);
  const at = groups.indexOf(currentGroup(results));
  const card = groups[at < 0 ? (step > 0 ? 0 : groups.length - 1) : at + step];
  if (card) {
    const stops = stopsOf(card);
    focusStop(stops[Math.min(1, stops.length - 1)] ?? card);
  } else {
    movePage(results, step);
  }
}

function moveFile(results, step) {
  const card = currentGroup(results);
  if (!card) return moveGroup(results, 1);
  const stops = stopsOf(card);
  const at = stops.indexOf(document.activeElement);
  const stop = stops[Math.max(0, Math.min(stops.length - 1, at + step))];
  if (stop) focusStop(stop);
}

function movePage(results, step) {
  results.querySelector(`[data-page="${step > 0 ? "next" : "prev"}"]`)?.click();
}

function press(element) {
  if (element) element.click();
}

function inCard(results, selector) {
  press(currentGroup(results)?.querySelector(selector));
}

function inTile(results, selector) {
  const tile = document.activeElement.closest?.(".tile");
  press(tile?.querySelector(selector) ?? currentGroup(results)?.querySelector(selector));
}

function toggleFile(results, extend) {
  const box = document.activeElement;
  if (box.matches(".pick")) toggle(results, box, extend);
}

function keymap(results) {
  return {
    j: () => moveGroup(results, 1),
    k: () => moveGroup(results, -1),
    ArrowRight: () => moveFile(results, 1),
    ArrowLeft: () => moveFile(results, -1),
    " ": () => toggleFile(results, false),
    "Shift+ ": () => toggleFile(results, true),
    a: () => inCard(results, '[data-act="all"]'),
    x: () => inCard(results, '[data-act="none"]'),
    i: () => inCard(results, '[data-act="invert"]'),
    Enter: () => inTile(results, '[data-act="compare"]'),
    p: () => inTile(results, '[data-act="keep"]'),
    s: () => inCard(results, '[data-act="split"]'),
    n: () => inCard(results, '[data-act="dismiss"]'),
    "Shift+N": () => inCard(results, '[data-act="dismiss-all"]'),
    "[": () => movePage(results, -1),
    "]": () => movePage(results, 1),
    g: () => results.querySelector(".pager-input")?.select(),
    "/": () => {
      const search = document.getElementById("search");
      search.closest("details").open = true;
      search.select();
    },
    b: () => press(document.querySelector('[data-opens="bulk"]')),
    r: () => press(document.getElementById("go-remove")),
    "?": () => document.getElementById("shortcuts").showModal(),
  };
}

/** Whether the server is still at work on what an earlier key asked for. */
function busy() {
  return document.querySelector("body.htmx-request, #results.htmx-request, #results .htmx-request") !== null;
}

/**
 * Runs actions one after the other: each finds the page as the one before has made it, however
 * fast the keys are pressed.
 */
function installQueue() {
  const waiting = [];
  const goOn = () => {
    while (waiting.length && !busy()) waiting.shift()();
  };
  // A selection that waits for its turn is sent in a microtask, thus before the timer.
  document.addEventListener("htmx:afterRequest", () => setTimeout(goOn));
  return (action) => {
    waiting.push(action);
    goOn();
  };
}

export function installKeys(results) {
  const keys = keymap(results);
  const inTurn = installQueue();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest(TYPING)) return;
    if (event.repeat && !/^(j|k|Arrow.*)$/.test(event.key)) return; // a key held down only moves
    const pressable = event.target.closest("a, button, summary");
    if (pressable && (event.key === "Enter" || event.key === " ")) return;
    if (event.key === " " && !event.target.matches(".pick")) return; // it scrolls the page
    const shifted = event.shiftKey && (event.key === " " || /^[A-Z]$/.test(event.key));
    const action = keys[shifted ? `Shift+${event.key}` : event.key];
    if (!action) return;
    event.preventDefault();
    inTurn(action);
  });
  // Some browsers tick a box when the key comes up, whatever was said when it went down.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.matches(".pick")) event.preventDefault();
  });
  // An attribute, because htmx gives a card that it replaced the classes of the old one.
  results.addEventListener("focusin", (event) => {
    const card = event.target.closest(".group");
    for (const other of results.querySelectorAll(".group[aria-current]")) {
      if (other !== card) other.removeAttribute("aria-current");
    }
    card?.setAttribute("aria-current", "true");
  });
  /* After a change of page the keyboard goes on at its first group. */
  results.addEventListener("htmx:afterSettle", (event) => {
    if (event.target !== results || document.activeElement !== document.body) return;
    if (!event.detail.requestConfig.elt.matches("[data-page], .pager-form")) return;
    const stop = results.querySelector(".group [data-stop]");
    if (stop) focusStop(stop);
  });
}
