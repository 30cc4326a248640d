// What all scripts of a page share: words, times, cookies, and what is said to a screen reader.

export const words = JSON.parse(document.body.dataset.words);

/** How long ago, or how long it takes. */
export function ago(stamp) {
  const seconds = (Date.now() - Date.parse(stamp)) / 1000;
  const left = Math.abs(Math.trunc(seconds));
  const [unit, n] =
    left < 60 ? ["s", left]
    : left < 3600 ? ["m", Math.floor(left / 60)]
    : left < 172800 ? ["h", Math.floor(left / 3600)]
    : ["d", Math.floor(left / 86400)];
  const span = words[`time.${unit}`].replace("{n}", n);
  return words[seconds >= 0 ? "time.ago" : "time.left"].replace("{span}", span);
}

/** A cookie's value; with `value`: set for a year, or taken away when empty. */
export function cookie(name, value) {
  if (value === undefined) {
    const found = document.cookie.split("; ").find((each) => each.startsWith(`${name}=`));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
  }
  const age = value ? 31536000 : 0;
  document.cookie = `${name}=${encodeURIComponent(value)}; path=${document.body.dataset.base}; max-age=${age}; samesite=lax`;
  return value;
}

/** Said by a screen reader: at once, or when it is free. */
export function say(text, now = false) {
  document.getElementById(now ? "said-now" : "said").textContent = text;
}

/** A small note that goes by itself. */
export function note(text, bad = false) {
  const box = document.createElement("div");
  box.className = bad ? "toast lvl-crit" : "toast";
  const line = document.createElement("p");
  line.className = "toast-line";
  line.textContent = text;
  box.append(line);
  document.getElementById("toasts").append(box);
  say(text, bad);
  setTimeout(() => box.remove(), bad ? 9000 : 3500);
}
