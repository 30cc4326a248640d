"""The picture says what the engine and its surroundings are like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from monitor.clock import ManualClock
from monitor.config import Config
from monitor.engine import Engine
from monitor.exporter.settings import ExporterSettings
from monitor.publish import Around, Shots, _info, picture
from monitor.recorder import ReplayRecorder
from monitor.replay import Past, replay_engine
from monitor.site import load_site
from monitor.snapshot import AgentPlace, CheckpointStanding, Queue, Snapshot, Unready
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from tests.daemon.folder import BAD, FLAGGED, GOOD, Folder

TICK = 200
START = 1_795_305_600_000
CALLS, CRM = Partition("calls", 0), Partition("crm", 0)


def call(number: str, at: int, *, bad: bool, agent: str = "agent-1", team: str = "team-1") -> bytes:
    hung_up = "customer" if bad else "agent"
    return (
        f'{{"id": "{number}{at}", "type": "call.ended", "time": {START + at}, "number": "{number}",'
        f' "agent": "{agent}", "group": "g-{team}", "team": "{team}", "outcome": "answered",'
        f' "hangup_by": "{hung_up}", "customer": "+8613912345678"}}'
    ).encode()


@pytest.fixture
def engine(folder: Folder) -> Engine:
    folder.write(pools={"defaults": {"max_fraction": "100%"}})
    source = MemorySource([CALLS, CRM])
    source.append(CALLS, [call(BAD, 10 * n, bad=True) for n in range(6)])
    source.append(CALLS, [call(GOOD, 60, bad=False, agent="agent-2", team="team-2")])
    flagged = (
        f'{{"id": "f", "type": "number.flagged", "time": {START + 70}, "number": "{FLAGGED}"}}'
    )
    source.append(CALLS, [flagged.encode()])
    source.finish()
    source.start({}, None)
    made = replay_engine(load_site(folder.path), source, lambda _decision: None, past=Past())
    made.clock = ManualClock(START + 5_000)
    return made


def taken(engine: Engine, settings: ExporterSettings | None = None, **around: object) -> Snapshot:
    views = engine.judges.indicators.views()
    return picture(
        engine,
        tuple({view.indicator.id: view.indicator for view in views}.values()),
        settings or ExporterSettings(),
        around=Around(**around),  # type: ignore[arg-type]
        shots=Shots(),
        pending_limit=77,
    )


def test_before_anything_is_judged_there_is_a_picture(engine: Engine) -> None:
    shown = taken(engine, unready=(Unready("restoring"),), config_hash="abc")
    assert (shown.at_ms, shown.tick_ms, shown.figures) == (None, None, ())
    assert shown.unready == (Unready("restoring"),)
    assert shown.config_hash == "abc"
    assert shown.wall_ms == START + 5_000
    assert [rule.rule for rule in shown.rules] == ["flagged", "hangup", "team"]
    assert [standing.watermark_ms for standing in shown.partitions] == [None, None]
    assert [standing.lag for standing in shown.partitions] == [8, 0]
    assert shown.queues == (Queue("pending_rows", 0, 77),)


def test_after_the_ticks_it_shows_what_they_showed(engine: Engine) -> None:
    engine.run_to_end()
    outbox = Queue("outbox", 3, 10, START)
    checkpoint = CheckpointStanding(START, 9, 3)
    shown = taken(engine, queues=(outbox,), checkpoint=checkpoint)
    assert shown.tick_ms == START + TICK
    assert shown.at_ms is not None
    by = {(f.by, f.window): f for f in shown.figures}
    assert set(by) == {((d,), w) for d in ("number", "team") for w in ("10s", "1m")}
    figures = by[("team",), "10s"]
    assert figures.names == ("team-1", "team-2")
    assert figures.hits.tolist() == [6, 0]
    assert np.allclose(figures.values, [1.0, 0.0])
    assert [(alert.rule, dict(alert.scope)) for alert in shown.alerts] == [
        ("team", {"team": "team-1"})
    ]
    assert {entry.number: entry.state for entry in shown.standing} == {
        BAD: "suspended",
        FLAGGED: "suspended",
    }
    assert shown.numbers["suspended"] == 2
    assert shown.keys["number"].living == 2
    assert shown.keys["number"].limit == 200_000
    assert shown.agents == (
        AgentPlace("agent-1", "g-team-1", "team-1"),
        AgentPlace("agent-2", "g-team-2", "team-2"),
    )
    assert shown.queues == (Queue("pending_rows", 0, 77), outbox)
    assert shown.checkpoint is checkpoint
    assert not shown.frozen
    assert [standing.idle for standing in shown.partitions] == [True, True]
    assert [standing.lag for standing in shown.partitions] == [0, 0]
    assert shown.partitions[0].watermark_ms == START + 70 - 100
    assert shown.partitions[1].watermark_ms is None


def test_only_exported_scopes_are_shown_and_so_many_keys(engine: Engine) -> None:
    engine.run_to_end()
    shown = taken(engine, ExporterSettings(scopes=("team",), keys_max=1, rows_max=1))
    assert {f.by for f in shown.figures} == {("team",)}
    for figures in shown.figures:
        assert (figures.names, figures.dropped) == (("team-1",), 1)
    assert len(shown.standing) == 1
    assert [place.agent for place in shown.agents] == ["agent-1"]


def test_the_organisation_table_comes_before_what_was_seen(engine: Engine) -> None:
    engine.run_to_end()
    shown = taken(engine, agents={"agent-1": ("g9", "t9"), "agent-0": ("g8", "t8")})
    assert shown.agents == (
        AgentPlace("agent-0", "g8", "t8"),
        AgentPlace("agent-1", "g9", "t9"),
        AgentPlace("agent-2", "g-team-2", "team-2"),
    )


def test_a_picture_is_not_the_engine_s_own_memory(engine: Engine) -> None:
    engine.run_to_end()
    shown = taken(engine)
    before = [f.hits.tolist() for f in shown.figures]
    engine.judges.indicators.step(START + 60_000 * 10)
    assert [f.hits.tolist() for f in shown.figures] == before


def test_figures_are_taken_once_a_tick(engine: Engine) -> None:
    engine.run_to_end()
    shots, settings = Shots(), ExporterSettings()
    views = engine.judges.indicators.views()
    infos = {view.indicator.id: _info(view.indicator) for view in views}
    first = shots.take(engine, infos, settings, settings.keys_max)
    assert shots.take(engine, infos, settings, settings.keys_max) is first
    assert {id(f.names) for f in first if f.by == ("team",)} == {id(first[-1].names)}
    engine._judge_until(engine.judged + 60_000)
    later = shots.take(engine, infos, settings, settings.keys_max)
    assert later is not first
    assert [f.hits.tolist() for f in later if f.window == "10s"] == [[0.0, 0.0], [0.0, 0.0]]
    assert shots.take(engine, infos, ExporterSettings(scopes=()), 500) == ()


def test_the_shipped_pack_shows_titles_targets_and_classes() -> None:
    source = MemorySource([CALLS])
    source.start({}, None)
    site = load_site(None)
    made = replay_engine(site, source, lambda _decision: None)
    shown = picture(
        made,
        site.indicators,
        Config().exporter,
        around=Around(),
        shots=Shots(),
        pending_limit=1,
    )
    hangup = next(info for info in shown.indicators if info.id == "hangup_rate")
    assert hangup.title == {"en": "Hang-up within 30 s", "zh": "客户挂断率"}
    assert (hangup.target, hangup.of_class, hangup.better) == (0.25, "result", "lower")
    answer = next(info for info in shown.indicators if info.id == "answer_rate")
    assert (answer.target, answer.better) == (None, "higher")
    assert isinstance(made.recorder, ReplayRecorder)


def test_agents_are_shown_up_to_a_bound_and_the_known_ones_stay_true(engine: Engine) -> None:
    engine.pace = replace(engine.pace, max_places=1)
    engine.run_to_end()
    assert engine.places == {"agent-1": ("g-team-1", "team-1")}
    moved = pl.DataFrame({"agent": ["agent-1", "agent-9"], "group": ["g", "g"], "team": ["t", "t"]})
    engine._note_places(moved)
    assert engine.places == {"agent-1": ("g", "t")}
