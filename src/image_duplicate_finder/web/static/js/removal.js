/** The confirmation: another way of removing shows at once what it would do. */

const form = document.getElementById("choice");

form.addEventListener("change", () => {
  // Until the page is back with the new figures, the old ones must not be confirmed.
  document.getElementById("remove-button")?.setAttribute("disabled", "");
  form.requestSubmit();
});
