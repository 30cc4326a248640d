"""What of the journal a restart takes into memory; the whole of it is ``tests/daemon``."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.running import resume
from monitor.running.parts import Progress
from monitor.source.base import Partition
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from monitor.windows.watermark import TimeSettings, Watermarks

CALLS, SMS = Partition("calls", 0), Partition("sms", 0)


def test_of_what_the_clock_refused_only_what_is_still_to_be_read_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer with a wrong clock must not make every restart larger than the last."""
    monkeypatch.setattr(resume, "REFUSED_PAGE", 3)
    given: list[tuple[Partition, int]] = []
    marks = Watermarks(TimeSettings())
    known = marks.expect

    def expect(floors: Any, refused: Any) -> None:
        refused = list(refused)
        given.extend(refused)
        known(floors, refused)

    marks.expect = expect  # type: ignore[method-assign]
    engine: Any = SimpleNamespace(
        watermarks=marks, pace=SimpleNamespace(tick_ms=5_000), expect=lambda *_: None
    )
    clock = ManualClock(1_800_000_000_000)
    with Store.open(StoreSettings(path=tmp_path / "monitor.db"), clock) as store:
        for poll in range(10):
            for topic, number in (CALLS, SMS):
                payload = {"topic": topic, "number": number, "offsets": [2 * poll, 2 * poll + 1]}
                store.journal.append("refused", clock.now_ms(), payload, key=f"{topic}{poll}")
        parts: Any = SimpleNamespace(engine=engine, store=store, progress=Progress())
        resume._read_journal(parts, {CALLS: 17}, after_ms=0)
    assert [offset for partition, offset in given if partition == CALLS] == [17, 18, 19]
    assert [offset for partition, offset in given if partition == SMS] == list(range(20))
