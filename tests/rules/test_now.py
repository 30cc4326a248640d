"""Rules on figures as of now, end to end: stories, replay, exporter."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.errors import ConfigError
from monitor.exporter.figures import choose, text
from monitor.indicators.compile import BEGINNING, IndicatorSet
from monitor.replay import indicator_lines, replay_engine, run_story
from monitor.rules.cases import RuleTest, load_cases, scenario
from monitor.rules.figure_rule import FigureRule
from monitor.rules.load import loads_rules
from monitor.rules.testing import run_tests
from monitor.running.layout import LAYOUT
from monitor.site import load_site
from monitor.snapshot import IndicatorInfo, capture
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from monitor.store.checkpoint import Checkpoints
from monitor.windows.limits import WindowLimits
from tests.whole import whole

PACK = Path(__file__).parent / "now_pack"
SITE = load_site(None, packs=[PACK])
CASES = load_cases(PACK / "rules.test.yaml", SITE.rules)


def test_every_story_comes_out_as_told() -> None:
    results = run_tests(CASES, functools.partial(run_story, SITE), ManualClock())
    assert [result for result in results if not result.passed] == []
    assert len(results) == len(CASES.value.tests)


def engine(word: str) -> Any:
    """The engine after the events of the story whose name has these words in it."""
    test: RuleTest = next(each for each in CASES.value.tests if word in each.name)
    story = scenario(test, index=0)
    partition, source = Partition("crm", 0), MemorySource([Partition("crm", 0)])
    source.append(partition, [msgspec.json.encode(event) for event in story.events])
    source.finish()
    source.start({}, None)
    decisions: list[Decision] = []
    made = replay_engine(SITE, source, decisions.append)
    made.run_to_end()
    return made


def test_a_replay_shows_them() -> None:
    lines = [
        line
        for line in indicator_lines(engine("graded close"))
        if line["indicator"] == "close_quota"
    ]
    assert [(line["scope"]["agent"], line["window"], line["value"]) for line in lines] == [
        ("a", "now", 2),
        ("b", "now", 2),
    ]


def test_the_exporter_shows_them() -> None:
    made = engine("just below")
    view = made.judges.indicators.view("conversation_depth", ("agent",), "now")
    info = IndicatorInfo("conversation_depth", view.kind, "lower", {})
    figures = capture(view, info, tick=made.judged, keys_max=10)
    written = text(choose([figures], ["agent"], 100)).decode()
    assert (
        'callcentre_indicator_ratio{indicator="conversation_depth",window="now",scope="agent"'
        in written
    )
    assert figures.covered


def test_a_checkpoint_on_disk_carries_them_over(tmp_path: Path) -> None:
    first = engine("customer stall")
    Checkpoints(tmp_path).save({"layout": LAYOUT, "engine": first.snapshot()})
    state = Checkpoints(tmp_path).load()
    assert state is not None
    again = replay_engine(SITE, MemorySource([Partition("crm", 0)]), lambda _decision: None)
    again.restore(state["engine"])
    assert list(indicator_lines(again)) == list(indicator_lines(first)) != []
    assert repr(whole(again.snapshot()["indicators"])) == repr(
        whole(first.snapshot()["indicators"])
    )


def test_other_words_for_what_is_counted_are_another_rule() -> None:
    [share] = [each for each in SITE.indicators if each.id == "conversation_depth"]
    other = share.model_copy(update={"share": "level <= 3"})
    for changed, same in ((share, True), (other, False)):
        figures = IndicatorSet(
            [changed], tick_ms=5_000, limits=WindowLimits(), covered_from=BEGINNING
        )
        rule = FigureRule(SITE.rules[0], figures, tick_ms=5_000, scope_day_ms=1)
        assert (rule.definition == definition()) is same


def definition() -> str:
    figures = IndicatorSet(
        SITE.indicators, tick_ms=5_000, limits=WindowLimits(), covered_from=BEGINNING
    )
    return FigureRule(SITE.rules[0], figures, tick_ms=5_000, scope_day_ms=1).definition


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("window: now/window: 24h", "conversation_depth has no window 24h (its windows: now)"),
        (
            "evidence: {method: raw, min_of: 4}/",
            "evidence has to be said: the default needs counts",
        ),
        ("above: 30%, clear: 25%/above: 3", "conversation_depth is a share, not a plain number"),
    ],
)
def test_what_a_rule_cannot_say(change: str, fault: str) -> None:
    old, new = change.split("/")
    words = (PACK / "rules.yaml").read_text()
    with pytest.raises(ConfigError) as caught:
        loads_rules(words.replace(old, new), PACK / "rules.yaml", SITE.indicators)
    assert fault in str(caught.value)
