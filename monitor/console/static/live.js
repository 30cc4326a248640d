// What changes, as it does: counts, toasts, sound, and word to whoever wants to refresh.
import { note, say, words } from "./page.js";

const body = document.body;
const base = body.dataset.base;
const TOASTS = 3;
const title = document.title;
let unseen = 0;

/** Listen; `changed(kind)` is called for each event. */
export function follow(changed) {
  let source = null;
  let seen = body.dataset.last;
  let wait = 2000;

  function open() {
    source = new EventSource(`${body.dataset.live}?after=${encodeURIComponent(seen)}`);
    source.onopen = () => {
      wait = 2000;
      state("live", words["js.live"]);
    };
    source.onerror = () => {
      state("lost", words["js.lost"]);
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(open, wait); // it was refused; browsers give up then
      wait = Math.min(wait * 2, 60000);
    };
    for (const kind of ["alert", "alerts", "number", "numbers", "acted", "board", "reset"]) {
      source.addEventListener(kind, (event) => {
        seen = event.lastEventId || seen;
        heard(kind, JSON.parse(event.data));
        changed(kind);
      });
    }
  }
  open();
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && open());
}

function state(name, text) {
  const box = document.querySelector("[data-livestate]");
  if (box.dataset.livestate === name) return;
  box.dataset.livestate = name;
  box.querySelector("[data-livetext]").textContent = text;
}

function heard(kind, data) {
  if (kind === "board") {
    count("alerts", data.alerts);
    count("numbers", data.numbers);
  } else if (kind === "alert" && data.new && data.state === "firing" && !data.shadow) {
    pop(data);
  } else if (kind === "alerts") {
    news(data.count);
    note(words["js.alerts_many"].replace("{n}", data.count));
    chime("crit");
  }
}

function count(name, n) {
  for (const each of document.querySelectorAll(`[data-count="${name}"]`)) {
    each.textContent = n;
    each.hidden = !n;
  }
}

async function pop(alert) {
  news(1);
  chime(alert.level);
  const answer = await fetch(`${base}/alerts/${alert.episode}/toast`);
  if (!answer.ok) return;
  const box = document.getElementById("toasts");
  const made = document.createElement("div");
  made.innerHTML = await answer.text();
  const toast = made.firstElementChild;
  if (document.getElementById(toast.id)) return;
  box.append(toast);
  while (box.children.length > TOASTS) box.firstElementChild.remove();
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

/** Two short notes, made here; nothing is loaded. */
export function chime(level) {
  if (localStorage.getItem("monitor-sound") !== "on") return;
  try {
    const audio = new AudioContext();
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
    // a browser without sound, or one that wants a click first
  }
}
