"""Answers by person and period, against the definition done by hand, row by row."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from monitor.errors import UsageError
from monitor.indicators.load import load_indicators, loads_indicators
from monitor.scorecards import answers as module
from monitor.scorecards.load import Card
from monitor.scorecards.periods import parse_period
from monitor.scorecards.tally import Tally
from monitor.site import SHIPPED_PACKS
from tests.indicators.test_response import plain, worked
from tests.scorecards.events import write
from tests.scorecards.made import ZONE, card
from tests.scorecards.test_tally import tallied

HOUR = 3_600_000
DAYS = [parse_period(day, ZONE) for day in ("2026-11-23", "2026-11-24")]
"""A Monday and a Tuesday."""
START = DAYS[0].start_ms - 2 * HOUR
PACK = """\
version: 1
indicators:
  - {id: mean, kind: response, from: message.received, to: {on: message.sent, where: not auto},
     per: conversation, open_after: 5m, max_age: 3h, HEAD}
  - {id: soon, kind: response, from: message.received, to: message.sent,
     per: conversation, within: 4m, max_age: 1h, HEAD}
  - {id: working, kind: response, from: message.received, to: message.sent, per: customer,
     hours: {tz: Asia/Shanghai, from: "08:00", to: "08:20", days: [mon, tue]}, open_after: 10m,
     max_age: 26h, HEAD}
"""
HEAD = (
    "title: {en: a, zh: b}, description: {en: a, zh: b}, class: result, area: efficiency,"
    " by: [agent], windows: [1h]"
)
Row = dict[str, Any]
Key = tuple[int, str, str]


def made(**over: Any) -> Card:
    known = loads_indicators(PACK.replace("HEAD", HEAD), Path("i.yaml")).value.indicators
    figures = {name: {"indicator": name} for name in ("mean", "soon", "working")}
    lines = [{"id": "pay", "formula": "coalesce(mean, 0)", "pays": True}]
    return card(known, figures=figures, parameters={}, lines=lines, **over)


def stream(seed: int, count: int = 1_500) -> list[Row]:
    """In order of release; questions often name nobody, some rows come late."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        at = START + number * 52 * HOUR // count - rng.choice([0, 0, 0, 7 * 60_000])
        asks = rng.random() < 0.5
        talk = rng.randrange(12)
        agent = rng.choice(["amy", "bob", "cai"]) if rng.random() < (0.3 if asks else 0.9) else None
        rows.append(
            {
                "type": "message.received" if asks else "message.sent",
                "time": at,
                "agent": agent,
                "team": None if agent is None else rng.choice(["red", "blue"]),
                "conversation": None if rng.random() < 0.05 else f"t{talk}",
                "customer": f"k{talk % 5}",
                "auto": rng.choice([True, False, None]),
            }
        )
    return rows


def by_hand(  # noqa: C901 - the definition, sentence by sentence
    rows: list[Row],
    per: str,
    max_age: int,
    is_answer: Callable[[Row], bool],
    clock: Callable[[int, int], int],
    *,
    split: bool,
) -> dict[Key, list[int]]:
    """Waits in ms by (day, person, team)."""
    asked: dict[str, tuple[int, Any]] = {}
    told: dict[str, tuple[int, Any]] = {}
    replied: dict[str, int] = defaultdict(lambda: -(2**62))
    found: dict[Key, list[int]] = defaultdict(list)
    for row in rows:
        talk, time = row[per], row["time"]
        asks, answers = row["type"] == "message.received", is_answer(row)
        if talk is None or not (asks or answers):
            continue
        who = row["agent"] and (row["agent"], (row["team"] or "") if split else "")
        if who and time >= told.get(talk, (-(2**62), ""))[0]:
            told[talk] = time, who
        if answers:
            if talk in asked and asked[talk][0] <= time:
                since, asker = asked.pop(talk)
                person = who or asker
                if time - since < max_age and person:
                    for place, day in enumerate(DAYS):
                        if day.start_ms <= time < day.end_ms:
                            found[place, *person].append(clock(since, time))
            replied[talk] = max(replied[talk], time)
        if asks and time >= replied[talk]:
            known = asked.get(talk)
            if known is None or time < known[0] or time - known[0] >= max_age:
                asked[talk] = time, who
        if talk in asked and not asked[talk][1] and talk in told:
            at, person = told[talk]
            if time - at < max_age:
                asked[talk] = asked[talk][0], person
    return found


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_answers_are_those_by_hand(seed: int, split: bool) -> None:
    rng, rows = random.Random(seed), stream(seed)
    tally = Tally(made().formulas, DAYS, split=split)
    assert tally.reads_back_ms == 26 * HOUR
    place = 0
    while place < len(rows):
        size = rng.randrange(1, 200)
        frame = pl.DataFrame(rows[place : place + size], infer_schema_length=None)
        tally.add(frame.cast({"auto": pl.Boolean, "agent": pl.String, "team": pl.String}))
        place += size
    sums = tally.sums()

    def sent(row: Row) -> bool:
        return bool(row["type"] == "message.sent")

    def written(row: Row) -> bool:
        return sent(row) and row["auto"] is False

    asked: dict[str, tuple[Any, ...]] = {
        "mean": ("conversation", 3 * HOUR, written, plain),
        "soon": ("conversation", HOUR, sent, plain),
        "working": ("customer", 26 * HOUR, sent, worked),
    }
    for name, (per, max_age, is_answer, clock) in asked.items():
        wanted = by_hand(rows, per, max_age, is_answer, clock, split=split)
        mine = {
            (day, person, team): standing.figures[name]
            for day, found in enumerate(sums)
            for (person, team), standing in found.people.items()
            if name in standing.figures
        }
        assert set(mine) == set(wanted), name
        for key, waits in wanted.items():
            hits = Fraction(sum(waits), 1_000)
            if name == "soon":
                hits = Fraction(sum(wait <= 4 * 60_000 for wait in waits))
            assert (mine[key].hits, mine[key].of) == (hits, Fraction(len(waits))), (name, key)
            assert mine[key].events == len(waits)
        assert len(wanted) >= 6
        assert sum(map(sum, wanted.values())) > 0


def test_they_are_read_from_a_log(tmp_path: Path) -> None:
    """Decoded, released and summed up by the command's own reading; also from before the day."""
    rows = sorted(stream(3), key=lambda row: row["time"])
    for place, row in enumerate(rows):
        row |= {"id": f"e{place}", "time": row["time"] + place % 1_000}
    rows.sort(key=lambda row: row["time"])
    told = [{name: value for name, value in row.items() if value is not None} for row in rows]
    path = write(tmp_path / "events.jsonl", told)
    (found,) = tallied(path, [made()], DAYS).sums
    wanted = by_hand(
        rows, "conversation", 3 * HOUR,
        lambda row: row["type"] == "message.sent" and row["auto"] is False, plain, split=False,
    )  # fmt: skip
    mine = {
        (day, person, ""): standing.figures["mean"].hits
        for day, sums in enumerate(found)
        for (person, _), standing in sums.people.items()
        if "mean" in standing.figures
    }
    assert mine == {key: Fraction(sum(waits), 1_000) for key, waits in wanted.items()}
    assert len(mine) == 6


def test_the_shipped_ones_are_figures() -> None:
    found = []
    for pack in sorted(SHIPPED_PACKS.glob("*/indicators.yaml")):
        for each in load_indicators(pack).value.indicators:
            if each.kind == "response":
                figures = {"x": {"indicator": each.id}}
                lines = [{"id": "pay", "formula": "coalesce(x, 0)", "pays": True}]
                found.append(card((each,), figures=figures, parameters={}, lines=lines))
    assert len(found) >= 4


def test_more_conversations_than_there_is_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TALKS_MAX", 3)
    tally = Tally(made().formulas, DAYS)
    frame = pl.DataFrame(stream(1, 100), infer_schema_length=None)
    with pytest.raises(UsageError, match="more than 3 conversations"):
        tally.add(frame)
