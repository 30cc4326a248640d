"""When episodes that nobody knows any more are ended; the whole of it is ``tests/daemon``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from monitor.clock import ManualClock
from monitor.engine import Outcome
from monitor.errors import StoreError
from monitor.running.parts import Parts, Progress
from monitor.running.rebuild import REASON, close_orphans
from tests.store.made import alert

SILENT, PROMISED = 10_000, 20_000


def parts_at(judged: int, *known: str) -> tuple[Parts, list[Outcome]]:
    """A run that has judged so far, whose rules know these episodes; and what it records."""
    recorded: list[Outcome] = []
    one = alert(15_000, episode="e1")
    states = SimpleNamespace(alerts=[SimpleNamespace(episode=each) for each in known])
    found: Any = SimpleNamespace(
        engine=SimpleNamespace(
            judged=judged,
            silent_until=SILENT,
            promised=PROMISED,
            judges=SimpleNamespace(rules=SimpleNamespace(states=lambda: states)),
        ),
        progress=Progress(rebuilding=True),
        clock=ManualClock(),
        store=SimpleNamespace(
            episodes=SimpleNamespace(
                current=lambda *, resolved_since_ms: [  # noqa: ARG005 - the interface's
                    SimpleNamespace(firing=True, alert=one)
                ]
            )
        ),
        recorder=SimpleNamespace(record=recorded.append),
    )
    return cast("Parts", found), recorded


@pytest.mark.parametrize("judged", [SILENT, SILENT + 200, PROMISED - 200])
def test_not_before_all_is_judged_again_that_was_judged(judged: int) -> None:
    parts, recorded = parts_at(judged)
    close_orphans(parts)
    assert recorded == []
    assert parts.progress.rebuilding


def test_one_that_nobody_knows_ends_at_what_is_judged() -> None:
    parts, recorded = parts_at(PROMISED)
    close_orphans(parts)
    close_orphans(parts)
    ((ended,),) = [outcome.decisions for outcome in recorded]
    assert (ended.state, ended.reason, ended.at_ms) == ("resolved", REASON, PROMISED)  # type: ignore[union-attr]
    assert ended.id != alert(15_000, episode="e1").id


def test_a_store_that_cannot_be_read_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended the daemon: seed 1187."""
    parts, recorded = parts_at(PROMISED)
    with monkeypatch.context() as patch:
        patch.setattr(parts.store.episodes, "current", refuses)
        with pytest.raises(StoreError):
            close_orphans(parts)
    assert recorded == []
    close_orphans(parts)
    assert len(recorded) == 1


def refuses(**_: object) -> None:
    raise StoreError("the disk does not read")


def test_one_that_the_rules_know_goes_on() -> None:
    parts, recorded = parts_at(PROMISED, "e1")
    close_orphans(parts)
    assert [outcome.decisions for outcome in recorded] == [[]]
