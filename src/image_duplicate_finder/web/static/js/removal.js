/** The confirmation: another way of removing shows at once what it would do. */

const form = document.getElementById("choice");
const remove = document.getElementById("remove-button");

// Enter confirms, but what is confirmed stays in view: the button does not scroll the page to itself.
remove?.focus({ preventScroll: true });

form.addEventListener("change", () => {
  // Until the page is back with the new figures, the old ones must not be confirmed.
  remove?.setAttribute("disabled", "");
  form.requestSubmit();
});
