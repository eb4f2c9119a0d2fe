/** The keyboard on the review page; the dialog "shortcuts" shows all of it. */

import { isUndo, keyName } from "./keys.js";
import { menuOf } from "./review_list.js";

// A dialog that has just closed still holds the focus for a moment.
const TYPING = "input:not(.pick, [type=radio], [type=range]), select, textarea, dialog[open]";
const SIZE_STEP = 10;

export function installKeys(list, { inTurn, undo, setView, resize }) {
  function cardAt() {
    const here = list.current();
    return here ? list.root.querySelector(`#group-${list.ids[here.at]}`) : null;
  }

  function moveGroup(step) {
    const here = list.current();
    if (!here) return list.focusGroup(step > 0 ? list.first() : list.ids.length - 1);
    return list.focusGroup(here.at + step);
  }

  function moveFile(step) {
    const here = list.current();
    if (!here) return moveGroup(1);
    return list.focusTile(here.at, here.index + step, { step });
  }

  function press(element) {
    element?.click();
  }

  function inCard(selector) {
    press(cardAt()?.querySelector(selector));
  }

  function inMenu(act) {
    const card = cardAt();
    if (card && !card.matches(".ghost")) press(menuOf(card).querySelector(`[data-act="${act}"]`));
  }

  function inTile(selector) {
    const tile = document.activeElement.closest?.(".tile");
    press(tile?.querySelector(selector) ?? cardAt()?.querySelector(selector));
  }

  function toggleFile(extend) {
    if (document.activeElement.matches(".pick")) list.toggle(document.activeElement, extend);
  }

  function backToList() {
    const here = list.current();
    if (here) return list.focusTile(here.at, here.index);
    return list.ids.length ? list.focusGroup(list.first()) : undefined;
  }

  function openFilters() {
    const menu = document.querySelector(".filter-menu");
    menu.open = true;
    menu.querySelector("input").focus();
  }

  const keys = {
    j: () => moveGroup(1),
    k: () => moveGroup(-1),
    ArrowRight: () => moveFile(1),
    ArrowLeft: () => moveFile(-1),
    ArrowDown: () => list.moveLine(1),
    ArrowUp: () => list.moveLine(-1),
    Home: () => list.focusGroup(0),
    End: () => list.focusGroup(list.ids.length - 1),
    " ": () => toggleFile(false),
    "Shift+ ": () => toggleFile(true),
    a: () => inMenu("all"),
    x: () => inMenu("none"),
    i: () => inMenu("invert"),
    e: () => inCard("[data-unfold]:not([hidden])"),
    Enter: () => inTile('[data-act="compare"]'),
    d: () => press(cardAt()?.querySelector('[data-act="decide"]') ?? document.getElementById("go-decide")),
    p: () => inTile('[data-act="keep"]'),
    s: () => inMenu("split"),
    n: () => inMenu("dismiss"),
    "Shift+n": () => inMenu("dismiss-all"),
    1: () => setView("list"),
    2: () => setView("grid"),
    3: () => setView("large"),
    "+": () => resize(SIZE_STEP),
    "=": () => resize(SIZE_STEP),
    "-": () => resize(-SIZE_STEP),
    "/": () => document.getElementById("search").select(),
    f: openFilters,
    b: () => press(document.querySelector('[data-opens="bulk"]')),
    r: () => press(document.getElementById("go-remove")),
    "?": () => document.getElementById("shortcuts").showModal(),
  };
  const MOVES = /^(j|k|Arrow.*|[+=-])$/; // what a key that is held down may do again

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.target.closest(TYPING)) return;
    if (isUndo(event)) {
      event.preventDefault();
      undo();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.repeat && !MOVES.test(event.key)) return;
    if (event.target.matches("[type=radio], [type=range]") && /^(Arrow.*|Home|End| )$/.test(event.key)) return;
    const pressable = event.target.closest("a, button, summary");
    if (pressable && (event.key === "Enter" || event.key === " ")) return;
    if (event.key === " " && !event.target.matches(".pick")) return; // it scrolls the page
    // Without a place in the list the arrows, Home and End scroll the page.
    if (/^(ArrowUp|ArrowDown|Home|End)$/.test(event.key) && !list.root.contains(document.activeElement)) return;
    const action = keys[keyName(event)];
    if (!action) return;
    event.preventDefault();
    inTurn(action);
  });
  // From the search field Enter leads to what was found, and Escape, once it is empty, back.
  const search = document.getElementById("search");
  search.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      search.form.requestSubmit();
      inTurn(() => (list.ids.length ? list.focusGroup(0) : undefined));
    }
    if (event.key === "Escape" && !search.value) inTurn(backToList);
  });
  // Some browsers tick a box when the key comes up, whatever was said when it went down.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.matches(".pick")) event.preventDefault();
  });
  // An attribute, because a card that is replaced loses its classes.
  list.root.addEventListener("focusin", (event) => {
    const card = event.target.closest(".group");
    for (const other of list.root.querySelectorAll(".group[aria-current]")) {
      if (other !== card) other.removeAttribute("aria-current");
    }
    card?.setAttribute("aria-current", "true");
    list.current();
  });
}
