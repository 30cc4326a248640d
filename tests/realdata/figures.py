"""The figures of docs/real-data.md: `python -m tests.realdata.figures` writes them there.

Owns which figures are shown and how. That they are right is `test_realdata`'s.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.realdata import replays
from tests.realdata.replays import Figures

PAGE = replays.ROOT / "docs" / "real-data.md"
_LISBON = ZoneInfo("Europe/Lisbon")
_SEPTEMBER = "2016-09-30T18:30:00Z"
"""The end of September 2016 in India."""
_KOLKATA_DAY = "day@Asia/Kolkata"


def telephone(figures: Figures) -> str:
    """September 2016, telemarketers beside the others, and the busiest days."""

    def month(indicator: str, campaign: str) -> tuple[float, float]:
        return figures[_SEPTEMBER, indicator, "month@Asia/Kolkata", (campaign,)]

    rows = []
    for campaign in ("telemarketers", "others"):
        brief, calls = month("brief_call_share", campaign)
        cells = [
            f"{calls:,}",
            f"{month('talk_time', campaign)[0] / calls:,.1f} s",
            f"{brief / calls:.1%} ({brief:,})",
            f"{month('short_call_share', campaign)[0] / calls:.1%}",
            f"{month('answer_rate', campaign)[0] / calls:.1%}",
        ]
        rows.append([campaign, *cells])
    head = ["caller", "calls", "mean talk", "under 30 s", "under 6 s", "answered"]
    redials = _days(figures, "redials")
    texts = _days(figures, "texts")
    spread = Counter(int(hits) for hits in redials)
    counts = ", ".join(f"{count:,} with {n}" for n, count in sorted(spread.items()) if n > 1)
    over = sum(count for n, count in spread.items() if n > 2)
    said = [
        f"Calls of one number to one person in a day: {spread[1]:,} days with one, {counts};",
        f"a limit of two would have been passed {over} times.",
        "",
        f"Texts of one number in a day: {sum(texts) / len(texts):.1f} on the average of",
        f"{len(texts):,} days with any, {max(texts):,.0f} at most.",
    ]
    return "\n".join([*_table(head, rows), "", *said])


def _days(figures: Figures, indicator: str) -> list[float]:
    """The final figures of all whole days, by scope."""
    return [
        hits
        for (at, name, window, _), (hits, _) in figures.items()
        if (name, window) == (indicator, _KOLKATA_DAY) and at.endswith("T18:30:00Z")
    ]


def bank(figures: Figures, months: Iterable[tuple[int, int]]) -> str:
    """Conversion and effective calls of each month by kind of contact."""
    contacts = ("cellular", "telephone", "unknown")
    rows = []
    for year, month in months:
        at = month_end(figures, year, month)
        row = [f"{year}-{month:02}"]
        for contact in contacts:
            deals, calls = figures.get((at, "conversion", _MONTH, (contact,)), (0, 0))
            effective, _ = figures.get((at, "effective_share", _MONTH, (contact,)), (0, 0))
            if calls:
                row += [f"{calls:,}", f"{effective / calls:.1%}", f"{deals / calls:.1%}"]
            else:
                row += ["–", "–", "–"]
        rows.append(row)
    head = [f"{contact}: {what}" for contact in contacts for what in ("calls", "≥ 120 s", "deals")]
    return "\n".join(_table(["month", *head], rows))


_MONTH = "month@Europe/Lisbon"


def month_end(figures: Figures, year: int, month: int) -> str:
    """The moment at which the month is over in Lisbon, or the replay's end within it."""
    first = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=_LISBON)
    end = first.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return min(end, max(at for at, *_ in figures))


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    align = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, align, *rows)]


def fill(page: str, name: str, text: str) -> str:
    """The page with the text between the marks of that name."""
    found = re.compile(rf"(<!-- figures: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    filled, count = found.subn(lambda marks: f"{marks[1]}{text}\n{marks[2]}", page)
    assert count == 1, name
    return filled


def main() -> None:
    from tests.realdata import shipped  # noqa: PLC0415 - duckdb, only when needed
    from tests.realdata.oracle import bank_months  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = PAGE.read_text(encoding="utf-8")
        page = fill(page, "telephone", telephone(replays.telephone(folder)))
        page = fill(page, "bank", bank(replays.bank(folder), bank_months()))
        page = fill(page, "shipped", shipped.table(list(shipped.compared(folder, shipped.SETS))))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
