/** Talking to the server: parts of the page come back as HTML and take their places. */

import { toast } from "./toast.js";

/** An answer that the server refused, with its own words. */
export class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

async function answer(url, options) {
  const headers = { "HX-Request": "true", "HX-Current-URL": location.href };
  const got = await fetch(url, { ...options, headers });
  if (got.ok) return got;
  const page = new DOMParser().parseFromString(await got.text(), "text/html");
  throw new Refused(got.status, page.body.textContent.trim().slice(0, 300) || got.statusText);
}

/** HTML from the server as a fragment. */
export async function getHtml(url, options = {}) {
  return parsed(await (await answer(url, options)).text());
}

export async function getJson(url) {
  return (await answer(url, {})).json();
}

export async function post(url, values = {}) {
  return getHtml(url, { method: "POST", body: new URLSearchParams(values) });
}

export function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** Put the parts that an answer carries in their places. */
export function putParts(fragment) {
  for (const part of fragment.querySelectorAll("[data-part]")) {
    const there = document.getElementById(part.id);
    if (there?.open) part.open = true;
    there?.replaceWith(part);
  }
}

/** Say what was decided, with the way back. */
export function say(fragment, undo) {
  const notice = fragment.querySelector("[data-toast]");
  if (!notice) return null;
  const number = notice.dataset.decision;
  toast(notice.textContent.trim(), {
    seconds: number ? 10 : 5,
    action: number ? { words: document.getElementById("undo").dataset.words, run: () => undo(number) } : null,
  });
  return notice;
}

/** Say what went wrong. */
export function complain(error) {
  if (error?.name === "AbortError") return;
  toast(error?.message ?? String(error), { seconds: 8 });
}
