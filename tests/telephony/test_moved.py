"""Numbers that moved to another system while they were out: looked for once a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.errors import StoreError
from monitor.telephony.moved import Moved
from tests.numbers.made import Table


def test_it_looks_once_for_each_configuration_and_again_where_the_store_refused() -> None:
    table = Table({"spring": {"numbers": ["1", "2"], "max_fraction": "100%"}})
    until_ms = table.suspended("1").until_ms
    asked: list[Sequence[str]] = []
    faults = [StoreError("away")]

    def last_told(numbers: Sequence[str], _systems: Sequence[str]) -> Mapping[str, Sequence[str]]:
        asked.append(numbers)
        if faults:
            raise faults.pop()
        return {"1": ["edge", "lab"]}

    clock, first, second = ManualClock(), object(), object()
    moved = Moved(last_told, lambda _number: ["lab"], ["edge", "lab"], clock)
    with capture_logs() as logs:
        assert moved.poll(table.desk, first) == []
    assert [line["event"] for line in logs] == ["not_looked_for_moved_numbers"]
    (found,) = moved.poll(table.desk, first)
    assert (found.number, found.what, found.system) == ("1", "extra", "edge")
    assert (found.until_ms, found.changes) == (until_ms, table.desk.changes("1"))
    assert moved.poll(table.desk, first) == []
    assert len(moved.poll(table.desk, second)) == 1
    assert asked == [["1"]] * 3


def test_with_one_system_nothing_moves() -> None:
    moved = Moved(lambda _numbers, _systems: {}, lambda _number: [], ["telephony"], ManualClock())
    assert moved.poll(Table().desk, object()) == []
