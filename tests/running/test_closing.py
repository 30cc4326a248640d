"""Several things that end at once, in a time that is known."""

from __future__ import annotations

import threading
import time

from structlog.testing import capture_logs

from monitor.running.closing import close_all


def test_all_are_closed_at_once_and_what_hangs_is_named_and_left() -> None:
    let_go, done = threading.Event(), []

    def breaks() -> None:
        raise OSError("no such thing")

    def slow() -> None:
        time.sleep(0.2)
        done.append("slow")

    closings = {"hangs": lambda: let_go.wait(60), "breaks": breaks, "slow": slow}
    started = time.monotonic()
    with capture_logs() as logs:
        assert close_all(closings, within_s=1.0) == ["hangs"]
    assert time.monotonic() - started < 10
    assert done == ["slow"]
    assert [line["what"] for line in logs] == ["breaks", ["hangs"]]
    let_go.set()


def test_it_takes_no_longer_than_the_things_do() -> None:
    started = time.monotonic()
    assert close_all({"quick": lambda: None}, within_s=30.0) == []
    assert time.monotonic() - started < 10
