"""The table of transitions on docs/numbers.md, from the table that the product runs on."""

from __future__ import annotations

import re

from monitor.numbers.lifecycle import TRANSITIONS

_MARKS = re.compile(r"(<!-- transitions -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(page: str) -> str:
    """The page with the table in its place."""
    rows = ["| from | what happens | to |", "|---|---|---|"]
    rows += [
        f"| `{before.value}` | `{event.value}` | `{after.value}` |"
        for (before, event), after in TRANSITIONS.items()
    ]
    filled, count = _MARKS.subn(lambda marks: marks[1] + "\n".join(rows) + "\n" + marks[2], page)
    assert count == 1
    return filled
