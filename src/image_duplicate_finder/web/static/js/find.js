/** Find by example: dropped, pasted or chosen, the picture is shown and searched at once. */

const form = document.getElementById("find-form");
const drop = document.getElementById("drop");
const input = document.getElementById("picture");
const preview = document.getElementById("preview");

function chosen() {
  const [file] = input.files;
  document.getElementById("picture-name").textContent = file ? file.name : "";
  URL.revokeObjectURL(preview.src);
  preview.hidden = true;
  if (!file) return;
  preview.src = URL.createObjectURL(file);
  form.requestSubmit();
}

function take(files) {
  const [file] = files;
  if (!file) return;
  const list = new DataTransfer();
  list.items.add(file);
  input.files = list.files;
  chosen();
}

if (form) {
  // Formats that the browser cannot show (HEIC, RAW) are searched without a preview.
  preview.addEventListener("load", () => (preview.hidden = false));
  input.addEventListener("change", chosen);
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files);
  });
  // What was found is brought into view, and is what the keyboard goes on from.
  document.getElementById("found").addEventListener("htmx:afterSettle", (event) => {
    const found = event.currentTarget;
    const first = found.querySelector(".found-item") ?? found;
    if (first.getBoundingClientRect().bottom > innerHeight) found.scrollIntoView({ block: "start" });
    const head = found.querySelector("h2, [role=alert], .strong");
    head?.setAttribute("tabindex", "-1");
    head?.focus({ preventScroll: true });
  });
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
}
