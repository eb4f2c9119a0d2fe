/** The keyboard on the compare page; the dialog "shortcuts" shows all of it. */

import { keyName } from "./keys.js";

const TYPING = "select, textarea, dialog, input[type=range], input[type=radio], input[type=text]";

export function installKeys({ mode, zoom, flip, press }) {
  const keys = {
    1: () => mode("side"),
    2: () => mode("slider"),
    3: () => mode("blink"),
    4: () => mode("difference"),
    o: () => press("#outline"),
    b: flip,
    d: () => press("#differs"),
    f: () => zoom("fit"),
    z: () => zoom("pixels"),
    "+": () => zoom("in"),
    "=": () => zoom("in"),
    "-": () => zoom("out"),
    ArrowLeft: () => press("#previous"),
    ArrowRight: () => press("#next"),
    " ": () => press("#remove"),
    p: () => press("#keep"),
    n: () => press("#dismiss"),
    Escape: () => press("#back"),
    "?": () => document.getElementById("shortcuts").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target;
    if (target.closest("dialog")) return;
    if (target.closest(TYPING) && !/^[1-4?]$|^Escape$/.test(event.key)) return;
    // In a viewer the arrows, plus and minus are the viewer's own.
    if (target.closest(".viewer") && /^Arrow|^[-+=]$/.test(event.key)) return;
    if (event.shiftKey && event.key.startsWith("Arrow")) return;
    if (target.closest("a, button, summary, input[type=checkbox]") && event.key === " ") return;
    if (document.querySelector("details[data-menu][open]") && event.key === "Escape") return;
    const action = keys[keyName(event)];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
