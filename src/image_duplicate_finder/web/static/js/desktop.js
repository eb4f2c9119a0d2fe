/** Files out of the page: in the viewer, in their folder, their path for the clipboard. */

import { keyName } from "./keys.js";
import { toast } from "./toast.js";

const KEYS = { w: "open", l: "show", c: "copy" };
const TYPING = "input:not([type=checkbox], [type=radio], [type=range]), select, textarea, dialog[open]";

async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // In a network without TLS browsers leave only this way.
  const field = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

async function run(button) {
  const { desktop: what, of } = button.dataset;
  const address = `/scans/${of}/${what === "copy" ? "path" : what}`;
  const answer = await fetch(address, {
    method: what === "copy" ? "GET" : "POST",
    headers: { Accept: "application/json" },
  });
  const text = await answer.text();
  if (!answer.ok) toast(text);
  else if (what === "copy") {
    await copy(text);
    toast(button.dataset.done);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-desktop]");
  if (!button) return;
  event.preventDefault();
  run(button);
});

/* The keys are for the file that has the focus; on a page with one pair, for the one on the right. */
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.repeat) return;
  const what = KEYS[keyName(event)];
  if (!what || event.target.closest(TYPING)) return;
  const place = document.activeElement.closest("[data-file]") ?? document.querySelector("[data-file-in-view]");
  const button = place?.querySelector(`[data-desktop="${what}"]`);
  if (!button) return;
  event.preventDefault();
  run(button);
});
