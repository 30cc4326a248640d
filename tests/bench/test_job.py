"""The generator: the same seed is the same bytes, and what is asked for is in them."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from bench.job import Job, event_lines, write_events, write_pack
from bench.throughput import replay
from monitor.site import load_site

JOB = Job("small", events=4_000, density=200)


def ids(path: Path) -> Counter[str]:
    return Counter(json.loads(line)["id"] for line in path.read_text("utf-8").splitlines())


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    write_events(JOB, tmp_path / "one")
    write_events(JOB, tmp_path / "two")
    digests = {hashlib.md5((tmp_path / name).read_bytes()).hexdigest() for name in ("one", "two")}  # noqa: S324 - not for security
    assert len(digests) == 1
    other = Job("small", JOB.events, JOB.density, seed=2)
    assert event_lines(other).to_list() != event_lines(JOB).to_list()


def test_duplicates_are_copies_that_come_later(tmp_path: Path) -> None:
    path = tmp_path / "events"
    write_events(Job("twice", JOB.events, JOB.density, duplicates=0.25), path)
    found = ids(path)
    assert found.total() == JOB.events
    assert len(found) == 0.75 * JOB.events


def test_all_numbers_are_seen_where_they_are_many() -> None:
    numbers = 2_500
    lines = event_lines(Job("many", JOB.events, JOB.density, numbers=numbers))
    assert len({json.loads(line)["number"] for line in lines}) == numbers


@pytest.mark.parametrize("disorder_ms", [0, 60_000])
def test_disorder_is_that_of_the_arrival(disorder_ms: int) -> None:
    lines = event_lines(Job("late", JOB.events, JOB.density, disorder_ms=disorder_ms))
    times = [json.loads(line)["time"] for line in lines]
    assert (times == sorted(times)) == (disorder_ms == 0)


def test_hostile_records_come_on_top_and_are_dead_letters(tmp_path: Path) -> None:
    path = tmp_path / "events"
    write_events(Job("bad", JOB.events, JOB.density, hostile=0.05), path)
    _, engine = replay(load_site(None, packs=[write_pack(tmp_path / "pack")]), path)
    assert engine.stats.records.total() == JOB.events * 1.05
    assert 0.9 < engine.stats.rejects.total() / (JOB.events * 0.05) <= 1
    assert len(engine.stats.rejects) > 5


def test_a_pack_has_as_many_of_everything_as_is_asked(tmp_path: Path) -> None:
    windows = ("30m", "1h", "5m")
    site = load_site(
        None, packs=[write_pack(tmp_path / "pack", indicators=9, rules=40, windows=windows)]
    )
    assert len(site.indicators) == 9
    assert {len(indicator.windows) for indicator in site.indicators} == {3}
    assert len({rule.id for rule in site.rules}) == 40
