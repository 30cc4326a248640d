// Makes one piece of a page look like another, and touches nothing that is the same: focus, an open
// menu, a half-written note and the place one has scrolled to are kept.

/** Children of `into` become those of `from`; an element with an id is found again by it. */
export function morph(into, from) {
  const known = new Map();
  for (const child of into.children) if (child.id) known.set(child.id, child);
  const named = new Set([...from.children].map((child) => child.id).filter(Boolean));
  let here = into.firstChild;
  for (const wanted of [...from.childNodes]) {
    const same = wanted.id ? known.get(wanted.id) : null;
    if (same && same !== here) into.insertBefore(same, here);
    const found = same || match(here, wanted, named);
    while (found && !same && here !== found) {
      const gone = here;
      here = here.nextSibling;
      gone.remove();
    }
    if (found) {
      here = found.nextSibling;
      update(found, wanted);
    } else {
      into.insertBefore(wanted, here);
    }
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

/** The next child that can become `wanted`; past others that are wanted no more, never past named ones. */
function match(here, wanted, named) {
  if (wanted.nodeType !== Node.ELEMENT_NODE) return here && alike(here, wanted) ? here : null;
  let next = here;
  while (next && !alike(next, wanted)) {
    if (next.id && named.has(next.id)) return null;
    next = next.nextSibling;
  }
  return next;
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && !one.id && !other.id;
}

function update(into, from) {
  if (into.nodeType !== Node.ELEMENT_NODE) {
    if (into.nodeValue !== from.nodeValue) into.nodeValue = from.nodeValue;
    return;
  }
  const kept = into.hasAttribute("data-keep");
  for (const { name, value } of [...from.attributes]) {
    if (into.getAttribute(name) !== value) into.setAttribute(name, value);
  }
  for (const { name } of [...into.attributes]) {
    const open = name === "open" && into.nodeName === "DETAILS"; // the reader's doing
    if (!from.hasAttribute(name) && !open) into.removeAttribute(name);
  }
  if (kept) return; // what scripts have put there
  if (into.nodeName === "TEXTAREA" || into.nodeName === "INPUT") return; // what somebody writes
  morph(into, from);
}
