/** The start page: the list of folders, the dialog that chooses one, how alike similar pictures are. */

import { toast } from "./toast.js";

const form = document.getElementById("scan-form");
const list = document.getElementById("folder-list");
const dialog = document.getElementById("folder-dialog");
const body = document.getElementById("folder-dialog-body");

/* The list of folders */

const estimateSoon = debounced(() => document.body.dispatchEvent(new Event("estimate")), 500);

function debounced(action, milliseconds) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}

function addRow(text = "") {
  const empty = [...list.querySelectorAll("[data-folder-input]")].find((each) => !each.value);
  if (text && empty) {
    empty.value = text;
    return empty.closest("[data-folder-row]");
  }
  const row = document.getElementById("folder-row").content.firstElementChild.cloneNode(true);
  list.append(row);
  row.querySelector("[data-folder-input]").value = text;
  return row;
}

document.getElementById("add-folder").addEventListener("click", () => {
  addRow().querySelector("[data-folder-input]").focus();
});

form.addEventListener("click", (event) => {
  const remove = event.target.closest("[data-remove-row]");
  const browse = event.target.closest("[data-browse]");
  const recent = event.target.closest("[data-recent]");
  if (remove) {
    remove.closest("[data-folder-row]").remove();
    document.getElementById("add-folder").focus();
    estimateSoon();
  } else if (browse) {
    openDialog(browse.closest("[data-folder-row]").querySelector("[data-folder-input]"));
  } else if (recent) {
    addRow(recent.dataset.recent).querySelector("[data-folder-input]").focus();
    estimateSoon();
  }
});

form.addEventListener("input", (event) => {
  if (event.target.name === "folder") completeSoon(event.target);
  if (["folder", "exclude", "recursive", "hidden", "role"].includes(event.target.name)) {
    estimateSoon();
  }
});

/* What was typed is judged when the field is left. */
form.addEventListener("focusout", (event) => {
  if (event.target.name === "folder" && event.target.value) estimateSoon();
});

document.getElementById("estimate").addEventListener("htmx:configRequest", (event) => {
  if (document.activeElement?.name === "folder") event.detail.parameters.typing = "1";
});

/* What is wrong is said below the folders, and is in view there. */
document.getElementById("estimate").addEventListener("htmx:afterSettle", (event) => {
  const wrong = event.currentTarget.querySelector("[data-wrong]");
  for (const input of list.querySelectorAll("[data-folder-input]")) {
    input.toggleAttribute("aria-describedby", false);
    if (wrong && input.value) input.setAttribute("aria-describedby", "estimate");
  }
  wrong?.scrollIntoView({ block: "nearest" });
});

if (list.querySelector("[data-folder-input]").value) estimateSoon();

/* Completion of paths: the browser shows the list */

const options = document.getElementById("folder-completions");
const completeSoon = debounced(complete, 120);

async function complete(input) {
  const text = input.value;
  const address = new URL(options.dataset.address, location.href);
  address.searchParams.set("text", text);
  const answer = await fetch(address);
  if (!answer.ok || input.value !== text) return;
  const found = await answer.json();
  options.replaceChildren(...found.map((path) => Object.assign(new Option(), { value: path })));
}

/* Folders dropped from the desktop: only some browsers tell where they lie */

const NO_PATH = form.dataset.noPath;

function droppedPaths(data) {
  const lines = (data.getData("text/uri-list") || data.getData("text/plain")).split(/\r?\n/);
  return lines.filter((line) => line.startsWith("file://") || /^(\/|~|[A-Za-z]:\\)/.test(line));
}

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) form.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  const found = droppedPaths(event.dataTransfer);
  for (const path of found) addRow(path.startsWith("file://") ? decoded(path) : path);
  if (found.length) estimateSoon();
  else if (event.dataTransfer.types.includes("Files")) toast(NO_PATH);
});

/* A path as people read it; one that is not UTF-8 stays an address, which the server reads. */
function decoded(address) {
  try {
    const path = decodeURIComponent(new URL(address).pathname);
    return /^\/[A-Za-z]:/.test(path) ? path.slice(1) : path;
  } catch {
    return address;
  }
}

/* The dialog */

let target = null;
let showsHidden = false;

async function open(path, focus = "list") {
  const address = new URL(body.dataset.address, location.href);
  address.searchParams.set("path", path);
  if (showsHidden) address.searchParams.set("hidden", "1");
  const answer = await fetch(address, { headers: { "HX-Request": "true" } });
  body.innerHTML = await answer.text();
  const first = body.querySelector(focus === "hidden" ? "[data-hidden]" : ".folder-item");
  (first ?? body.querySelector("[data-choose]"))?.focus();
}

function openDialog(input) {
  target = input;
  dialog.showModal();
  open(input.value);
}

body.addEventListener("click", (event) => {
  const go = event.target.closest("[data-go]");
  if (go) open(go.dataset.go);
  if (event.target.closest("[data-choose]")) {
    target.value = body.querySelector("[data-path]").dataset.path;
    dialog.close();
    estimateSoon();
  }
});

body.addEventListener("change", (event) => {
  const here = body.querySelector("[data-path]").dataset.path;
  if (event.target.matches("[data-places]") && event.target.value) open(event.target.value);
  if (event.target.matches("[data-hidden]")) {
    showsHidden = event.target.checked;
    open(here, "hidden");
  }
});

/* Arrows walk the list, Backspace goes up, a letter jumps to the next name with it. */
body.addEventListener("keydown", (event) => {
  const item = event.target.closest(".folder-item");
  if (!item) return;
  const items = [...body.querySelectorAll(".folder-item")];
  const place = items.indexOf(item);
  let next = null;
  if (event.key === "ArrowDown") next = items[place + 1];
  else if (event.key === "ArrowUp") next = items[place - 1];
  else if (event.key === "Home") next = items[0];
  else if (event.key === "End") next = items.at(-1);
  else if (event.key === "ArrowRight") item.click();
  else if (event.key === "ArrowLeft" || event.key === "Backspace") {
    body.querySelector("[data-up]")?.click();
  } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey) {
    const letter = event.key.toLowerCase();
    next = [...items.slice(place + 1), ...items].find((each) =>
      each.textContent.trim().toLowerCase().startsWith(letter),
    );
  } else return;
  if (!["Tab", "Enter"].includes(event.key)) event.preventDefault();
  next?.focus();
});

dialog.addEventListener("close", () => target?.focus());

/* How alike similar pictures may be: a preset, or the two sliders with examples beside them */

const euclidean = document.getElementById("esimilarity");
const cosine = document.getElementById("csimilarity");
const presets = [...document.querySelectorAll("#presets input[data-esimilarity]")];
const own = document.querySelector("#presets input[value=own]");
const ownThresholds = document.getElementById("own-thresholds");

function showThresholds() {
  for (const slider of [euclidean, cosine]) {
    const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
    const value = Number(slider.value).toLocaleString(document.documentElement.lang, digits);
    document.querySelector(`output[for="${slider.id}"]`).value = value;
  }
  for (const example of document.querySelectorAll("[data-distance]")) {
    const distance = Number(example.dataset.distance);
    const similarity = 1 - (distance * distance) / 2;
    const found = distance <= Number(euclidean.value) || similarity >= Number(cosine.value);
    example.dataset.found = String(found);
  }
}

for (const slider of [euclidean, cosine]) slider.addEventListener("input", showThresholds);
for (const preset of presets) {
  preset.addEventListener("change", () => {
    euclidean.value = preset.dataset.esimilarity;
    cosine.value = preset.dataset.csimilarity;
    ownThresholds.hidden = true;
    showThresholds();
  });
}
own.addEventListener("change", () => (ownThresholds.hidden = false));
showThresholds();
