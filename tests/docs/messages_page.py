"""The examples in docs/messages.md, from the templates that ship.

Owns what is shown; the page's text is its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from monitor.decisions import Alert
from monitor.delivery.messages import samples
from monitor.delivery.messages.facts import Teller, plain, unmarked
from monitor.delivery.messages.templates import Form, Templates, parted

_BEGIN, _END = "<!-- examples: begin -->", "<!-- examples: end -->"
_FACTS_BEGIN, _FACTS_END = "<!-- facts: begin -->", "<!-- facts: end -->"
_SHOWN: tuple[tuple[str, str, Form], ...] = (
    ("An alert, in a chat", "alert", "md"),
    ("The same in English, as plain text", "alert", "txt"),
    ("It is over", "over", "md"),
    ("A suspension that a guard refused", "refused", "md"),
    ("A digest", "digest", "md"),
)


def fill(page: str) -> str:
    """``page`` with its examples, and the list of facts, as they are now."""
    page = _put(page, _BEGIN, _END, "\n".join(_examples()))
    return _put(page, _FACTS_BEGIN, _FACTS_END, "\n".join(_facts()) + "\n")


def _put(page: str, begin: str, end: str, text: str) -> str:
    made = f"{begin}\n{text}{end}"
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: made, page, flags=re.DOTALL)


def _examples() -> Iterator[str]:
    templates = Templates()
    for title, what, form in _SHOWN:
        language = "en" if form == "txt" else "zh"
        kind, facts = _made(what, _teller(language, form))
        head, body = parted(templates.render(kind, language, form, facts))
        yield f"{title} (`{kind}.{language}.{form}`):\n\n```text\n{head}\n\n{body}\n```\n"


def _teller(language: str, form: Form) -> Teller:
    clean = unmarked if form == "md" else plain
    return Teller(language, ZoneInfo("Asia/Shanghai"), "https://monitor.example.com", clean)


def _made(what: str, teller: Teller) -> tuple[str, dict[str, object]]:
    match what:
        case "alert":
            return "alert", teller.alert(samples.FIRING, samples.ABOUT, samples.REMARK)
        case "over":
            return "alert", teller.alert(samples.RESOLVED, samples.ABOUT, None)
        case "refused":
            return "notice", teller.notice(samples.REFUSED)
        case _:
            return "digest", teller.digest(samples.DIGEST)


def _facts() -> Iterator[str]:
    teller = _teller("en", "txt")
    alert: Alert = samples.FIRING
    rows = {
        "alert": teller.alert(alert, samples.ABOUT, samples.REMARK),
        "notice": teller.notice(samples.SUSPEND),
        "digest": teller.digest(samples.DIGEST),
        "test": teller.test("supervisors", samples.AT_MS),
    }
    yield "| template | facts |"
    yield "|---|---|"
    for kind, facts in rows.items():
        yield f"| `{kind}` | {', '.join(f'`{name}`' for name in facts)} |"
