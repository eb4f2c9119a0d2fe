/** Decide mode: pair after pair by single keys, the next one at hand before it is asked for. */

import { isUndo, keyName } from "./keys.js";
import { complain, getJson, Refused } from "./server.js";
import { Panes, preload } from "./panes.js";
import { toast } from "./toast.js";

const AHEAD = 3;

const root = document.getElementById("decide");
const words = JSON.parse(root.dataset.words);
const base = new URL(root.dataset.url, location.href);
const outline = JSON.parse(document.getElementById("outline").textContent);
const language = document.documentElement.lang;
const undoButton = document.getElementById("undo");
const survey = document.getElementById("survey");

/* The session: for every group its number now, and the files that wait for a decision. */
const groups = outline.groups.map((id, place) => ({ id, pairs: outline.pairs[place], data: null, left: null }));
const total = groups.reduce((sum, group) => sum + group.pairs, 0);
let at = Math.max(0, outline.groups.indexOf(outline.begin));
let freed = 0;
let later = [];
let decided = 0;
const steps = [];

const panes = new Panes();
const surveyPanes = new Panes();
const pairPanes = [...root.querySelectorAll("[data-pane]")];
let surveying = false;
let people = [];
let person = -1;

function address(path) {
  return new URL(path, base);
}

/* What is at hand */

function fetchGroup(place) {
  const group = groups[place];
  if (!group) return null;
  group.loading ??= getJson(address(`groups/${group.id}`)).then((data) => {
    put(group, data);
    return group;
  });
  return group.loading;
}

function put(group, data) {
  group.id = data.id;
  group.data = data;
  const open = new Set(data.order);
  group.left = group.left ? group.left.filter((file) => open.has(file)) : [...open];
}

/** The next files of a large group come when their turn does. */
async function detail(group, count = AHEAD) {
  const missing = group.left.slice(0, count).filter((file) => !memberOf(group, file));
  if (!missing.length) return;
  const url = address(`groups/${group.id}`);
  url.searchParams.set("files", group.left.filter((file) => !memberOf(group, file)).slice(0, 30).join(","));
  const found = await getJson(url);
  group.data.members.push(...found.members);
}

async function preloadAhead() {
  for (let place = at, seen = 0; place < groups.length && seen < AHEAD; place++) {
    try {
      const group = await fetchGroup(place);
      await detail(group);
      preload(group.data.keeper.screen);
      for (const file of group.left.slice(0, AHEAD - seen)) {
        preload(memberOf(group, file).screen);
        seen += 1;
      }
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
      groups[place].left = [];
    }
  }
}

function memberOf(group, file) {
  return group.data.members.find((member) => member.file === file);
}

/* What is shown */

function size(bytes) {
  const unit = bytes >= 1e9 ? ["gigabyte", 1e9] : bytes >= 1e6 ? ["megabyte", 1e6] : ["kilobyte", 1e3];
  return (bytes / unit[1]).toLocaleString(language, { style: "unit", unit: unit[0], maximumFractionDigits: 1 });
}

function progress() {
  const before = groups.slice(0, at).reduce((sum, group) => sum + group.pairs, 0);
  const here = groups[at] ? groups[at].pairs - (groups[at].left?.length ?? groups[at].pairs) : 0;
  const place = Math.min(total, before + here + 1);
  const text = words.progress.replace("{at}", place.toLocaleString(language)).replace("{all}", total.toLocaleString(language));
  document.getElementById("progress").textContent = `${text} · ${words.free.replace("{size}", size(freed))}`;
  document.getElementById("bar").value = total ? (before + here) / total : 1;
  undoButton.disabled = steps.length === 0;
}

function field(side, name) {
  return root.querySelector(`[data-side="${side}"] [data-field="${name}"]`);
}

function describe(side, file, chips) {
  for (const name of ["name", "folder", "facts"]) field(side, name).textContent = file[name];
  for (const name of ["name", "folder"]) field(side, name).title = `${file.folder}/${file.name}`;
  field(side, "facts").title = file.facts;
  field(side, "chips").replaceChildren(...chips.map((text) => {
    const chip = document.createElement("li");
    chip.textContent = text;
    return chip;
  }));
  sayAll(side);
}

/** Chips that a narrow window cuts are in the title of their line. */
function sayAll(side) {
  const chips = field(side, "chips");
  chips.title = [...chips.children].map((chip) => chip.textContent).join(" · ");
}

let shownPair = null;

async function show() {
  while (groups[at] && groups[at].left && !groups[at].left.length) at += 1;
  const group = groups[at];
  if (!group) return end();
  if (!group.data) {
    try {
      await fetchGroup(at);
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
      group.left = [];
    }
    return show();
  }
  if (!memberOf(group, group.left[0])) await detail(group);
  root.classList.remove("ended");
  document.getElementById("summary-end").hidden = true;
  const member = memberOf(group, group.left[0]);
  shownPair = { group, member };
  const { keeper } = group.data;
  describe("left", keeper, member.left);
  describe("right", member, member.right);
  field("right", "what").textContent = member.what;
  field("right", "what").title = member.what;
  panes.show(keeper, [
    { element: pairPanes[0], file: keeper, matrix: [[1, 0, 0], [0, 1, 0], [0, 0, 1]] },
    { element: pairPanes[1], file: member, matrix: member.matrix },
  ]);
  root.dataset.pair = `${group.id}:${member.file}`;
  if (surveying) showSurvey();
  progress();
  preloadAhead().catch(complain);
  lookForRegions(member).catch(() => {});
  return undefined;
}

/** Where the two differ is measured while someone already looks. */
async function lookForRegions(member) {
  if (!member.matrix) return;
  await new Promise((resolve) => setTimeout(resolve, 600));
  if (shownPair?.member !== member) return;
  member.found ??= await getJson(member.regions);
  if (shownPair?.member !== member) return;
  const line = document.createElement("li");
  const { regions, spread } = member.found;
  if (regions.length) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = regions.length === 1 ? words.differs1 : words.differs.replace("{num}", regions.length.toLocaleString(language));
    button.addEventListener("click", () => panes.jump());
    line.append(button);
    panes.mark(regions);
  } else {
    line.className = spread ? "differing" : "";
    line.textContent = spread ? words.spread : words.equal;
  }
  field("right", "chips").prepend(line);
  sayAll("right");
}

async function end() {
  shownPair = null;
  root.classList.add("ended");
  const box = document.getElementById("summary-end");
  box.hidden = false;
  survey.hidden = true;
  progress();
  document.getElementById("progress").textContent = "";
  document.getElementById("bar").value = 1;
  await saving;
  const found = await getJson(address("summary"));
  const figures = { decided: decided.toLocaleString(language), later: later.length.toLocaleString(language), files: found.files, bytes: found.bytes };
  for (const [name, text] of Object.entries(figures)) box.querySelector(`[data-end="${name}"]`).textContent = text;
  document.getElementById("again").hidden = !later.length;
  box.focus({ preventScroll: true }); // somebody may have scrolled meanwhile
}

/* Decisions: the next pair is shown at once, the server follows in order. */

let saving = Promise.resolve();
let failed = false;

async function postJson(url, values) {
  const answer = await fetch(url, {
    method: "POST",
    body: new URLSearchParams(values),
    headers: { "HX-Request": "true" },
  });
  if (answer.ok) return answer.json();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  throw new Refused(answer.status, page.body.textContent.trim());
}

function decide(choice) {
  if (!shownPair) return;
  const { group, member } = shownPair;
  if (choice === "left" && !member.removable) {
    toast(words.locked);
    return;
  }
  const goes = choice === "left" ? member.bytes : choice === "right" && group.data.keeper.removable ? group.data.keeper.bytes : 0;
  shownPair = null; // nothing is decided about a pair that is not to be seen yet
  steps.push({ at, group, left: [...group.left], choice, file: member.file, goes });
  group.left = group.left.filter((file) => file !== member.file);
  freed += goes;
  if (choice === "later") {
    later.push({ group, file: member.file });
    show().catch(complain);
    return;
  }
  decided += 1;
  const step = steps.at(-1);
  const send = async () => {
    const answer = await postJson(address(`groups/${group.id}/${member.file}`), { choice });
    step.decision = answer.decision;
    if (answer.group) put(group, answer.group);
    if (answer.warning) toast(answer.warning, { seconds: 8 });
    if (answer.gone) group.left = [];
    group.loading = Promise.resolve(group);
  };
  saving = saving.then(send).catch(async (error) => {
    failed = true;
    complain(error);
    await reload(group);
  });
  // Beside another kept file the others of the group are something else: their words are asked for.
  const wait = choice === "right" && group.left.length ? saving : Promise.resolve();
  wait.then(show).catch(complain);
}

async function reload(group) {
  group.loading = null;
  group.data = null;
  const step = steps.pop();
  if (step) {
    at = step.at;
    freed -= step.goes;
    decided -= 1;
    group.left = step.left;
  }
  await fetchGroup(groups.indexOf(group)).catch(() => { group.left = []; });
  failed = false;
  await show();
}

async function undo() {
  const step = steps.pop();
  if (!step) return;
  await saving;
  if (failed) return;
  if (step.choice === "later") {
    later = later.filter((each) => each.file !== step.file);
  } else {
    decided -= 1;
    if (step.decision !== undefined) {
      const answer = await postJson(address("undo"), {});
      const back = answer.groups.find((data) => data.keeper.file === step.file || data.order.includes(step.file));
      if (back) step.group.data = back;
      if (back) step.group.id = back.id;
      toast(`${words.undone}: ${answer.toast}`);
    }
  }
  step.group.left = step.left;
  freed -= step.goes;
  at = step.at;
  await show();
}

/* Survey: all files of the group, zoomed together */

function showSurvey() {
  const { group } = shownPair;
  const files = [{ ...group.data.keeper, kept: true }, ...group.data.members.filter((member) => !member.gone)];
  const across = Math.ceil(Math.sqrt(files.length * 1.2));
  survey.style.setProperty("--across", String(Math.min(files.length, Math.max(2, across))));
  survey.hidden = false;
  const items = files.map((file) => {
    const item = document.createElement("li");
    item.className = "survey-item";
    item.dataset.file = file.file;
    const pane = document.createElement("div");
    pane.className = "picture-pane";
    const line = document.createElement(file.kept ? "p" : "label");
    if (file.kept) item.dataset.kept = "";
    else {
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = file.selected;
      box.disabled = !file.removable;
      box.addEventListener("change", () => select(group, file, box.checked));
      line.append(box);
    }
    const name = document.createElement("span");
    name.textContent = `${file.kept ? "✓ " : ""}${file.name}`;
    name.title = `${file.folder}/${file.name}`;
    const sharp = document.createElement("span");
    sharp.className = "soft";
    sharp.dataset.sharp = file.file;
    line.append(name, sharp);
    item.append(pane, line);
    return { item, pane, file };
  });
  survey.replaceChildren(...items.map(({ item }) => item));
  const straight = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  surveyPanes.panes = [];
  surveyPanes.show(group.data.keeper, items.map(({ pane, file }) => ({ element: pane, file, matrix: file.kept ? straight : file.matrix })));
  survey.querySelector("input")?.focus();
  measure(group).catch(() => {});
}

/** How sharp the files are, and then the faces in them: nobody waits for either. */
async function measure(group) {
  people = [];
  const sharp = await getJson(address(`groups/${group.id}/sharpness`));
  if (!surveying || shownPair?.group !== group) return;
  for (const [file, { words: share }] of Object.entries(sharp)) {
    const place = survey.querySelector(`[data-sharp="${file}"]`);
    if (place) place.textContent = words.sharp.replace("{share}", share);
  }
  const found = await getJson(address(`groups/${group.id}/faces`));
  if (!surveying || shownPair?.group !== group || !found.squares.length) return;
  people = found.squares;
  person = -1;
  for (const [file, url] of Object.entries(found.strips)) {
    const item = survey.querySelector(`[data-file="${file}"]`);
    if (!item) continue;
    const strip = document.createElement("div");
    strip.className = "faces";
    strip.style.setProperty("--people", String(people.length));
    const image = new Image();
    image.src = url;
    image.alt = words.faces;
    strip.title = words.facesKey;
    strip.addEventListener("click", (event) => {
      const box = strip.getBoundingClientRect();
      toPerson(Math.floor(((event.clientX - box.left) / box.width) * people.length));
    });
    strip.append(image);
    item.append(strip);
  }
  requestAnimationFrame(() => surveyPanes.draw());
}

function toPerson(number) {
  if (!people.length) return;
  person = (number + people.length) % people.length;
  surveyPanes.goTo(people[person], 0.9);
}

function select(group, file, selected) {
  file.selected = selected;
  steps.push({ at, group, left: [...group.left], choice: "select", file: file.file, goes: selected ? file.bytes : -file.bytes, decision: null });
  freed += selected ? file.bytes : -file.bytes;
  decided += 1;
  group.left = group.left.filter((each) => each !== file.file);
  saving = saving
    .then(() => postJson(address(`groups/${group.id}/${file.file}`), { choice: selected ? "left" : "both" }))
    .catch(complain);
  progress();
}

function setSurvey(on) {
  if (!shownPair) return;
  surveying = on;
  root.classList.toggle("surveying", on);
  document.getElementById("survey-toggle").setAttribute("aria-pressed", String(on));
  survey.hidden = !on;
  if (on) showSurvey();
  else show().catch(complain);
}

function nextGroup() {
  if (!shownPair) return;
  const { group } = shownPair;
  for (const file of group.left) steps.push({ at, group, left: [...group.left], choice: "later", file, goes: 0 });
  group.left = [];
  show().catch(complain);
}

/* Keys */

const active = () => (surveying ? surveyPanes : panes);
const keys = {
  ArrowLeft: () => decide("left"),
  ArrowRight: () => decide("right"),
  ArrowUp: () => decide("both"),
  ArrowDown: () => (surveying ? nextGroup() : decide("later")),
  n: () => decide("not_duplicates"),
  " ": () => panes.flip(),
  d: () => panes.jump(),
  z: () => active().pixels(),
  f: () => active().fit(),
  "+": () => active().zoom(1.5),
  "=": () => active().zoom(1.5),
  "-": () => active().zoom(1 / 1.5),
  e: () => { if (surveying) toPerson(person + 1); },
  v: () => setSurvey(!surveying),
  u: () => undo().catch(complain),
  Enter: () => { if (shownPair) location.href = shownPair.member.compare; },
  Escape: () => (surveying ? setSurvey(false) : document.getElementById("leave").click()),
  "?": () => document.getElementById("shortcuts").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.target.closest("dialog[open]") || event.defaultPrevented) return;
  if (isUndo(event)) {
    event.preventDefault();
    undo().catch(complain);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (surveying && /^Arrow(Left|Right|Up)$/.test(event.key)) {
    const boxes = [...survey.querySelectorAll("input:not(:disabled)")];
    const step = event.key === "ArrowLeft" ? -1 : 1;
    boxes[(boxes.indexOf(document.activeElement) + step + boxes.length) % boxes.length]?.focus();
    event.preventDefault();
    return;
  }
  if (event.target.closest("a, button, input") && (event.key === "Enter" || event.key === " ")) return;
  const action = keys[keyName(event)];
  if (!action) return;
  event.preventDefault();
  action();
});

root.addEventListener("click", (event) => {
  const button = event.target.closest("[data-choice]");
  if (button) {
    decide(button.dataset.choice);
    button.blur(); // Space swaps the pictures again
  }
  if (event.target.closest("#next-group")) nextGroup();
  if (event.target.closest("#undo")) undo().catch(complain);
  if (event.target.closest("#survey-toggle")) setSurvey(!surveying);
  if (event.target.closest("#again")) {
    for (const { group, file } of later) group.left = [...(group.left ?? []), file];
    later = [];
    at = 0;
    show().catch(complain);
  }
});

new ResizeObserver(() => active().panes.length && active().draw()).observe(root);
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
show().catch(complain);
