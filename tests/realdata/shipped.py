"""The shipped packs on the published data sets, and the table of them on docs/real-data.md.

Owns which pack applies to which data set. A pack applies where the data has events it looks at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.indicators.load import load_indicators
from monitor.indicators.model import Indicator
from tests.realdata import convert, replays, sql
from tests.realdata.replays import ROOT, Figures, Said

INDIAN = "'+91' || ltrim(regexp_replace(trim({0}), '[^0-9]', '', 'g'), '0')"
_TELEPHONE = ("-c", str(replays.HERE / "telephone.yaml"))
_CALLS = ("telemarketing", "classic", "number-reputation")

SETS: dict[str, tuple[str, ...]] = {
    "telephone": (*_CALLS, "compliance-cn-platforms", "sms-gateway", "compliance-br"),
    "bank": ("telemarketing", "classic"),
    "asterisk": ("classic", "number-reputation"),
    "freeswitch": ("classic", "number-reputation"),
}
"""The packs that apply, by data set; all of them take a quarter of an hour."""
QUICK: dict[str, tuple[str, ...]] = {**SETS, "telephone": ("classic", "sms-gateway"), "bank": ()}
"""Those that are compared at every run of the tests."""
EVERY = {"telephone": "2d", "bank": "30d", "asterisk": "5m", "freeswitch": "1m"}
"""How often figures are told; a day more makes the replay longer and shows nothing new."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One pack on one data set."""

    data: str
    pack: str
    indicators: int
    translated: tuple[Indicator, ...]
    """Those that there is SQL for."""
    said: Said
    expected: Figures

    @property
    def ours(self) -> Figures:
        """The replay's figures of what was translated."""
        known = {each.id for each in self.translated}
        figures = self.said.figures.items()
        return {k: v for k, v in figures if k[1] in known and not k[2].endswith("@first")}


def compared(folder: Path, sets: Mapping[str, Sequence[str]]) -> Iterator[Compared]:
    """Every pack on every data set, as ``sets`` has them."""
    for data, packs in sets.items():
        events = folder / f"{data}.jsonl"
        convert.write(_events(data), events)
        base = sql.open_events(events, INDIAN if data == "telephone" else "{0}")
        options = _TELEPHONE if data == "telephone" else ()
        for pack in packs:
            file = load_indicators(ROOT / "rules" / pack / "indicators.yaml")
            indicators = file.value.indicators
            said = replays.shipped(events, pack, EVERY[data], *options)
            moments = {datetime.fromisoformat(at).timestamp() for at, *_ in said.figures}
            translated = tuple(each for each in indicators if sql.translates(each))
            ticks = [int(moment * 1000) for moment in moments]
            expected = sql.figures(base, translated, ticks)
            yield Compared(data, pack, len(indicators), translated, said, expected)


def _events(data: str) -> Iterator[convert.Event]:
    match data:
        case "telephone":
            return convert.telephone(replays.CALLS, replays.TEXTS)
        case "bank":
            return convert.bank(replays.BANK)
        case "asterisk":
            return convert.asterisk(replays.ASTERISK)
        case _:
            return convert.freeswitch(replays.FREESWITCH)


def differences(found: Compared) -> list[str]:
    """The figures that are not those of SQL."""
    ours, theirs = found.ours, found.expected
    return [
        f"{found.data}, {found.pack}: {key}: {ours.get(key)}, not {theirs.get(key)}"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    ]


def table(found: list[Compared]) -> str:
    """The rows of docs/real-data.md, if every figure of theirs is right.

    Raises:
        ValueError: one is not.
    """
    wrong = [text for each in found for text in differences(each)]
    if wrong:
        raise ValueError("\n".join(wrong[:20]))
    head = (
        "| data set | pack | indicators | compared with SQL | figures | episodes its rules begin |"
    )
    rows = [head, "| --- | --- | ---: | ---: | ---: | --- |"]
    for each in found:
        alerts = ", ".join(f"`{rule}` {n:,}" for rule, n in sorted(each.said.alerts.items()))
        cells = [each.data, each.pack, f"{each.indicators}", f"{len(each.translated)}"]
        cells += [f"{len(each.ours):,}", alerts or "none"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)
