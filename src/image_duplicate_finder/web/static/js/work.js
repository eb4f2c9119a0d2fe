/** Progress of running work: asks for it again and again. */

const PAUSE = 400;
const PAUSE_AFTER_FAILURE = 3000;

const page = document.getElementById("work");
const bar = page.querySelector("progress");
const announcer = page.querySelector("[data-announce]");
let stage = "";

function show(now) {
  for (const [name, text] of Object.entries(now.fields)) {
    const place = page.querySelector(`[data-field="${name}"]`);
    if (place && place.textContent !== text) place.textContent = text;
  }
  if (bar) {
    if (now.share === null) bar.removeAttribute("value");
    else bar.value = now.share;
  }
  for (const [name, state] of Object.entries(now.stages)) {
    const mark = page.querySelector(`[data-stage="${name}"]`);
    if (!mark) continue;
    mark.dataset.stageState = state;
    if (state === "now") mark.setAttribute("aria-current", "step");
    else mark.removeAttribute("aria-current");
  }
  if (now.fields.stage !== stage) {
    // Only a new stage is spoken; figures that change all the time would never end.
    stage = now.fields.stage;
    announcer.textContent = stage || now.fields.title;
  }
  const title = [now.fields.percent, now.fields.title, "ImageDuplicateFinder"];
  document.title = title.filter(Boolean).join(" · ");
  const stopping = now.state === "stopping";
  for (const button of page.querySelectorAll("[data-stop]")) button.disabled = stopping;
  if (now.ended) finish(now);
}

function finish(now) {
  for (const part of page.querySelectorAll("[data-while-running]")) part.hidden = true;
  for (const part of page.querySelectorAll("[data-when-ended]")) part.hidden = false;
  for (const part of page.querySelectorAll("[data-when]")) {
    part.hidden = !part.dataset.when.split(" ").includes(now.state);
  }
  const next = page.querySelector("[data-next]");
  next.hidden = !now.next;
  if (now.next) next.href = now.next;
  if (now.go_on) page.querySelector("#go-on").action = now.go_on;
  tell(now.notice);
  if (now.state === "done" && now.next) location.replace(now.next);
}

/* The notification at the end. The browser asks once, when the button is pressed. */

const notify = document.getElementById("notify");
notify.hidden = !("Notification" in window) || Notification.permission !== "default";
notify.addEventListener("click", async () => {
  await Notification.requestPermission();
  notify.hidden = true;
});

function tell(notice) {
  if (!notice || !("Notification" in window) || Notification.permission !== "granted") return;
  if (!document.hasFocus()) new Notification("ImageDuplicateFinder", { body: notice, tag: "work" });
}

/* Asking again and again */

const clock = new Worker(page.dataset.clock);
clock.addEventListener("message", ask);

function ask() {
  fetch(page.dataset.now)
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
    .then((now) => {
      show(now);
      if (!now.ended) clock.postMessage(PAUSE);
    })
    .catch((status) => {
      if (status === 404 || status === 401) location.reload();
      else clock.postMessage(PAUSE_AFTER_FAILURE);
    });
}

if (!["done", "stopped", "failed"].includes(page.dataset.state)) ask();
