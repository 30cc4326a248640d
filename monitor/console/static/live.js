// What changes, as it does: counts, toasts, sound, and word to whoever wants to refresh.
import { note, say, words } from "./page.js";

const body = document.body;
const base = body.dataset.base;
const mine = JSON.parse(body.dataset.teams); // null: those of all teams
const TOASTS = 3;
const KEPT = 200;
const KINDS = ["alert", "alerts", "number", "numbers", "acted", "board", "reset"];
const title = document.title;
let unseen = 0;

/**
 * Listen; `changed(kind)` is called for each event.
 *
 * Of all tabs of a browser one holds the stream and passes on what it hears, as a browser opens six
 * connections to a host and no more. Without locks (plain HTTP beyond this machine) each holds its own.
 */
export function follow(changed) {
  const shared = `monitor-live-${body.dataset.who}`;
  let seen = body.dataset.last;
  let kept = []; // of the one that holds the stream: what it heard last, for whoever comes late
  let source = null;
  let channel = null;
  let waiting = null;
  let release = null;
  let wait = 2000;

  function take({ kind, data, id }) {
    if (kind !== "reset" && !later(id, seen)) return;
    seen = id || seen;
    heard(kind, data);
    changed(kind);
  }

  function state(name) {
    shown(name);
    channel?.postMessage({ state: name });
  }

  function open() {
    source = new EventSource(`${body.dataset.live}?after=${encodeURIComponent(seen)}`);
    source.onopen = () => {
      wait = 2000;
      state("live");
    };
    source.onerror = () => {
      state("lost");
      if (source?.readyState !== EventSource.CLOSED) return;
      setTimeout(() => source && open(), wait); // it was refused; browsers give up then
      wait = Math.min(wait * 2, 60000);
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        const told = { kind, data: JSON.parse(event.data), id: event.lastEventId };
        kept = kind === "reset" ? [] : [...kept.slice(1 - KEPT), told];
        channel?.postMessage(told);
        take(told);
      });
    }
  }

  function begin() {
    if (!navigator.locks) {
      open();
      return;
    }
    channel = new BroadcastChannel(shared);
    channel.onmessage = ({ data }) => {
      if (data.kind) take(data);
      else if (data.state) shown(data.state);
      else if (source?.readyState === EventSource.OPEN) {
        for (const told of kept) channel.postMessage(told);
        channel.postMessage({ state: "live" });
      }
    };
    channel.postMessage({ come: true });
    waiting = new AbortController();
    navigator.locks
      .request(shared, { signal: waiting.signal }, () => {
        open();
        return new Promise((resolve) => (release = resolve));
      })
      .catch(() => {}); // the page has gone meanwhile
  }

  begin();
  addEventListener("pagehide", () => {
    source?.close();
    source = null;
    kept = [];
    release?.();
    waiting?.abort();
    channel?.close();
    release = waiting = channel = null;
  });
  addEventListener("pageshow", (event) => event.persisted && begin());
}

/** Whether an event came after another; of another run of the daemon it did. */
function later(id, than) {
  const [boot, number] = id.split("-");
  const [other, before] = than.split("-");
  return boot !== other || Number(number) > Number(before);
}

function shown(name) {
  const box = document.querySelector("[data-livestate]");
  if (box.dataset.livestate === name) return;
  box.dataset.livestate = name;
  box.querySelector("[data-livetext]").textContent = words[`js.${name}`];
}

function heard(kind, data) {
  if (kind === "board") {
    count("alerts", data.alerts);
    count("numbers", data.numbers);
  } else if (kind === "alert" && (data.new || data.worse) && data.state === "firing" && !data.shadow) {
    if (concerns(data.team)) pop(data);
  } else if (kind === "alerts") {
    const loud = Object.entries(data.loud).filter(([team]) => concerns(team));
    const n = loud.reduce((sum, [, of]) => sum + of, 0);
    if (!n) return;
    news(n);
    note(words["js.alerts_many"].replace("{n}", n));
    chime("crit", "storm");
  }
}

/** Whether alerts of a team are to be shown here: one's own, or those of all. */
function concerns(team) {
  return mine === null || localStorage.getItem("monitor-pop") === "all" || mine.includes(team);
}

function count(name, n) {
  for (const each of document.querySelectorAll(`[data-count="${name}"]`)) {
    each.textContent = n;
    each.hidden = !n;
  }
}

async function pop(alert) {
  const answer = await fetch(`${base}/alerts/${alert.episode}/toast`, { headers: { "X-Fragment": "refresh" } });
  if (answer.status === 204) return; // a silence covers it
  news(1);
  chime(alert.level, `${alert.episode}-${alert.level}`);
  if (!answer.ok) return;
  const box = document.getElementById("toasts");
  const made = document.createElement("div");
  made.innerHTML = await answer.text();
  const toast = made.firstElementChild;
  document.getElementById(toast.id)?.remove(); // it was less bad then
  box.append(toast);
  while (box.children.length > TOASTS) (box.querySelector(".toast:not(.lvl-crit)") || box.firstElementChild).remove();
  say(toast.querySelector(".toast-line").textContent.trim(), alert.level === "crit");
  if (alert.level !== "crit") setTimeout(() => toast.matches(":hover, :focus-within") || toast.remove(), 20000);
}

function news(n) {
  if (!document.hidden) return;
  unseen += n;
  document.title = `(${unseen}) ${title}`;
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseen = 0;
  document.title = title;
});

/** Two short notes, made here; nothing is loaded. Of the tabs that may sound one does, for `what`. */
export async function chime(level, what = "") {
  if (localStorage.getItem("monitor-sound") !== "on") return;
  try {
    const audio = new AudioContext();
    await Promise.race([audio.resume(), pause(500)]);
    // A browser wants a click first in a tab; another tab may have had one.
    const sounds = audio.state === "running" && (!what || (await first(`monitor-chime-${what}`)));
    if (!sounds) {
      audio.close();
      return;
    }
    body.dataset.sounded = String(Number(body.dataset.sounded || 0) + 1);
    const notes = level === "crit" ? [880, 660, 880] : [660, 880];
    notes.forEach((pitch, place) => {
      const tone = audio.createOscillator();
      const loud = audio.createGain();
      const at = audio.currentTime + place * 0.16;
      tone.frequency.value = pitch;
      loud.gain.setValueAtTime(0.0001, at);
      loud.gain.exponentialRampToValueAtTime(0.18, at + 0.02);
      loud.gain.exponentialRampToValueAtTime(0.0001, at + 0.15);
      tone.connect(loud).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.16);
    });
    setTimeout(() => audio.close(), 900);
  } catch {
    // a browser without sound
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Whether this tab is the one that takes `name`; nobody else does for some seconds. */
function first(name) {
  if (!navigator.locks) return true;
  return new Promise((resolve) => {
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock && pause(5000);
    });
  });
}
