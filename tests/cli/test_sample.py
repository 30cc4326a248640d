"""``monitor sample``: the same customers in every run, and as many as asked for."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from monitor.events.sampling import Draw, choose, first_of, score, week_of
from tests.cli.program import monitor

MONDAY = 1_795_392_000_000
"""2026-11-23 00:00 UTC: week 48 begins."""
DAY = 86_400_000
Event = dict[str, Any]


def events() -> list[Event]:
    """Two agents with 200 and 10 new customers in week 48, and one of the week before."""
    rng = random.Random(1)
    made: list[Event] = []
    for number in range(210):
        agent = "a1" if number < 200 else "a2"
        claimed: Event = {
            "id": f"new{number}",
            "type": "customer.claimed",
            "time": MONDAY + rng.randrange(7 * DAY),
            "customer": f"+86138000{number:05}",
            "agent": agent,
        }
        again = {**claimed, "id": f"again{number}", "type": "customer.qualified", "agent": "a3"}
        again["time"] = claimed["time"] + 1
        called = {**claimed, "id": f"call{number}", "type": "call.ended"}
        made += [claimed, again, called]
    early = {**made[0], "id": "early", "time": MONDAY - 1, "customer": "old"}
    return [*made, early, {**early, "id": "later", "time": MONDAY + 1, "agent": "a2"}]


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(tmp_path / "events.jsonl", events())


def written(path: Path, what: list[Event]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in what))
    return path


def sampled(*arguments: str | Path) -> list[dict[str, Any]]:
    done = monitor("sample", "--seed", "s", *arguments)
    assert done.status == 0, done.err
    return done.lines


def test_the_score_is_the_documented_hash() -> None:
    text = "s\x1f2026-W48\x1fa1\x1f+8613800000000"
    whole = int(hashlib.blake2b(text.encode(), digest_size=8).hexdigest(), 16)
    assert score("s", "2026-W48", "a1", "+8613800000000") == whole / 2**64


def test_an_agents_week_is_drawn_from(recorded: Path) -> None:
    found = sampled("--from", recorded, "--customers", "--at-most", "1000", "--week", "2026-W48")
    mine = [each for each in found if each["agent"] == "a1"]
    assert 25 < len(mine) < 55, "about a fifth of 200"
    assert {each["new_customers"] for each in mine} == {200}
    assert all(each["score"] < 0.2 for each in found)
    assert not [each for each in found if each["agent"] == "a3"], "first claimed by another"
    assert not [each for each in found if each["customer"] == "old"], "new the week before"
    (one, *_) = mine
    number = one["event"].removeprefix("new")
    assert [record["id"] for record in one["records"]] == sorted([f"new{number}", f"call{number}"])
    assert one["score"] == score("s", one["week"], one["agent"], one["customer"])


def test_bounds_for_an_agent_and_week(recorded: Path) -> None:
    found = sampled("--from", recorded, "--week", "2026-W48")
    assert sum(each["agent"] == "a1" for each in found) == 10, "at most ten"
    whole = sampled("--from", recorded, "--share", "100%", "--at-most", "5")
    assert sum(each["agent"] == "a2" for each in whole) == 5
    least = sampled("--from", recorded, "--share", "0%", "--at-least", "3", "--week", "2026-W48")
    assert [each["agent"] for each in least] == ["a1"] * 3 + ["a2"] * 3
    few = sampled("--from", recorded, "--at-least", "3", "--week", "2026-W47")
    assert len(few) == 1, "there was one new customer"
    scores = [each["score"] for each in found if each["agent"] == "a1"]
    assert scores == sorted(scores)


def test_any_order_of_records_gives_the_same(recorded: Path, tmp_path: Path) -> None:
    mixed = events() + events()[:50]
    random.Random(2).shuffle(mixed)
    other = written(tmp_path / "mixed.jsonl", mixed)
    assert sampled("--from", other) == sampled("--from", recorded)
    assert sampled("--from", recorded, "--seed", "t") != sampled("--from", recorded)


def test_customers_are_masked_and_formulas_are_none(recorded: Path) -> None:
    with recorded.open("a") as more:
        evil = {"id": "evil", "type": "customer.claimed", "time": MONDAY, "agent": "=1+1"}
        more.write(json.dumps({**evil, "customer": "@example"}) + "\n")
    done = monitor(
        "sample", "--seed", "s", "--from", recorded, "--format", "csv", "--at-least", "1"
    )
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert {row["customer"][:6] for row in rows if row["agent"] == "a1"} == {"+8613…", "…"}
    assert [row["customer"] for row in rows if row["agent"] == "'=1+1"] == ["'@e…"]
    assert all(row["records"] for row in rows)
    assert "customers of 212 new ones" in done.err
    shown = monitor("sample", "--seed", "s", "--from", recorded, columns=100)
    assert "+8613…" in shown.out
    assert "+86138000" not in shown.out


def test_the_configured_files_are_read_where_none_are_named(recorded: Path) -> None:
    config = recorded.with_name("config.yaml")
    config.write_text(f"version: 1\nsource: {{kind: files, paths: ['{recorded}'], follow: true}}\n")
    assert sampled() == sampled("--from", recorded)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--share", "0.2"], "write a share such as 20%"),
        (["--share", "120%"], "120% is no share"),
        (["--week", "47"], "47 is no ISO week"),
        (["--tz", "Asia/Shangai"], "Did you mean 'Asia/Shanghai'?"),
        (["--new", "customer.claim"], "Did you mean 'customer.claimed'?"),
        (["--at-least", "11"], "--at-least is more than --at-most"),
        (["--since", "2026-11-22T09:00"], "--since and --until are for --kafka"),
        (["--kafka"], "--kafka"),
    ],
)
def test_what_is_wrong_is_said(recorded: Path, arguments: list[str], said: str) -> None:
    done = monitor("sample", "--seed", "s", "--from", recorded, *arguments)
    assert done.status == 2
    assert said in " ".join(done.err.replace("│", " ").split())


def test_weeks_are_those_of_the_zone() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    assert week_of(MONDAY - 8 * 3_600_000, shanghai) == "2026-W48"
    assert week_of(MONDAY - 8 * 3_600_000 - 1, shanghai) == "2026-W47"
    assert week_of(1_798_761_600_000, ZoneInfo("UTC")) == "2026-W53"  # 1 January 2027


@pytest.mark.untraced
@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 20 * DAY), st.sampled_from("ab"), st.integers(0, 30)), max_size=60
    ),
    st.floats(0, 1),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_order_and_others_do_not_matter(
    drawn: list[tuple[int, str, int]], share: float, at_least: int, rng: random.Random
) -> None:
    rows = [
        {"id": f"e{place}", "time": MONDAY + time, "customer": f"c{number}", "agent": agent}
        for place, (time, agent, number) in enumerate(drawn)
    ]
    schema = {"id": pl.String, "time": pl.Int64, "customer": pl.String, "agent": pl.String}
    draw, utc = Draw("s", share, at_least, 5), ZoneInfo("UTC")
    chosen = choose(first_of(pl.DataFrame(rows, schema=schema)), draw, utc)
    rng.shuffle(rows)
    assert choose(first_of(pl.DataFrame(rows, schema=schema)), draw, utc) == chosen
    for each in chosen:  # the hash alone, where no bound is at work
        of = sum(other.week == each.week and other.agent == each.agent for other in chosen)
        assert each.score < share or of <= at_least
        assert of <= 5
