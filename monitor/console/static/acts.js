// Acts: each goes through the interface, as a program's would; what is irreversible asks first.
import { note, words } from "./page.js";

const token = document.querySelector('meta[name="csrf"]').content;
const API = "/api/v1";

/** Do what an element says; resolves to whether it was done. */
export async function act(element, fields) {
  const said = element.dataset;
  if (said.numberAct) return number(element);
  switch (said.act) {
    case "acknowledge":
      return send(element, `${API}/alerts/${said.episode}/acknowledge`, { note: fields.note || "" });
    case "assign":
      return send(element, `${API}/alerts/${said.episode}/assign`, { to: (fields.to ?? said.to) || null });
    case "silence":
      return send(element, `${API}/alerts/${said.episode}/silence`, { for: fields.for, reason: fields.reason });
    case "end-silence":
      return send(element, `${API}/silences/${said.silence}/end`, undefined);
    default:
      return false;
  }
}

async function number(element) {
  const { numberAct: what, number: which, name } = element.dataset;
  const asksNumber = element.hasAttribute("data-ask-number");
  const given = await ask(words[`js.confirm_${what}`].replace("{number}", which || ""), [
    ...(asksNumber ? [{ name: "number", label: words["js.ask_number"], required: true, inputMode: "tel" }] : []),
    ...(what === "suspend" ? [{ name: "for", label: words["js.ask_for"], placeholder: words["js.for_example"] }] : []),
    { name: "why", label: words["js.ask_why"], required: true },
  ]);
  if (!given) return false;
  const target = which || given.number || "";
  const path = target ? `${API}/numbers/${encodeURIComponent(target)}/${what}` : `${API}/numbers/${what}`;
  const body = { why: given.why };
  if (given.for) body.for = given.for;
  if (name) body.name = name;
  return send(element, `${path}?wait=10`, body);
}

async function send(element, path, body) {
  const buttons = element.matches("button") ? [element] : [...element.querySelectorAll("button")];
  for (const each of buttons) each.disabled = true;
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-CSRF-Token": token,
        "Idempotency-Key": key(),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const told = await answer.json().catch(() => ({}));
    if (answer.status === 401) {
      location.reload();
      return false;
    }
    if (!answer.ok) {
      const why = told.words || told.errors?.[0]?.message || told.detail || told.title || answer.status;
      note(words["js.failed"].replace("{why}", why), true);
      return false;
    }
    note(told.status && told.status !== "done" ? words["js.waiting"] : words["js.done"]);
    return true;
  } catch (error) {
    note(words["js.failed"].replace("{why}", error.message), true);
    return false;
  } finally {
    for (const each of buttons) each.disabled = false;
  }
}

function key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A dialog with a field for each of `fields`; resolves to what was written, or null. */
function ask(title, fields) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "ask-title");
  const form = document.createElement("form");
  form.method = "dialog";
  const head = document.createElement("h2");
  head.id = "ask-title";
  head.textContent = title;
  form.append(head);
  for (const { name, label, ...more } of fields) {
    const words_ = document.createElement("label");
    words_.htmlFor = `ask-${name}`;
    words_.textContent = label;
    const input = Object.assign(document.createElement("input"), { id: `ask-${name}`, name, autocomplete: "off", maxLength: 500, ...more });
    form.append(words_, input);
  }
  const row = document.createElement("div");
  row.className = "row";
  const cancel = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: words["js.cancel"] });
  const go = Object.assign(document.createElement("button"), { className: "button primary", textContent: words["js.go"], value: "go" });
  row.append(cancel, go);
  form.append(row);
  dialog.append(form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    cancel.addEventListener("click", () => dialog.close(""));
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "go" ? Object.fromEntries(new FormData(form)) : null);
      dialog.remove();
    });
    dialog.showModal();
  });
}
