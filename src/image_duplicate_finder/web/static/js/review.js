/** The review page: selection by click and shift-click, keyboard, and focus after changes. */

import { installKeys } from "./review_keys.js";
import { installSelection } from "./review_selection.js";

const results = document.getElementById("results");

/* Filters stay open where there is room beside the list. */
const fold = document.querySelector("[data-wide-open]");
const wide = matchMedia("(min-width: 1001px)");
const openWhereWide = () => { fold.open = wide.matches; };
openWhereWide();
wide.addEventListener("change", openWhereWide);

installSelection(results);
installKeys(results);

/* Forms need not send what says nothing, so that the address stays short. */
document.getElementById("filters").addEventListener("htmx:configRequest", (event) => {
  const values = event.detail.parameters;
  for (const name of Object.keys(values)) {
    if (values[name] === "") delete values[name];
  }
});

/* In a card that was replaced the focus stays on its file; a group that is gone hands it on. */
let place = null;
document.addEventListener("htmx:beforeSwap", (event) => {
  const card = event.detail.target;
  if (!card.matches(".group")) return;
  place = {
    card: card.id,
    file: card.contains(document.activeElement)
      ? document.activeElement.closest(".tile")?.dataset.file
      : undefined,
    before: card.previousElementSibling?.id,
  };
});
document.addEventListener("htmx:afterSwap", () => {
  if (!place) return;
  const following = place.before
    ? document.getElementById(place.before)?.nextElementSibling ?? document.getElementById(place.before)
    : results.querySelector(".group");
  const card = document.getElementById(place.card) ?? following;
  const stop = card?.querySelector(`.tile[data-file="${place.file}"] [data-stop]`);
  place = null;
  (stop ?? card)?.focus({ preventScroll: true });
});

/* A slider says its value while it moves. */
document.addEventListener("input", (event) => {
  if (!event.target.matches('input[type="range"]')) return;
  const output = document.querySelector(`output[for="${event.target.id}"]`);
  if (!output) return;
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  output.textContent = Number(event.target.value).toLocaleString(document.documentElement.lang, digits);
});

/* A picture that cannot be shown. */
document.addEventListener("error", (event) => {
  if (event.target.matches?.(".tile-image")) event.target.classList.add("missing");
}, true);

/* A scan that ended changes all of the page, but not under a dialog that someone reads. */
document.addEventListener("scan-ended", () => {
  const dialog = document.querySelector("dialog[open]");
  if (dialog) dialog.addEventListener("close", () => location.reload(), { once: true });
  else location.reload();
});

/* Groups changed behind the page: by a rule or by another tab. */
async function showAnew() {
  const file = document.activeElement.closest?.(".tile")?.dataset.file;
  await htmx.ajax("GET", location.href, { target: "#results", source: results });
  results.querySelector(`.tile[data-file="${file}"] [data-stop]`)?.focus({ preventScroll: true });
}
document.addEventListener("groups-changed", showAnew);
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 404 && event.detail.elt !== results) showAnew();
});
