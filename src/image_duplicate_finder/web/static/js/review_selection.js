/** Which files are selected for removal: the boxes on the tiles, told to the server in order. */

let last = null;
let queue = Promise.resolve();

/** Select or unselect boxes, here and on the server. */
export function choose(results, boxes, selected) {
  const changed = boxes.filter((box) => !box.disabled);
  if (!changed.length) return;
  for (const box of changed) box.checked = selected;
  const members = changed.map((box) => box.value).join(" ");
  const send = () => htmx.ajax("POST", results.dataset.selectUrl, {
    target: "#selection",
    swap: "outerHTML",
    values: { members, selected: selected ? "1" : "0" },
  });
  queue = queue.then(send, send);
}

/** The boxes from one to another, in the order of the page. */
function between(results, first, second) {
  const boxes = [...results.querySelectorAll(".pick")];
  const [from, to] = [boxes.indexOf(first), boxes.indexOf(second)].sort((a, b) => a - b);
  return from < 0 ? [second] : boxes.slice(from, to + 1);
}

/** Give a box a state; with ``extend`` everything from the last one to it gets that state too. */
function set(results, box, selected, extend) {
  const boxes = extend && last?.isConnected ? between(results, last, box) : [box];
  choose(results, boxes, selected);
  last = box;
}

/** Toggle a box, or with ``extend`` everything from the last one to it. */
export function toggle(results, box, extend) {
  if (!box.disabled) set(results, box, !box.checked, extend);
}

export function installSelection(results) {
  let shift = false;
  results.addEventListener("click", (event) => {
    const picture = event.target.closest("label.tile-picture");
    if (!picture) return;
    const box = picture.querySelector(".pick");
    if (event.target === box) {
      shift = event.shiftKey; // the change event that follows does not know it
      return;
    }
    // Not every browser lets a label pass on a click with a key held down.
    event.preventDefault();
    box.focus({ preventScroll: true });
    toggle(results, box, event.shiftKey);
  });
  results.addEventListener("change", (event) => {
    if (!event.target.matches(".pick")) return;
    set(results, event.target, event.target.checked, shift);
    shift = false;
  });
  results.addEventListener("mousedown", (event) => {
    // Shift-click would mark text.
    if (event.shiftKey && event.target.closest(".tile-picture")) event.preventDefault();
  });
}
