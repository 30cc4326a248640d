"""Records: valid under the catalogue, reproducible to the byte, delivered as stated."""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import partial
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from monitor.errors import UsageError
from monitor.events.batch import DIMENSIONS
from monitor.events.catalogue import EVENT_TYPES, FIELDS
from monitor.events.decode import Decoder
from monitor.events.settings import EventSettings
from monitor.simulate.lines import TYPES
from monitor.simulate.scenarios import SCENARIOS, Delivery
from monitor.simulate.truth import Truth
from monitor.source.base import Fetched, Partition
from tests.simulate.made import MINUTE_MS, START_MS, Run, made, run

ALL = sorted(SCENARIOS)


def digest(records: pl.DataFrame) -> str:
    return hashlib.sha256("\n".join(records["line"]).encode()).hexdigest()


@pytest.mark.parametrize("scenario", ["number-going-bad", "late-and-duplicate"])
def test_a_seed_gives_the_same_bytes(scenario: str) -> None:
    again = pl.concat(made(scenario).chunks())
    assert digest(again) == digest(run(scenario).records)
    other = pl.concat(made(scenario, seed=2).chunks())
    assert digest(other) != digest(again)


def test_another_delivery_carries_the_same_events() -> None:
    delivery = Delivery(late_share=0.5, duplicate_share=0.5)
    first = run("number-going-bad").records.filter(~pl.col("copy"))
    second = pl.concat(made("number-going-bad", delivery=delivery).chunks())
    second = second.filter(~pl.col("copy"))
    assert sorted(first["line"]) == sorted(second["line"])
    assert first["line"].to_list() != second["line"].to_list()


@pytest.mark.parametrize("scenario", ALL)
def test_every_record_decodes_and_carries_only_what_its_type_has(scenario: str) -> None:
    records = run(scenario, live_states=scenario == "demo").records
    values = [line.encode() for line in records["line"]]
    fetched = Fetched(
        partition=Partition("all", 0),
        offsets=np.arange(len(values), dtype=np.int64),
        timestamps=records["arrival"].to_numpy(),
        append_time=False,
        values=values,
        next_position=len(values),
    )
    decoder = Decoder(frozenset(FIELDS), frozenset(EVENT_TYPES), EventSettings())
    decoded = decoder.decode(fetched)
    assert decoded.rejects == []
    assert decoded.frame["type"].to_list() == [TYPES[code] for code in records["type"]]
    assert decoded.frame["time"].to_list() == records["time"].to_list()
    assert decoded.frame["id"].to_list() == records["id"].to_list()
    for record in map(msgspec.json.decode, values[:3_000]):
        allowed = {"id", "type", "time", *DIMENSIONS, *EVENT_TYPES[record["type"]].fields}
        assert set(record) <= allowed


def test_records_are_about_the_size_of_real_ones() -> None:
    records = run("normal-day").records
    sizes = records["line"].str.len_bytes()
    assert 250 <= sizes.to_numpy().mean() <= 450
    assert sizes.to_numpy().max() < 800


@pytest.mark.parametrize("scenario", ALL)
def test_arrival_is_ascending_and_never_before_the_event(scenario: str) -> None:
    records = run(scenario, live_states=scenario == "demo").records
    assert records["arrival"].is_sorted()
    assert (records["arrival"] - records["time"]).min() >= 5  # type: ignore[operator]
    assert records["time"].min() >= START_MS  # type: ignore[operator]
    assert records["time"].max() < START_MS + 60 * MINUTE_MS  # type: ignore[operator]
    originals = records.filter(~pl.col("copy"))
    assert originals["id"].n_unique() == originals.height


def shares(done: Run) -> dict[str, float]:
    originals = done.records.filter(~pl.col("copy"))
    took = (originals["arrival"] - originals["time"]).to_numpy()
    return {
        "duplicate": done.records.height / originals.height - 1,
        "late": float(((took > 1_000) & (took < 15 * MINUTE_MS)).mean()),
        "too_late": float((took >= 15 * MINUTE_MS).mean()),
    }


def test_late_and_duplicate_shares_are_as_stated() -> None:
    done = run("late-and-duplicate")
    found, truth = shares(done), done.simulation.truth
    assert (truth.duplicate_share, truth.late_share, truth.too_late_share) == (0.05, 0.1, 0.002)
    assert found["duplicate"] == pytest.approx(0.05, rel=0.1)
    assert found["late"] == pytest.approx(0.1, rel=0.1)
    assert found["too_late"] == pytest.approx(0.002, rel=0.35)


def test_other_scenarios_stay_within_a_second_and_repeat_little() -> None:
    found = shares(run("number-going-bad"))
    assert (found["late"], found["too_late"]) == (0, 0)
    assert 0 < found["duplicate"] < 0.002
    records = run("number-going-bad").records
    assert not records["time"].is_sorted()


def test_a_duplicate_is_the_same_record_later() -> None:
    records = run("late-and-duplicate").records
    first = records.filter(~pl.col("copy"))
    both = records.filter(pl.col("copy")).join(first, on="id", suffix="_first")
    assert both.height == records["copy"].sum()
    for name in ("line", "key", "time"):
        assert (both[name] == both[f"{name}_first"]).all()
    pause = both["arrival"] - both["arrival_first"]
    assert 1 <= pause.min() <= pause.max() <= 60_000  # type: ignore[operator]


@pytest.mark.parametrize("scenario", ["normal-day", "late-and-duplicate"])
def test_the_truth_counts_what_was_written(scenario: str) -> None:
    done = run(scenario)
    truth, records = done.simulation.truth, done.records
    originals = records.filter(~pl.col("copy"))
    assert truth.events == Counter(TYPES[code] for code in originals["type"])
    assert truth.duplicates == records.height - originals.height
    took = originals["arrival"] - originals["time"]
    assert truth.too_late == (took >= 15 * MINUTE_MS).sum()
    assert truth.late == ((took > 1_000) & (took < 15 * MINUTE_MS)).sum()


def test_ids_have_one_key_so_one_partition() -> None:
    records = run("late-and-duplicate").records
    assert records.group_by("id").agg(pl.col("key").n_unique())["key"].max() == 1
    assert records["key"].null_count() == 0


def test_live_states_add_starts_connections_and_states() -> None:
    plain, live = run("normal-day"), run("normal-day", live_states=True)
    assert "call.started" not in plain.simulation.truth.events
    events = live.simulation.truth.events
    # Both are close to the rate; each call that ended had started, edges of the hour apart.
    assert events["call.started"] == pytest.approx(events["call.ended"], rel=0.05)
    assert events["call.connected"] == pytest.approx(0.45 * events["call.started"], rel=0.1)
    # Who talks at the start says so without a connection.
    states = dict(live.ask(f"SELECT state, count(*) FROM events WHERE t > {START_MS} GROUP BY 1"))
    assert states["talking"] == pytest.approx(events["call.connected"], rel=0.001)


@pytest.mark.parametrize("scenario", [name for name in ALL if name != "quiet-night"])
def test_the_rate_is_as_asked_for(scenario: str) -> None:
    records = run(scenario, live_states=scenario == "demo").records
    originals = records.height - records["copy"].sum()
    assert originals == pytest.approx(12.0 * 3_600, rel=0.1)


def test_the_pieces_end_where_the_live_part_begins() -> None:
    live_ms = START_MS + 10 * MINUTE_MS + 300
    pieces = list(made("normal-day", duration_ms=11 * MINUTE_MS).chunks(live_ms=live_ms))
    spans = [(p["arrival"][0], p["arrival"][-1]) for p in pieces if p.height]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert sum(1 for begin, _ in spans if begin >= live_ms) >= 50
    assert all(end - begin <= 1_000 for begin, end in spans[:-1] if begin >= live_ms)


def test_numbers_that_telephony_blocked_are_not_dialled() -> None:
    simulation = made("normal-day", duration_ms=10 * MINUTE_MS, numbers=40)
    campaign = simulation.centre.pools()["campaign-1"]
    for blocked, expected in ((campaign[:3], campaign[3:]), (campaign, campaign)):
        simulation = made("normal-day", duration_ms=10 * MINUTE_MS, numbers=40)
        records = pl.concat(simulation.chunks(blocked=partial(list, blocked)))
        late = records.filter(pl.col("time") >= START_MS + MINUTE_MS)
        used = set(Run(simulation, late).ask("SELECT DISTINCT number FROM calls")) & {
            (number,) for number in campaign
        }
        assert {number for (number,) in used} == set(expected)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"scenario": "nonsense"}, "there are normal-day, number-going-bad"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"rate": float("nan")}, "rate must be above 0"),
        ({"duration_ms": 999}, "duration"),
        ({"numbers": 0}, "numbers 1 to"),
        ({"agents": 0}, "agents"),
        ({"agents": 3}, "it takes"),
    ],
)
def test_figures_that_do_not_fit_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        made(**{"scenario": "normal-day", **wrong})


def test_more_agents_idle_more_and_make_as_many_calls() -> None:
    simulation = made("normal-day", agents=900)
    assert len(simulation.centre.agents) == 900
    assert pl.concat(simulation.chunks()).height == pytest.approx(12.0 * 3_600, rel=0.1)


def test_the_truth_is_readable(tmp_path: Any) -> None:
    truth: Truth = run("flagged-number").simulation.truth
    truth.write(tmp_path / "deep" / "truth.json")
    told = msgspec.json.decode((tmp_path / "deep" / "truth.json").read_bytes())
    assert told["start"] == "2026-11-22T01:00:00Z"
    assert told["should_suspend"] == [item["name"] for item in told["planted"]]
    assert told["planted"][0]["cleared"] == told["planted"][0]["until"]
    assert told["healthy"]["hangup"] == 0.18
    assert sum(told["events"].values()) == sum(truth.events.values())
