/** What every page does: menus that close, messages, and errors that are told. */

import "./desktop.js";
import { toast } from "./toast.js";

function closeMenus(except = null) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest("details[data-menu]"));
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details[data-menu][open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

/* Buttons that open and close the dialog they name. */
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  const closer = event.target.closest("[data-closes]");
  if (closer) closer.closest("dialog").close();
});

/* The server's own words for what could not be done. */
document.addEventListener("htmx:responseError", (event) => {
  const answer = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  toast(answer.body.textContent.trim().slice(0, 300) || event.detail.xhr.statusText, { seconds: 8 });
});

/* The theme changes at once and is remembered by the server. */
document.addEventListener("click", (event) => {
  const choice = event.target.closest("[data-theme-choice]");
  if (!choice) return;
  const theme = choice.dataset.themeChoice;
  document.documentElement.dataset.theme = theme;
  for (const each of document.querySelectorAll("[data-theme-choice]")) {
    each.setAttribute("aria-pressed", String(each === choice));
  }
  fetch(choice.closest("[data-address]").dataset.address, {
    method: "POST",
    body: new URLSearchParams({ theme }),
  });
});
