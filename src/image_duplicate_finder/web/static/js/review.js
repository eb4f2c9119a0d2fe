/** The review page: the list of groups, its filters and views, and every decision about a group. */

import { installKeys } from "./review_keys.js";
import { GroupList, insets, menuOf } from "./review_list.js";
import { installSelection } from "./review_selection.js";
import { complain, getHtml, getJson, parsed, post, putParts, Refused, say } from "./server.js";

const results = document.getElementById("results");
const filters = document.getElementById("filters");
const words = JSON.parse(results.dataset.words);
const base = new URL(results.dataset.url, location.href);
const tabs = new BroadcastChannel(`idf-review-${results.dataset.scan}`);

/** An address of this scan's review with the present filter. */
function address(path) {
  const url = new URL(path, base);
  url.search = location.search;
  return url;
}

const list = new GroupList(document.getElementById("groups"), {
  cardsUrl: () => address("cards"),
  tilesUrl: (group) => address(`groups/${group}/tiles`),
  onChange: () => reload({ quietly: true }),
});
list.words = words;

/* One thing after the other: each finds the page as the one before has made it. What a key sets
   going at once belongs to its turn. */
let queue = Promise.resolve();
let belonging = null;
function inTurn(work) {
  if (belonging) {
    belonging.push(work);
    return queue;
  }
  queue = queue.then(async () => {
    const more = (belonging = []);
    let first;
    try {
      first = work();
    } finally {
      belonging = null;
    }
    await first;
    for (const each of more) await each();
  }).catch(refused);
  return queue;
}

async function refused(error) {
  complain(error);
  if (error instanceof Refused && error.status === 404) await reload({ quietly: true });
}

/* The outline of the list and the figures beside it */

function putFigures(found) {
  for (const [name, count] of Object.entries(found.counts)) {
    const place = filters.querySelector(`[data-count="${name}"]`);
    if (place) place.textContent = count;
  }
  putParts(parsed(found.parts));
  const undoButton = document.getElementById("undo");
  undoButton.disabled = !found.undo;
  document.getElementById("undo-words").textContent = found.undo ? `: ${found.undo}` : "";
}

function putStatus() {
  const count = list.ids.length;
  const text = count === 1 ? words.group : words.groups.replace("{num}", count.toLocaleString(document.documentElement.lang));
  document.getElementById("list-status").textContent = text;
}

async function putEmpty() {
  results.querySelector(".empty")?.remove();
  if (list.ids.length) return;
  const page = await getHtml(address(""));
  const empty = page.querySelector(".empty");
  if (empty) results.append(empty);
}

async function reload({ quietly = false } = {}) {
  const found = await getJson(address("outline"));
  if (quietly) list.load(found.groups, found.files);
  else {
    list.load(found.groups, found.files);
    scrollTo({ top: 0, behavior: "instant" });
    list.layout();
  }
  putFigures(found);
  putStatus();
  await putEmpty();
}

/* Figures that were asked for before a later decision are not shown any more. */
let asked = 0;

function putAnswer(answer) {
  asked += 1;
  putParts(answer);
  return say(answer, undoInTurn);
}

/** After a decision: tell the other tabs, and bring the figures beside the list up to date. */
async function changed() {
  tabs.postMessage("changed");
  const mine = (asked += 1);
  putStatus();
  try {
    const found = await getJson(address("figures"));
    if (mine === asked) putFigures(found);
  } catch (error) {
    complain(error);
  }
}

/** What other pages or tabs have changed is shown when this one is looked at again. */
async function catchUp() {
  await reload({ quietly: true });
  await list.refresh();
}
tabs.addEventListener("message", () => inTurn(catchUp));
document.addEventListener("visibilitychange", () => { if (!document.hidden) inTurn(catchUp); });
addEventListener("pageshow", (event) => { if (event.persisted) inTurn(catchUp); });

/* Decisions */

async function undo(decision = null) {
  const notice = putAnswer(await post(address("undo"), decision ? { decision } : {}));
  await catchUp();
  tabs.postMessage("changed");
  const back = (notice?.dataset.groups ?? "").split(" ").filter(Boolean).map(Number);
  const at = Math.min(...back.map((id) => list.place.get(id) ?? Infinity));
  if (Number.isFinite(at)) await list.focusGroup(at);
}
const undoInTurn = (decision) => inTurn(() => undo(decision));

/** Ask the server to change a group, and put what it became in its place. */
function change(card, url, values) {
  return inTurn(async () => {
    const id = Number(card.dataset.group);
    const at = list.place.get(id);
    const from = list.current();
    const file = from && from.at === at ? document.activeElement.closest(".tile")?.dataset.file : null;
    const held = card.contains(document.activeElement) || document.activeElement === document.body;
    const answer = await post(url, values);
    await list.released();
    const cards = [...answer.querySelectorAll(".group")];
    list.replace(id, cards);
    putAnswer(answer);
    if (held && at !== undefined) {
      const places = cards.map((each) => [...each.querySelectorAll(".tile")].findIndex((tile) => tile.dataset.file === file));
      const which = places.findIndex((place) => place >= 0);
      const to = at + Math.max(0, which);
      if (to < list.ids.length) await list.focusTile(to, which >= 0 ? places[which] : 1);
      else if (list.ids.length) await list.focusGroup(list.ids.length - 1);
    }
    changed();
    await putEmpty();
  });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-post]");
  if (button) {
    change(button.closest(".group"), button.dataset.post, JSON.parse(button.dataset.values));
    const menu = button.closest("details[data-menu]");
    if (menu?.open) {
      menu.open = false;
      menu.closest(".group")?.querySelector("[data-stop]:not(:disabled)")?.focus({ preventScroll: true });
    }
  }
  const unfold = event.target.closest("[data-unfold]");
  if (unfold) list.fold(list.place.get(Number(unfold.closest(".group").dataset.group)));
  const found = event.target.closest("[data-found]");
  if (found) selectFound(found.dataset.found);
  const shot = event.target.closest("[data-best-shot]");
  if (shot) bestShot(shot);
  if (event.target.closest("#undo")) undoInTurn();
});

document.addEventListener("toggle", (event) => {
  if (event.target.matches("[data-group-menu]") && event.target.open) menuOf(event.target.closest(".group"));
}, true);

function selectFound(how) {
  const count = list.ids.length;
  const question = words.ask.replace("{num}", count.toLocaleString(document.documentElement.lang));
  if (how !== "none" && count > 1 && !confirm(question)) return;
  list.tick((box) => (how === "invert" ? !box.checked : how === "all"));
  inTurn(async () => {
    putAnswer(await post(address("select-found"), { how }));
    await list.refresh();
    changed();
  });
}

async function bestShot(button) {
  try {
    const answer = await getHtml(button.dataset.bestShot);
    const card = button.closest(".group");
    const shot = answer.querySelector("[data-shot]");
    const file = shot?.dataset.shot;
    button.closest("details").open = false;
    say(answer, undoInTurn);
    if (file) {
      const tile = card.querySelector(`.tile[data-file="${file}"]`);
      const at = list.place.get(Number(card.dataset.group));
      if (tile) await list.focusTile(at, Number(tile.dataset.index));
    }
  } catch (error) {
    complain(error);
  }
}

/* Filters act at once and are part of the address */

function wanted() {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(filters)) if (value !== "") query.append(name, value);
  return query.toString();
}

function show(query, { push = true } = {}) {
  if (push) {
    const where = query ? `?${query}` : location.pathname;
    if (`?${query}` === location.search || (!query && !location.search)) return;
    history.pushState({ review: true }, "", where);
  }
  const links = new URL(document.getElementById("go-decide").href);
  links.search = location.search;
  document.getElementById("go-decide").href = links;
  inTurn(async () => {
    await reload();
    await list.refresh();
    putColumns();
    document.getElementById("filter-mark").hidden = !FILTERS.some((name) => new URLSearchParams(location.search).has(name));
  });
}
const FILTERS = ["kind", "relation", "q", "folder", "min", "selected", "done"];

let typing = 0;
filters.addEventListener("input", (event) => {
  if (event.target.id !== "search" && event.target.id !== "folder") return;
  clearTimeout(typing);
  typing = setTimeout(() => show(wanted()), 300);
});
filters.addEventListener("change", () => { clearTimeout(typing); show(wanted()); });
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  show(wanted());
});
document.getElementById("clear-filters").addEventListener("click", (event) => {
  event.preventDefault();
  fill(new URLSearchParams());
  show(wanted());
});

/** Let the form say what an address says. */
function fill(query) {
  for (const field of filters.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") field.checked = query.getAll(field.name).includes(field.value);
    else field.value = query.get(field.name) ?? "";
  }
}
addEventListener("popstate", () => {
  fill(new URLSearchParams(location.search));
  show(location.search.slice(1), { push: false });
});

/* Columns of the list view sort it; a second click turns the order round. */
function putColumns() {
  const query = new URLSearchParams(location.search);
  const sort = query.get("sort") ?? "";
  for (const column of document.querySelectorAll(".column")) {
    const current = column.dataset.sort === sort && !column.matches(".column-folder");
    column.toggleAttribute("aria-pressed", current);
    if (current) column.setAttribute("aria-pressed", "true");
    column.querySelector("svg")?.remove();
    if (!current) continue;
    const up = query.has("reverse") !== (sort === "path");
    column.append(parsed(document.getElementById(up ? "icon-up" : "icon-down").innerHTML));
  }
}
document.getElementById("columns").addEventListener("click", (event) => {
  const column = event.target.closest(".column");
  if (!column) return;
  const sort = document.getElementById("sort");
  const reverse = document.getElementById("reverse");
  reverse.checked = sort.value === column.dataset.sort ? !reverse.checked : false;
  sort.value = column.dataset.sort;
  show(wanted());
});

/* Views and sizes, remembered */

const views = document.getElementById("views");
const slider = document.getElementById("size");
const sizes = JSON.parse(views.dataset.sizes);
let view = views.dataset.start;
let saving = 0;

function setView(wantedView, size = null) {
  view = wantedView;
  if (size !== null) sizes[view] = Math.max(0, Math.min(100, size));
  views.querySelector(`[value="${view}"]`).checked = true;
  list.setView(view, sizes);
  slider.value = list.sizeOf(view);
  putInsets();
}

function putInsets() {
  const { top, bottom } = insets();
  document.documentElement.style.setProperty("--bar-top", `${top}px`);
  document.documentElement.style.setProperty("--bar-bottom", `${bottom}px`);
}
// The bars grow with what they say.
const bars = new ResizeObserver(putInsets);
for (const bar of document.querySelectorAll(".review-bar, .selection-dock")) bars.observe(bar);

function save() {
  clearTimeout(saving);
  saving = 0;
  const values = new URLSearchParams({ view, sizes: JSON.stringify(sizes) });
  fetch(views.dataset.address, { method: "POST", body: values, keepalive: true }).catch(complain);
}
function remember() {
  clearTimeout(saving);
  saving = setTimeout(save, 200);
}
addEventListener("pagehide", () => { if (saving) save(); });
views.addEventListener("change", (event) => { setView(event.target.value); remember(); });
slider.addEventListener("input", () => { setView(view, Number(slider.value)); remember(); });
addEventListener("resize", () => setView(view));

/* A picture that cannot be shown. */
document.addEventListener("error", (event) => {
  if (event.target.matches?.(".tile-image")) event.target.classList.add("missing");
}, true);

/* The threshold sliders say their value while they move. */
document.addEventListener("input", (event) => {
  const output = document.querySelector(`output[for="${event.target.id}"]`);
  if (!output) return;
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  output.textContent = Number(event.target.value).toLocaleString(document.documentElement.lang, digits);
});

/* A scan that ended changes all of the page, but not under a dialog that someone reads. */
document.addEventListener("scan-ended", () => {
  const dialog = document.querySelector("dialog[open]");
  if (dialog) dialog.addEventListener("close", () => location.reload(), { once: true });
  else location.reload();
});
document.addEventListener("groups-changed", () => inTurn(async () => {
  await catchUp();
  tabs.postMessage("changed");
}));

installSelection(list, {
  send: (path, values) => inTurn(async () => {
    try {
      putAnswer(await post(address(path), values));
    } finally {
      list.told();
    }
    if (path === "select-between" || list.outdated) await list.refresh();
    changed();
  }),
});
installKeys(list, {
  inTurn,
  undo: () => undoInTurn(),
  setView: (wantedView) => { setView(wantedView); remember(); },
  resize: (step) => { setView(view, list.sizeOf(view) + step); remember(); },
});

setView(view);
const opened = Number(document.getElementById("groups").dataset.at) - 1;
inTurn(async () => {
  const found = await getJson(address("outline"));
  list.load(found.groups, found.files);
  putFigures(found);
  putStatus();
  putColumns();
  const named = Number(location.hash.replace("#group-", ""));
  if (named && list.place.has(named)) await list.focusGroup(list.place.get(named));
  else if (opened > 0) await list.focusGroup(opened);
});
