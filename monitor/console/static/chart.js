// Figures over time: uPlot, with targets, thresholds, and alerts as bands.
import { words } from "./page.js";

const plots = new Map();
const zone = document.body.dataset.zone;
const lang = document.documentElement.lang;
const REFRESH_MS = 14000;
const GAP_S = 660;

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) load(entry.target);
}, { rootMargin: "200px" });
const resizer = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const made = plots.get(target);
    if (made?.plot && contentRect.width) made.plot.setSize({ width: contentRect.width, height: contentRect.height });
  }
});

/** Draw all charts of the page that are seen; `anew`: colours are others. */
export function drawAll(anew = false) {
  for (const [box, made] of plots) {
    if (!box.isConnected) {
      made.plot?.destroy();
      plots.delete(box);
    }
  }
  for (const box of document.querySelectorAll("[data-chart]")) {
    const made = plots.get(box);
    if (!made) {
      plots.set(box, { plot: null, at: 0 });
      watcher.observe(box);
      resizer.observe(box);
    } else if (anew && made.data) {
      draw(box, made, made.data);
    } else if (made.at && Date.now() - made.at > REFRESH_MS) {
      load(box);
    }
  }
}

/** The page goes. */
export function forget() {
  watcher.disconnect();
  resizer.disconnect();
}

async function load(box) {
  const made = plots.get(box);
  if (!made || made.busy || Date.now() - made.at < REFRESH_MS) return;
  made.busy = true;
  const { by, name, indicator, window: over = "" } = box.dataset;
  try {
    const query = new URLSearchParams({ by, name, indicator, window: over });
    const answer = await fetch(`/api/v1/trends?${query}`, { headers: { "X-Fragment": "refresh" } });
    if (!answer.ok) return;
    const [line] = (await answer.json()).lines;
    made.at = Date.now();
    made.data = line ? gaps(line.at.map((ms) => ms / 1000), line.values) : [[], []];
    draw(box, made, made.data);
  } catch {
    // the next refresh tries again
  } finally {
    made.busy = false;
  }
}

/** Where samples are missing the line is, too. */
function gaps(at, values) {
  const made = [[], []];
  at.forEach((each, place) => {
    const far = place && each - at[place - 1] > GAP_S;
    const alone = at[place + 1] - each > GAP_S && (far || !place);
    if (alone) return; // a single point says nothing of how it goes
    if (far && made[0].length) {
      made[0].push(each - 1);
      made[1].push(null);
    }
    made[0].push(each);
    made[1].push(values[place]);
  });
  return made;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function text(value, kind) {
  if (value == null) return "–";
  if (kind === "ratio") return `${(value * 100).toLocaleString(lang, { maximumFractionDigits: Math.abs(value) < 0.05 ? 2 : 1 })}%`;
  return value.toLocaleString(lang, { maximumSignificantDigits: 4 });
}

function draw(box, made, data) {
  const { kind, target, bound } = box.dataset;
  made.plot?.destroy();
  made.plot = null;
  box.replaceChildren();
  if (data[0].length < 2) {
    const none = document.createElement("div");
    none.className = "none";
    none.textContent = words["js.no_history"];
    box.append(none);
    return;
  }
  const lines = [["target", target, "--good"], ["bound", bound, "--crit"]].filter(([, at]) => at !== undefined).map(([, at, ink]) => [Number(at), ink]);
  const bands = JSON.parse(box.dataset.bands || "[]");
  const small = box.clientHeight < 180;
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line-2"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif", gap: 4 };
  const time = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: zone });
  const exact = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZone: zone });
  const tip = document.createElement("div");
  tip.className = "chart-tip";
  tip.hidden = true;
  made.plot = new window.uPlot({
    width: box.clientWidth,
    height: box.clientHeight,
    cursor: { y: false, points: { size: 7 } },
    legend: { show: false },
    padding: [8, 18, 0, 0],
    scales: { x: { time: true }, y: { range: (_, low, high) => range(low, high, lines.map(([at]) => at), kind) } },
    axes: [
      { ...axis, space: 70, size: 24, values: (_, ticks, __, ___, step) => ticks.map((at) => (step < 60 ? exact : time).format(at * 1000)) },
      { ...axis, space: small ? 26 : 40, size: 48, values: (_, ticks) => ticks.map((at) => text(at, kind)) },
    ],
    series: [{}, { stroke: colour("--accent"), width: 1.6, fill: `${colour("--accent")}14`, points: { show: false }, spanGaps: false }],
    hooks: {
      drawClear: [(plot) => shade(plot, bands)],
      draw: [(plot) => rule(plot, lines)],
      setCursor: [(plot) => hover(plot, tip, exact, kind)],
    },
  }, data, box);
  made.plot.over.append(tip);
}

function range(low, high, more, kind) {
  if (low == null) return [0, 1];
  if (kind === "count") high = Math.max(high, 4);
  const near = more.filter((at) => at <= high * 4 + 0.02 || at <= high);
  let top = Math.max(high, ...near);
  let bottom = Math.min(low, ...near);
  const room = (top - bottom || Math.abs(top) || 1) * 0.12;
  top += room;
  bottom = bottom - room < 0 && low >= 0 ? 0 : bottom - room;
  return [bottom, kind === "ratio" && high <= 1 ? Math.min(top, 1.02) : top];
}

function shade(plot, bands) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const band of bands) {
    const from = plot.valToPos(Date.parse(band.from) / 1000, "x", true);
    const to = band.to ? plot.valToPos(Date.parse(band.to) / 1000, "x", true) : bbox.left + bbox.width;
    ctx.fillStyle = colour(band.level === "crit" ? "--crit-bg" : "--warn-bg");
    ctx.fillRect(from, bbox.top, Math.max(2, to - from), bbox.height);
    ctx.fillStyle = colour(band.level === "crit" ? "--crit" : "--d-warn");
    ctx.fillRect(from, bbox.top, 2 * devicePixelRatio, bbox.height);
    ctx.beginPath(); // a flag, so that it is not colour alone
    ctx.moveTo(from, bbox.top);
    ctx.lineTo(from + 9 * devicePixelRatio, bbox.top + 4 * devicePixelRatio);
    ctx.lineTo(from, bbox.top + 8 * devicePixelRatio);
    ctx.fill();
  }
  ctx.restore();
}

function rule(plot, lines) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  for (const [at, ink] of lines) {
    const y = Math.round(plot.valToPos(at, "y", true)) + 0.5;
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = colour(ink);
    ctx.setLineDash(ink === "--crit" ? [6 * devicePixelRatio, 4 * devicePixelRatio] : [2 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

function hover(plot, tip, exact, kind) {
  const { idx, left } = plot.cursor;
  tip.hidden = idx == null;
  if (idx == null) return;
  tip.textContent = `${exact.format(plot.data[0][idx] * 1000)}  ${text(plot.data[1][idx], kind)}`;
  const right = left > plot.over.clientWidth / 2;
  tip.style.left = right ? "" : `${left + 10}px`;
  tip.style.right = right ? `${plot.over.clientWidth - left + 10}px` : "";
  tip.style.top = "2px";
}
