// The console's pages: choices of the reader, refreshing in place, live events, acts.
import { morph } from "./morph.js";
import { drawAll, forget } from "./chart.js";
import { act } from "./acts.js";
import { ago, cookie, say, words } from "./page.js";
import { chime, follow } from "./live.js";

const main = document.getElementById("main");
const root = document.documentElement;

// --- choices ---------------------------------------------------------------------------------

function press(group, attribute, chosen) {
  for (const each of document.querySelectorAll(`[${attribute}]`)) {
    each.setAttribute("aria-pressed", String(each.getAttribute(attribute) === chosen));
  }
}

const device = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
for (const each of document.querySelectorAll('[data-zone-to="device"]')) {
  each.textContent = device;
  each.hidden = false;
}
press(null, "data-zone-to", cookie("monitor-zone") ? "device" : "");
press(null, "data-sound-to", localStorage.getItem("monitor-sound") || "off");
press(null, "data-pop-to", localStorage.getItem("monitor-pop") || "own");

function choose(target) {
  const theme = target.closest("[data-theme-to]");
  if (theme) {
    const to = theme.getAttribute("data-theme-to");
    cookie("monitor-theme", to);
    root.dataset.theme = to;
    press(null, "data-theme-to", to);
    drawAll(true);
    return true;
  }
  const zone = target.closest("[data-zone-to]");
  if (zone) {
    cookie("monitor-zone", zone.getAttribute("data-zone-to") ? device : "");
    location.reload();
    return true;
  }
  const sound = target.closest("[data-sound-to]");
  if (sound) {
    const to = sound.getAttribute("data-sound-to");
    localStorage.setItem("monitor-sound", to);
    press(null, "data-sound-to", to);
    if (to === "on") chime("warn");
    return true;
  }
  const pops = target.closest("[data-pop-to]");
  if (pops) {
    localStorage.setItem("monitor-pop", pops.getAttribute("data-pop-to"));
    press(null, "data-pop-to", pops.getAttribute("data-pop-to"));
    return true;
  }
  return false;
}

// --- refreshing in place ---------------------------------------------------------------------

let asked = null;
let last = 0;
let due = null;

/**
 * Fetch this page's middle anew and put it in place; one question at a time. `why`: "asked" by
 * somebody, or a "refresh", by which no session lives on.
 */
export async function refresh(address = location.href, why = "refresh") {
  if (asked) asked.abort();
  const mine = (asked = new AbortController());
  last = Date.now();
  let answer, told;
  try {
    answer = await fetch(address, { headers: { "X-Fragment": why }, signal: mine.signal });
    told = await answer.text();
  } catch {
    return mine !== asked; // another one is under way; or the next event tries again
  }
  if (answer.status === 401 || answer.redirected) {
    location.reload(); // signed out meanwhile
    return false;
  }
  if (!answer.ok && answer.status !== 503) return false;
  const made = document.createElement("main");
  made.innerHTML = told;
  if (mine !== asked) return true; // another one is under way
  const rows = rowsOf(document.activeElement);
  morph(main, made);
  goOn(rows);
  drawAll();
  return true;
}

/** The row that an element is in, and the one after it. */
function rowsOf(element) {
  const row = element?.closest("#main li[id], #main tr[id]");
  return row ? [row, row.nextElementSibling] : [];
}

/** What had the focus is gone with what was done: go on in its row, or in the next one. */
function goOn(rows) {
  if (!rows.length || document.activeElement !== document.body) return;
  const row = rows.find((each) => each?.isConnected);
  (row?.querySelector("button:not(:disabled)") || row?.querySelector(".button") || main).focus();
}

/** Refresh soon, at most once in `least` ms; a page that nobody sees waits until it is seen. */
function refreshSoon(least = 1000) {
  if (due) return;
  if (document.hidden) {
    due = -1;
    return;
  }
  due = setTimeout(() => {
    due = null;
    refresh();
  }, Math.max(60, last + least - Date.now()));
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && due === -1) {
    due = null;
    refreshSoon();
  }
});

async function go(address, replace = false) {
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  if (!(await refresh(address, "asked"))) location.assign(address);
}
addEventListener("popstate", () => refresh(location.href, "asked"));

// --- what people do --------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const target = event.target;
  if (!(target instanceof Element)) return;
  if (choose(target)) return;
  const menu = document.getElementById("menu");
  if (menu.open && !menu.contains(target)) menu.open = false;
  const soft = target.closest("a[data-soft]");
  if (soft && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    go(soft.href);
    return;
  }
  const load = target.closest("[data-load-records]");
  if (load) {
    records(load);
    return;
  }
  if (target.closest("[data-dismiss]")) {
    target.closest(".toast").remove();
    return;
  }
  const button = target.closest("button[data-act], button[data-number-act]");
  if (button && !button.closest("form[data-act]")?.matches("[data-act]") || (button && button.type === "button")) {
    event.preventDefault();
    const rows = rowsOf(button);
    act(button, {}).then((done) => done && after(button, rows));
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("form[data-act]")) {
    event.preventDefault();
    act(form, Object.fromEntries(new FormData(form))).then((done) => {
      if (!done) return;
      form.reset();
      after(form);
    });
  } else if (form.matches("form[data-soft]")) {
    event.preventDefault();
    const query = new URLSearchParams(new FormData(form));
    for (const [name, value] of [...query]) if (!value) query.delete(name);
    go(`${form.action.split("?")[0]}?${query}`);
  }
});

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-auto]");
  if (form) form.requestSubmit();
});

let typing = null;
document.addEventListener("input", (event) => {
  if (event.target.type !== "search") return;
  clearTimeout(typing);
  typing = setTimeout(() => {
    const address = new URL(location.href);
    if (event.target.value) address.searchParams.set("q", event.target.value);
    else address.searchParams.delete("q");
    address.searchParams.delete("page");
    go(address.href, true);
  }, 250);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    document.getElementById("menu").open = false;
    document.querySelector(".toast:last-child")?.remove();
  } else if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.nodeName)) {
    const search = document.getElementById("q");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});

function after(element, rows = []) {
  element.closest(".toast")?.remove();
  // A browser takes the focus from a button that is disabled while it waits.
  if (element.isConnected && document.activeElement === document.body) element.focus();
  goOn(rows);
  refreshSoon(0);
}

async function records(button) {
  const box = document.getElementById("records");
  const more = button.getAttribute("data-load-records");
  button.disabled = true;
  say(words["js.loading"]);
  button.textContent = words["js.loading"];
  try {
    const answer = await fetch(box.dataset.records + (more ? `?${more}` : ""));
    box.innerHTML = await answer.text();
    box.querySelector("p")?.scrollIntoView({ block: "nearest" });
    say(box.querySelector("p")?.textContent || "");
  } catch (error) {
    button.disabled = false;
    say(words["js.failed"].replace("{why}", String(error.message)), true);
  }
}

// --- time and live events --------------------------------------------------------------------

setInterval(() => {
  for (const each of document.querySelectorAll("time[data-ago]")) {
    const text = ago(each.dateTime);
    if (each.textContent !== text) each.textContent = text;
  }
  for (const each of document.querySelectorAll("[data-left]")) {
    const text = countdown(each.dataset.left);
    if (text && each.textContent !== text) each.textContent = text;
  }
}, 1000);

function countdown(until) {
  const left = Math.floor((Date.parse(until) - Date.now()) / 1000);
  if (left < 0) return "0:00";
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor(left / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

follow((kind) => {
  if (kind === "reset" || main.dataset.refresh.split(" ").includes(kind)) {
    refreshSoon(kind === "board" ? 4000 : 700);
  }
});
addEventListener("pagehide", forget);
drawAll();

// A message's button leads to what is to be done; a reload does not lead there again.
const came = new URL(location.href);
if (came.searchParams.get("do") === "acknowledge") {
  const form = document.getElementById("acknowledge");
  const there = form?.querySelector("button") || document.getElementById("people-h");
  there?.scrollIntoView({ block: "center" });
  there?.focus({ preventScroll: true });
  came.searchParams.delete("do");
  history.replaceState(null, "", came.href);
}
