/** Which files are selected for removal: the boxes on the tiles, told to the server in order. */

let last = null;

export function installSelection(list, { send }) {
  const results = list.root;

  function tell(boxes, selected) {
    const changed = boxes.filter((box) => !box.disabled && box.checked !== selected);
    for (const box of changed) box.checked = selected;
    if (!changed.length) return;
    list.ticked();
    send("select", { members: changed.map((box) => box.value).join(" "), selected: selected ? "1" : "0" });
  }

  /** Give a box a state; with ``extend`` everything from the last one to it gets that state too. */
  function set(box, selected, extend) {
    if (extend && last && last !== box.value) {
      box.checked = selected;
      list.ticked();
      send("select-between", { first: last, last: box.value, selected: selected ? "1" : "0" });
    } else {
      box.checked = !selected;
      tell([box], selected);
    }
    last = box.value;
  }

  list.toggle = (box, extend) => { if (!box.disabled) set(box, !box.checked, extend); };

  let shift = false;
  results.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile.member");
    if (!tile || event.target.closest("a, button, summary")) return;
    const box = tile.querySelector(".pick");
    if (event.target === box) {
      shift = event.shiftKey; // the change event that follows does not know it
      return;
    }
    const row = results.closest("[data-view]").dataset.view === "list";
    if (!row && !event.target.closest(".tile-picture")) return;
    if (getSelection()?.toString()) return; // someone marks a name to copy it
    // Not every browser lets a label pass on a click with a key held down.
    event.preventDefault();
    box.focus({ preventScroll: true });
    list.toggle(box, event.shiftKey);
  });
  results.addEventListener("dblclick", (event) => {
    const picture = event.target.closest(".tile.member .tile-picture");
    if (picture) picture.closest(".tile").querySelector('[data-act="compare"]').click();
  });
  results.addEventListener("change", (event) => {
    if (!event.target.matches(".pick")) return;
    set(event.target, event.target.checked, shift);
    shift = false;
  });
  results.addEventListener("mousedown", (event) => {
    // Shift-click would mark text.
    if (event.shiftKey && event.target.closest(".tile")) event.preventDefault();
  });
}
