// Keeps the pages of the CI server up to date while they are looked at. Without it, they show what was
// when they were loaded.
"use strict";

const { page, run, job, lines } = document.body.dataset;

// Takes the part of the page that changes from a fresh copy of it, at most a few times a second.
let refreshing = false, again = false;
async function refresh() {
  if (refreshing) { again = true; return; }
  refreshing = true;
  do {
    again = false;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (answer && answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
      const open = [...document.querySelectorAll("details")].map(it => it.open);
      document.getElementById("live").replaceWith(fresh);
      document.querySelectorAll("details").forEach((it, index) => { if (index in open) it.open = open[index]; });
      prepare();
    }
    await new Promise(done => setTimeout(done, 300));
  } while (again);
  refreshing = false;
}

// What needs JavaScript is shown only where there is some.
function prepare() {
  document.querySelectorAll("[data-post]").forEach(it => { it.hidden = false; });
  document.querySelectorAll(".actions").forEach(it => { it.hidden = false; });
}

function follow(url, types, act) {
  const source = new EventSource(url);
  types.forEach(type => source.addEventListener(type, event => act(event, source)));
}

function followRuns() {
  follow("/api/v1/events", ["changed"], refresh);
}

function followRun() {
  const types = ["run_started", "job_ready", "job_held", "job_approved", "job_waiting", "job_started",
    "job_prepared", "step_started", "step_finished", "job_retrying", "job_finished", "test_results", "coverage",
    "coverage_judged", "metrics", "metrics_judged", "findings", "findings_judged"];
  follow(`/api/v1/runs/${run}/events`, types, refresh);
  follow(`/api/v1/runs/${run}/events`, ["run_finished"], (_, source) => { source.close(); refresh(); });
}

// What a terminal would take for orders.
const ESCAPES = /\x1b(?:\[[0-?]*[ -\/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00-\x08\x0b-\x1f]/g;

// Where the lines of a step stand: each step can be folded.
function stepOf(log, step) {
  const last = log.querySelector("details:last-of-type");
  if (last && last.dataset.step === String(step)) return last.querySelector("pre");
  const part = document.createElement("details");
  part.open = true;
  part.dataset.step = step;
  const title = document.createElement("summary");
  title.textContent = `step ${step + 1}`;
  part.append(title, document.createElement("pre"));
  log.append(part);
  return part.querySelector("pre");
}

// The names of the steps and how they ended, which the lines do not tell.
async function nameSteps() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelectorAll("#log details").forEach(part => {
    const title = fresh.querySelector(`#log details[data-step="${part.dataset.step}"] summary`);
    if (title) part.querySelector("summary").replaceWith(title);
  });
}

function followLog() {
  const log = document.getElementById("log");
  const url = `/api/v1/runs/${run}/jobs/${encodeURIComponent(job)}/log/live?skip=${lines}`;
  const source = new EventSource(url);
  log.scrollTop = log.scrollHeight;
  source.addEventListener("line", event => {
    const { step, stream, text } = JSON.parse(event.data);
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 5;
    const span = document.createElement("span");
    span.className = `of-${stream}`;
    span.textContent = text.replace(ESCAPES, "");
    stepOf(log, step).append(span, "\n");
    document.getElementById("empty")?.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  });
  source.addEventListener("attempt", () => log.replaceChildren());
  source.addEventListener("end", event => {
    source.close();
    const { status } = JSON.parse(event.data);
    const shown = document.getElementById("status");
    shown.className = `status is-${status}`;
    shown.textContent = status;
    nameSteps();
  });
}

// Marks the lines that hold what is looked for, also those that come while it is, and goes to the next
// with the Enter key.
function searchLog() {
  const field = document.getElementById("query");
  const told = document.getElementById("found");
  document.getElementById("search").hidden = false;
  let at = -1;
  const mark = () => {
    const wanted = field.value.toLowerCase();
    let hits = 0;
    document.querySelectorAll("#log pre > span").forEach(line => {
      const hit = wanted !== "" && line.textContent.toLowerCase().includes(wanted);
      line.classList.toggle("hit", hit);
      if (hit) { hits += 1; line.closest("details").open = true; }
    });
    told.textContent = wanted === "" ? "" : `${hits} line${hits === 1 ? "" : "s"}`;
  };
  field.addEventListener("input", () => { at = -1; mark(); });
  field.addEventListener("keydown", event => {
    const hits = document.querySelectorAll("#log .hit");
    if (event.key !== "Enter" || hits.length === 0) return;
    at = (at + 1) % hits.length;
    hits[at].scrollIntoView({ block: "center" });
  });
  new MutationObserver(() => { if (field.value) mark(); })
    .observe(document.getElementById("log"), { childList: true, subtree: true });
}

// Buttons that change something ask for the token once.
async function post(button) {
  let token = sessionStorage.getItem("token") || prompt("The token of the server");
  if (!token) return;
  const answer = await fetch(button.dataset.post, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: button.dataset.body || null,
  });
  const told = await answer.json();
  if (answer.status === 401) sessionStorage.removeItem("token"); else sessionStorage.setItem("token", token);
  if (!answer.ok) { alert(told.detail); return; }
  if (told.id === run) location.reload(); else location.href = `/ui/run/${told.id}`;
}

document.addEventListener("click", event => {
  const button = event.target.closest("[data-post]");
  if (button) { post(button); return; }
  const drawn = event.target.closest("#graph [data-job]");
  if (drawn) location.href = `/ui/run/${run}/log/${encodeURIComponent(drawn.dataset.job)}`;
});

prepare();
const ended = "ended" in document.body.dataset;
if (page === "runs") followRuns();
if (page === "run" && !ended) followRun();
if (page === "log") searchLog();
if (page === "log" && !ended) followLog();
