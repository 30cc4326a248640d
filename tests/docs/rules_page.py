"""The generated parts of docs/rules.md: the cookbook from the shipped packs, and the reference.

Owns which rules are shown as cases, and what is said of each; the YAML is the packs' own, so every
case loads, and has stories in its pack. The reference is made from the models, as the schema is.
"""

# ruff: noqa: E501 - sentences of the page stand on one line

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from monitor.schemas import schema

ROOT = Path(__file__).resolve().parents[2]
_COOKBOOK = re.compile(r"(<!-- cookbook -->\n).*?(<!-- end of the cookbook -->)", re.DOTALL)
_REFERENCE = re.compile(r"(<!-- reference -->\n).*?(<!-- end of the reference -->)", re.DOTALL)
_TITLES = frozenset({"title", "description"})


class Case(NamedTuple):
    """One case of the cookbook."""

    title: str
    pack: str
    rule: str
    why: str


CASES = (
    Case("Customers hang up on a number", "telemarketing", "number-hangup",
         "Carriers flag a number that people do not want to hear from; rested in time it recovers. A warning may come early and be wrong"
         " more often, what acts has to be sure; on probation the number is judged by new calls alone."),
    Case("A carrier has flagged a number", "telemarketing", "number-flagged",
         "A single event needs no window: it fires at once, and ends with the event that says it is over."),
    Case("Complaints about a number", "telemarketing", "number-complaint",
         "Complaints are rare, so the value counts for something only on hundreds of calls: the shorter window with enough of them is judged. The suspension is as long as the window, or the same"
         " complaints would suspend it again."),
    Case("A number is answered half as often as usual", "telemarketing", "number-answer-drop",
         "What is usual differs by number and hour, so the threshold is the number's own past. It is silent until there are five days of it."),
    Case("Somebody calls one customer too often", "telemarketing", "customer-redial",
         "At most so many a local day: a count by the pair of number and customer, over a calendar window."),
    Case("A campaign calls at the wrong hour", "telemarketing", "campaign-hours",
         "Limits that allow nothing fire at the first: any value above 0 breaches."),
    Case("A campaign contacts who opted out", "telemarketing", "campaign-opted-out",
         "The engine remembers who said so; `opted_out_at` is known to every later contact."),
    Case("An agent has no effective call for half an hour", "telemarketing", "idle-agent",
         "Nothing happens, so there is no event to judge: the rule says what should come, and while what that matters."),
    Case("An agent is far behind the group", "telemarketing", "agent-talk-peers",
         "Against peers, not a figure from above. `gap` keeps a fifth of every group from firing for ever."),
    Case("Customers hang up on an agent", "telemarketing", "agent-hangup",
         "Told to who can help, and nothing is suspended: an agent is trained, a number rests."),
    Case("A team's customers are dissatisfied", "telemarketing", "team-csat",
         "A mean of scores: there is no promise about false alarms, so enough of them have to be there."),
    Case("SMS that lead to calls and to nothing more", "telemarketing", "campaign-funnel",
         "A step of a funnel is a share of the customers who came that far."),
    Case("Answers take too long", "whatsapp-sales", "team-response",
         "Time counts in working hours alone, and who still waits counts as well as who was answered."),
    Case("Customers who have not moved for weeks", "whatsapp-sales", "team-stalled",
         "A population: how many are in that state now, and have been for so long. `window: now`."),
    Case("Twice as much as ever", "whatsapp-sales", "agent-surge",
         "Too good is a figure too: interactions that are made up come in bursts."),
    Case("Two agents at one customer", "whatsapp-sales", "customer-collision",
         "By customer: who it is, is masked wherever people read it."),
    Case("A handover that nobody takes", "whatsapp-sales", "handoff-waiting",
         "Absence again: what has to come after an event, and how long it may take."),
    Case("A claimed customer whom nobody calls", "crm-follow-up", "claim-without-contact",
         "Another system acts: `order` hands the customer back to all."),
    Case("The carrier's own words", "number-reputation", "number-blocked",
         "SIP codes 603 and 608 say that calls are blocked on the way; nothing says it earlier."),
    Case("Callers who wait too long", "classic", "team-service-level",
         "The classic 80/20: a share that has to be high, so it fires `below`."),
    Case("A limit that the law sets", "compliance-us", "us-abandoned",
         "Where it is written and since when it is in force stand in the rule; the value itself is judged, over the days that the law names."),
    Case("More than three calls in a day", "compliance-us", "us-three-in-24h",
         "`exact: true` in the indicator: at a limit, a pane's grain would be a false alarm."),
)  # fmt: skip


def fill(text: str) -> str:
    """``text`` with both parts made anew."""
    text = _COOKBOOK.sub(lambda found: found[1] + _cookbook() + found[2], text)
    return _REFERENCE.sub(lambda found: found[1] + _reference() + found[2], text)


def entry(pack: str, file: str, name: str) -> str:
    """One entry of a pack's file as it stands there, without its titles and other comments."""
    text = (ROOT / "rules" / pack / file).read_text(encoding="utf-8")
    found = re.search(
        rf"^  - (\{{)?id: {re.escape(name)}\b.*?(?=^  - |^  #|\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"{pack} has no {name}"
    return _without_titles(found[0].rstrip() + "\n")


def _without_titles(text: str) -> str:
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        key = re.match(r"^    (\w+):", line)
        if key:
            inside = key[1] in _TITLES
        if not inside and line.strip():
            lines.append(line)
    return "\n".join(lines) + "\n"


def _cookbook() -> str:
    parts: list[str] = []
    for number, case in enumerate(CASES, 1):
        rule = entry(case.pack, "rules.yaml", case.rule)
        joined = re.search(r"(?:all|any)_of: \[(.*?)\]", rule)
        names = joined[1].split(", ") if joined else []
        rule = "".join([*(entry(case.pack, "rules.yaml", name) for name in names), rule])
        link = f"[`rules/{case.pack}`](../rules/{case.pack}/README.md)"
        parts += [f"### {number}. {case.title}", "", f"{case.why} From {link}.", ""]
        figure = re.search(r"^    indicator: (\w+)", rule, re.MULTILINE)
        if figure:
            base = _indicator(case.pack, figure[1])
            parts += ["```yaml", base.rstrip(), "```", ""]
        parts += ["```yaml", rule.rstrip(), "```", ""]
    return "\n".join(parts) + "\n"


def _indicator(pack: str, name: str) -> str:
    """The indicator, or the funnel of which it is a step."""
    text = (ROOT / "rules" / pack / "indicators.yaml").read_text(encoding="utf-8")
    known = re.findall(r"^  - (?:\{)?id: ([\w-]+)", text, re.MULTILINE)
    found = next(each for each in known if name == each or name.startswith(f"{each}_"))
    return entry(pack, "indicators.yaml", name if name in known else found)


SHOWN = (
    ("Rule", "A rule"),
    ("Level", "A level"),
    ("Sequential", "Evidence `sequential`"),
    ("Wilson", "Evidence `wilson`"),
    ("Raw", "Evidence `raw`"),
    ("EventMatch", "`event`"),
    ("Absent", "`absent`"),
    ("Pending", "`pending`"),
    ("Recovering", "`recovering`"),
    ("Notify", "`notify`"),
    ("Suspend", "`action: {suspend: …}`"),
    ("Probation", "`probation`"),
)


def _reference() -> str:
    shapes = schema("rules")["definitions"]
    parts: list[str] = []
    for name, title in SHOWN:
        shape = shapes[name]
        parts += [f"### {title}", "", _line(shape.get("description", "")), ""]
        parts += ["| key | default | meaning |", "|---|---|---|"]
        needed = shape.get("required", [])
        parts += [_row(key, value, key in needed) for key, value in shape["properties"].items()]
        parts.append("")
    return "\n".join(parts) + "\n"


def _row(key: str, value: dict[str, Any], needed: bool) -> str:
    default = value.get("default")
    shown = (
        "**required**"
        if needed
        else "–"
        if default in (None, "", [], {})
        else f"`{_plain(default)}`"
    )
    return f"| `{key}` | {shown} | {_line(value.get('description', ''))} |"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")
