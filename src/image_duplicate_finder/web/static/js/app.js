/** What every page does: menus that close, messages, and errors that are told. */

import "./desktop.js";
import { toast } from "./toast.js";

/* An open menu lies above everything else, below its button or where there is more room, and
   scrolls in itself: at no size of the window does a part of it stay out of reach. */
const EDGE = 8;
const USABLE = 180;

function place(menu, { first = false } = {}) {
  const list = menu.querySelector(":scope > .menu-list");
  const summary = menu.querySelector(":scope > summary");
  let button = summary.getBoundingClientRect();
  const away = button.bottom < 0 || button.top > innerHeight;
  if (away && !first) {
    menu.open = false;
    return;
  }
  const room = () => [innerHeight - button.bottom - EDGE - 4, button.top - EDGE - 4];
  if (first && (away || Math.max(...room()) < Math.min(USABLE, list.scrollHeight)) && !stays(summary)) {
    summary.scrollIntoView({ block: "start", behavior: "instant" });
    button = summary.getBoundingClientRect();
  }
  const [below, above] = room();
  const wanted = list.scrollHeight + list.offsetHeight - list.clientHeight;
  const under = wanted <= below || below >= above;
  const height = Math.min(wanted, under ? below : above);
  const left = list.matches(".from-left") ? button.left : button.right - list.offsetWidth;
  list.style.maxHeight = `${Math.floor(under ? below : above)}px`;
  list.style.top = `${under ? button.bottom + 4 : button.top - 4 - height}px`;
  list.style.left = `${Math.max(EDGE, Math.min(left, document.documentElement.clientWidth - EDGE - list.offsetWidth))}px`;
}

/** Whether scrolling does not move it. */
function stays(element) {
  const bar = element.closest(".bar");
  return bar && getComputedStyle(bar).position === "sticky";
}

let opened = null;
const again = () => { if (opened?.isConnected) place(opened); };
const resized = new ResizeObserver(again);

document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!menu.matches?.("details[data-menu]")) return;
  const list = menu.querySelector(":scope > .menu-list");
  if (!list.showPopover) return;
  resized.disconnect();
  if (menu.open && menu.isConnected) {
    opened = menu;
    list.popover = "manual";
    list.showPopover();
    place(menu, { first: true });
    resized.observe(list);
  } else {
    if (opened === menu) opened = null;
    list.popover = null;
    list.removeAttribute("style");
  }
}, true);
addEventListener("resize", again);
addEventListener("scroll", again, { passive: true });

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

/* What went wrong is in view when the page comes back, and is what a screen reader reads first. */
const problem = document.querySelector("main [role=alert]");
if (problem) {
  problem.tabIndex = -1;
  problem.scrollIntoView({ block: "nearest" });
  problem.focus({ preventScroll: true });
}

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
