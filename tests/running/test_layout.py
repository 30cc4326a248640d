"""Checkpoints that earlier programs wrote are read by this one.

``tests/fixtures/upgrade`` holds a recorded hour and, for each older layout, the checkpoint that a
program of that time wrote after the first records of it. The fixtures are never written again.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from monitor.decisions import Decision
from monitor.engine import Engine
from monitor.errors import CheckpointError
from monitor.replay import replay_engine
from monitor.running.layout import LAYOUT, upgraded
from monitor.site import load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from monitor.store.checkpoint import Checkpoints
from tests.whole import whole

FIXTURES = Path(__file__).parents[1] / "fixtures" / "upgrade"
CALLS = Partition("calls", 0)
READ = 3_000
"""Records that were read before the checkpoint."""
COPIES = 400
"""Of these, the last so many come again after it."""
OLDER = range(1, LAYOUT)


def records() -> list[bytes]:
    return gzip.decompress((FIXTURES / "events.jsonl.gz").read_bytes()).splitlines()


def feed() -> MemorySource:
    """The hour, with copies of what was read before the checkpoint right after it."""
    lines = records()
    source = MemorySource([CALLS])
    source.append(CALLS, [*lines[:READ], *lines[READ - COPIES : READ], *lines[READ:]])
    source.finish()
    return source


def run(state: dict[str, Any] | None) -> tuple[Engine, list[Decision]]:
    source, decisions = feed(), list[Decision]()
    # The pack of that time: what it has got since is not in the checkpoints.
    site = load_site(None, packs=[FIXTURES / "telemarketing"])
    engine = replay_engine(site, source, decisions.append)
    source.start({} if state is None else engine.restore(state["engine"]), None)
    engine.run_to_end()
    return engine, decisions


def figures(engine: Engine) -> dict[tuple[str, str, str], Counter[tuple[str, int, int]]]:
    """Every figure of every key at the end."""
    found = {}
    for view in engine.judges.indicators.views():
        ids = view.keys.living()
        hits, of = view.figures(ids)
        rows = zip(view.keys.names(ids), hits.tolist(), of.tolist(), strict=True)
        place = (view.indicator.id, "+".join(view.by), view.window)
        found[place] = Counter(row for row in rows if row[1:] != (0, 0))
    return found


def load(folder: Path, layout: int) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    shutil.copy(FIXTURES / f"layout-{layout}.ckpt", folder / "checkpoint-000000000001.ckpt")
    state = Checkpoints(folder).load()
    assert state is not None
    return state


def test_every_older_layout_has_a_fixture() -> None:
    assert {path.stem for path in FIXTURES.glob("*.ckpt")} == {f"layout-{n}" for n in OLDER}


@pytest.mark.parametrize("layout", OLDER)
def test_a_run_goes_on_from_an_older_checkpoint(tmp_path: Path, layout: int) -> None:
    undisturbed, decisions = run(None)
    resumed, later = run(upgraded(load(tmp_path, layout)))
    assert later
    assert [each.id for each in later] == [each.id for each in decisions][-len(later) :]
    assert figures(resumed) == figures(undisturbed)
    dropped = sum(n for (_, outcome), n in resumed.stats.events.items() if outcome == "duplicate")
    rest = [json.loads(line)["id"] for line in records()[READ:]]
    own = len(rest) - len(set(rest))
    assert dropped == COPIES + own


def test_the_numbers_alone_are_read_as_well(tmp_path: Path) -> None:
    """What the store keeps of a state, for when there is no checkpoint."""
    state = load(tmp_path, 2)
    engine = {name: state["engine"][name] for name in ("judged", "desk")}
    found = upgraded({"layout": 2, "engine": engine})["engine"]
    assert whole(found["desk"]) == whole(upgraded(state)["engine"]["desk"])
    assert set(found) == {"judged", "desk"}


def test_a_suspension_of_layout_2_has_its_one_cause(tmp_path: Path) -> None:
    (record,) = load(tmp_path, 2)["engine"]["desk"]["ledger"]["records"]
    (mine,) = upgraded(load(tmp_path, 2))["engine"]["desk"]["ledger"]["records"]
    assert record["state"] == "suspended"
    assert [(c["rule"], c["until_ms"], c["release"]) for c in mine["causes"]] == [
        (record["rule"], record["until_ms"], record["release"])
    ]
    assert (mine["told_ms"], mine["kept_ms"]) == (record["until_ms"], record["until_ms"])


def test_terms_under_way_in_layout_2_fall_back_to_those_confirmed(tmp_path: Path) -> None:
    state = load(tmp_path, 2)
    (record,) = state["engine"]["desk"]["ledger"]["records"]
    record.update(old_release="time", old_until_ms=record["until_ms"], until_ms=None)
    record["release"] = "cleared"
    (mine,) = upgraded(state)["engine"]["desk"]["ledger"]["records"]
    assert (mine["told_ms"], mine["kept_ms"]) == (None, record["old_until_ms"])
    assert [cause["release"] for cause in mine["causes"]] == ["cleared"]


@pytest.mark.parametrize("owed", [True, False])
def test_a_number_that_was_coming_back_in_layout_2_has_no_cause(
    tmp_path: Path, *, owed: bool
) -> None:
    state = load(tmp_path, 2)
    (record,) = state["engine"]["desk"]["ledger"]["records"]
    record.update({"owed": True} if owed else {"state": "resuming"})
    (mine,) = upgraded(state)["engine"]["desk"]["ledger"]["records"]
    assert mine["causes"] == []


def test_todays_layout_is_left_as_it_is(tmp_path: Path) -> None:
    state = upgraded(load(tmp_path, 1))
    assert state["layout"] == LAYOUT
    assert upgraded(state) == state


@pytest.mark.parametrize("layout", [0, LAYOUT + 1, "2", None])
def test_a_layout_of_another_time_is_refused(layout: object) -> None:
    with pytest.raises(CheckpointError, match=f"layout {layout}, and this program reads 1 to"):
        upgraded({"layout": layout})
