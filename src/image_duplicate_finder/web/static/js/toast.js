/** Say for a moment what has happened; screen readers hear it too. */
export function toast(message, { seconds = 5, action = null } = {}) {
  const place = document.getElementById("toasts");
  // One thing at a time: what can be undone is always the last thing that was said.
  for (const earlier of place.querySelectorAll(".toast:has(button)")) earlier.remove();
  const line = document.createElement("div");
  line.className = "toast";
  const words = document.createElement("span");
  words.textContent = message;
  line.append(words);
  let timer = 0;
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "toast-action";
    button.textContent = action.words;
    button.addEventListener("click", () => {
      line.remove();
      action.run();
    });
    line.append(button);
  }
  const leave = () => { timer = setTimeout(() => line.remove(), seconds * 1000); };
  // It stays while someone reads or reaches for its button.
  for (const come of ["pointerenter", "focusin"]) line.addEventListener(come, () => clearTimeout(timer));
  for (const go of ["pointerleave", "focusout"]) line.addEventListener(go, leave);
  // Above the bar at the bottom, if the page has one.
  const bar = document.querySelector(".selection-dock, .start-row, .confirm-row, .decide-actions");
  const { top, bottom } = bar?.getBoundingClientRect() ?? { top: innerHeight, bottom: 0 };
  // In a low window it is no bar but the end of the page, which may be far below.
  const covered = bottom >= innerHeight - 1 ? Math.max(0, innerHeight - top) : 0;
  place.style.bottom = `${Math.min(covered, innerHeight / 2) + 16}px`;
  place.append(line);
  leave();
}
