"""Each shipped mapping: its fixtures become events that the engine counts, or dead letters."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from monitor.events.rejects import MemoryDeadLetters
from monitor.mapping.find import shipped
from monitor.mapping.fixtures import cases, check_fixtures
from monitor.mapping.load import load_mapping
from monitor.mapping.records import read_records
from monitor.replay import replay_engine
from monitor.site import load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from monitor.stats import Stats
from tests.docs.markdown import ROOT

FIXTURES = ROOT / "tests" / "fixtures" / "mappings"
NAMES = sorted(shipped())


def lines(name: str, kind: str) -> list[dict[str, Any]]:
    files = sorted((FIXTURES / name).glob(f"*.{kind}.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_all_that_the_issue_names_are_there() -> None:
    assert NAMES == [
        "amazon-connect",
        "asterisk-cdr",
        "asterisk-cel",
        "freeswitch",
        "twilio-calls",
        "twilio-status",
        "vicidial",
        "whatsapp",
    ]
    assert [load_mapping(path).name for path in shipped().values()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_fixtures_become_what_stands_beside_them(name: str) -> None:
    mapper = load_mapping(shipped()[name]).mapper
    assert [str(each) for each in check_fixtures(mapper, FIXTURES / name)] == []
    assert lines(name, "events")
    assert lines(name, "broken"), "a fixture that breaks belongs to each"


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_counts_them_and_a_broken_field_is_a_dead_letter(
    name: str, tmp_path: Path
) -> None:
    """Of WhatsApp the made ones alone: the published samples are years apart, tick by tick."""
    config = tmp_path / "config.yaml"
    config.write_text(
        f"version: 1\ntime: {{lateness: 6h}}\nmappings: {{topics: {{foreign: {name}}}}}\n"
    )
    site = load_site(config)
    chosen = [each for each in cases(FIXTURES / name) if name != "whatsapp" or each.stem == "made"]
    records = [raw for case in chosen for _, raw in read_records(case)]
    partition = Partition("foreign", 0)
    source = MemorySource([partition])
    source.append(partition, records)
    source.finish()
    source.start({}, None)
    stats, letters = Stats(), MemoryDeadLetters()
    replay_engine(site, source, lambda _: None, stats=stats, dead_letters=letters).run_to_end()

    mapper = load_mapping(shipped()[name]).mapper
    made = [mapper.of_bytes(raw) for raw in records]
    wanted = Counter(event["type"] for events, _ in made for event in events)
    assert wanted
    assert dict(stats.events) == {(kind, "accepted"): count for kind, count in wanted.items()}
    broken = [each for _, faults in made for each in faults]
    assert broken
    assert [(each.reason, each.detail) for each in letters.kept] == [
        (each.reason, f"mapping {name}, line {each.line}: {each.what}") for each in broken
    ]
    assert all(each.value in records for each in letters.kept), "byte for byte"
    assert stats.unmapped == sum(not events and not faults for events, faults in made)


def test_a_site_that_ends_calls_by_cel_alone_says_so() -> None:
    mapper = load_mapping(shipped()["asterisk-cel"], {"ended": "yes"}).mapper
    records = [raw for _, raw in read_records(FIXTURES / "asterisk-cel" / "call.jsonl")]
    ended = [e for raw in records for e in mapper.of_bytes(raw)[0] if e["type"] == "call.ended"]
    assert [(e["outcome"], e.get("hangup_by")) for e in ended] == [
        ("answered", "customer"),
        ("answered", "agent"),
        ("busy", None),
    ]


def test_freeswitch_may_log_the_agents_legs_alone() -> None:
    mapper = load_mapping(shipped()["freeswitch"], {"legs": "agent"}).mapper
    records = [raw for _, raw in read_records(FIXTURES / "freeswitch" / "legs.jsonl")]
    (event,) = [e for raw in records for e in mapper.of_bytes(raw)[0]]
    assert (event["direction"], event["hangup_by"], event["agent"]) == (
        "outbound",
        "agent",
        "zhang.wei",
    ), "the far end of an agent's leg is the agent"


def test_asterisk_counts_in_the_zone_of_the_pbx() -> None:
    mapper = load_mapping(shipped()["asterisk-cdr"], {"zone": "Asia/Shanghai"}).mapper
    (_, raw), *_ = read_records(FIXTURES / "asterisk-cdr" / "calls.jsonl")
    (event,), _ = mapper.of_bytes(raw)
    assert event["time"] == 1_795_571_524_000
