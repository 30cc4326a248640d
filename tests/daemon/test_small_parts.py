"""Clocks, key tables, logs, decisions: what everything else stands on."""

from __future__ import annotations

import errno
import io
import json
import random
import threading
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor import logs
from monitor.clock import ManualClock, SystemClock
from monitor.decisions import NumberChange, derive_id, iso, scope_text
from monitor.keys import OTHER, OVERFLOW, KeyTable
from monitor.logs import mask, mask_customer
from monitor.stats import OTHER_TYPES, Stats, Timing
from tests.store.made import alert, command, refusal

# --- clock ----------------------------------------------------------------------------------------


def test_the_machine_s_clock() -> None:
    clock = SystemClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 60_000
    first, second = clock.monotonic_s(), clock.monotonic_s()
    assert first <= second
    event = threading.Event()
    assert clock.wait(event, 0.0) is False
    event.set()
    assert clock.wait(event, 10.0) is True


def test_a_clock_that_moves_when_told() -> None:
    clock = ManualClock(1_000)
    assert (clock.now_ms(), clock.monotonic_s()) == (1_000, 0.0)
    clock.advance(1_500)
    assert (clock.now_ms(), clock.monotonic_s()) == (2_500, 1.5)
    clock.advance(0)
    with pytest.raises(ValueError, match="does not go back: -1 ms"):
        clock.advance(-1)
    event = threading.Event()
    assert clock.wait(event, 0.25) is False
    assert clock.now_ms() == 2_750
    event.set()
    assert clock.wait(event, 60.0) is True
    assert clock.now_ms() == 2_750, "nothing is waited for"


# --- keys -----------------------------------------------------------------------------------------


def test_ids_are_dense_in_order_of_arrival() -> None:
    table = KeyTable(10)
    assert table.intern(["b", "a", "c"]).tolist() == [0, 1, 2]
    assert table.intern(["c", "d"]).tolist() == [2, 3]
    assert (len(table), table.size) == (4, 4)
    assert (table.find("d"), table.find("e")) == (3, None)
    assert table.names([3, 0]) == ["d", "b"]


def test_a_full_table_refuses_and_counts() -> None:
    table = KeyTable(2)
    assert table.intern(["a", "b", "c", "d"]).tolist() == [0, 1, OVERFLOW, OVERFLOW]
    assert table.overflowed == 2
    assert table.intern(["a"]).tolist() == [0]
    table.release([0])
    assert table.intern(["c"]).tolist() == [0]
    assert table.overflowed == 2


def test_an_id_that_is_gone_has_no_name() -> None:
    table = KeyTable(3)
    table.intern(["a", "b"])
    table.release([0])
    for key in (0, 2, -1):
        with pytest.raises(KeyError):
            table.name(key)
    with pytest.raises(KeyError):
        table.release([0])


def test_names_that_are_alike_have_one_id() -> None:
    table = KeyTable(3)
    assert table.intern(["a", "b", "a"]).tolist() == [0, 1, 0]
    assert table.intern(["c", "c", "d", "d", "b"]).tolist() == [2, 2, OVERFLOW, OVERFLOW, 1]
    table.release([0])
    assert table.intern(["e", "e"]).tolist() == [0, 0]


def test_many_at_once_are_in_the_next_picture() -> None:
    """In each stretch that they reach into, the one that was begun before them too."""
    table, count = KeyTable(20_000), 0
    for many in (1, 5, 0, 9_000, 1):
        table.intern([f"k{count + number}" for number in range(many)])
        count += many
        again = KeyTable(20_000)
        again.restore(table.snapshot())
        assert again.names(range(count)) == [f"k{number}" for number in range(count)]
    before = table.snapshot()
    table.intern([])
    assert table.snapshot() == before, "what has not changed is not written again"


class Keys(RuleBasedStateMachine):
    """A table against a dict; ids come back smallest first."""

    def __init__(self) -> None:
        super().__init__()
        self.table = KeyTable(6)
        self.known: dict[str, int] = {}
        self.bucket: int | None = None

    def free(self) -> int:
        """The smallest id that nobody has; the bucket's is one more than the limit has."""
        return min(set(range(9)) - {*self.known.values(), self.bucket})

    @rule()
    def overflow(self) -> None:
        expected = self.free() if self.bucket is None else self.bucket
        assert self.table.bucket() == expected
        self.bucket = expected

    @precondition(lambda self: self.bucket is not None)
    @rule()
    def empty(self) -> None:
        assert self.bucket is not None
        self.table.release([self.bucket])
        self.bucket = None

    @rule(names=st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=5))
    def intern(self, names: list[str]) -> None:
        for name, key in zip(names, self.table.intern(names).tolist(), strict=True):
            if name in self.known:
                assert key == self.known[name]
            elif len(self.known) < 6:
                assert key == self.free()
                self.known[name] = key
            else:
                assert key == OVERFLOW

    @rule(seed=st.integers(0, 99))
    def release(self, seed: int) -> None:
        gone = random.Random(seed).sample(sorted(self.known), len(self.known) // 2)
        self.table.release([self.known.pop(name) for name in gone])

    @rule()
    def restart(self) -> None:
        state = self.table.snapshot()
        self.table = KeyTable(6)
        self.table.restore(state)

    @invariant()
    def same(self) -> None:
        assert len(self.table) == len(self.known)
        assert self.table.other == self.bucket
        assert self.table.find(OTHER) is None
        assert self.table.living().tolist() == sorted(self.known.values())
        assert self.table.living().dtype == np.int64
        assert all(self.table.name(key) == name for name, key in self.known.items())
        assert self.table.size >= max(self.known.values(), default=-1) + 1


TestKeys = Keys.TestCase


# --- totals ---------------------------------------------------------------------------------------


def test_records_are_counted_by_topic_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.stats.TOPICS_MAX", 2)
    stats = Stats()
    for topic in ("hour-1", "hour-2", "hour-3", "hour-1", "hour-4"):
        stats.read(topic, 10)
    assert stats.records == {"hour-1": 20, "hour-2": 10, OTHER_TYPES: 20}


# --- logs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+8613912345678", "+8613…78"),
        ("13912345678", "13912…78"),
        ("call 13912345678 and +4915112345678.", "call 13912…78 and +4915…78."),
        ("12345678", "12345…78"),
        ("1234567", "1234567"),
        ("c-opaque", "c-opaque"),
        ("", ""),
    ],
)
def test_numbers_are_masked(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    ("customer", "shown"),
    [
        ("+8613912345678", "+8613…78"),
        ("12345678", "12345…78"),
        ("c-123456", "c-…"),
        ("c-12345678901", "c-…"),
        ("li.si@example.com", "li…"),
        ("crm-4711-x", "cr…"),
        ("c-1234", "c-…"),
        ("c-123", "…"),
        ("张三", "…"),
        ("ab", "…"),
        ("a", "…"),
        ("", "…"),
    ],
)
def test_customers_are_masked_whatever_they_are(customer: str, shown: str) -> None:
    assert mask_customer(customer) == shown
    assert mask_customer(shown) == shown
    assert logged(customer=customer)[0]["customer"] == shown


@given(st.text())
def test_no_long_run_of_digits_is_left(text: str) -> None:
    shown = mask(f"{text}13912345678{text}")
    assert "13912345678" not in shown


def logged(level: str = "info", **event: Any) -> list[dict[str, Any]]:
    stream = io.StringIO()
    logs.configure(level=level, stream=stream, json=True)
    structlog.get_logger("x").info("something", **event)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_line_an_event_with_customers_masked() -> None:
    (line,) = logged(
        customer="+8613912345678",
        number="+862150000001",
        detail="of +8613912345678",
        error="KeyError('13912345678')",
        count=3,
        text="挂断",
    )
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "something",
        "level": "info",
        "customer": "+8613…78",
        "number": "+862150000001",
        "detail": "of +8613…78",
        "error": "KeyError('13912…78')",
        "count": 3,
        "text": "挂断",
    }


def test_a_customer_that_is_no_text_is_masked_too() -> None:
    (line,) = logged(customer=13912345678)
    assert line["customer"] == "13912…78"


def test_a_traceback_does_not_tell_who_was_called() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, json=True)
    owners: dict[str, str] = {}
    try:
        owners["+8613912345678"]
    except KeyError:
        structlog.get_logger("x").exception("failed")
    (line,) = (json.loads(text) for text in stream.getvalue().splitlines())
    assert "KeyError: '+8613…78'" in line["exception"]


def test_levels() -> None:
    assert logged("warning") == []
    assert len(logged("debug")) == 1


def test_a_terminal_gets_colours_and_a_pipe_gets_json() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, json_lines in ((Terminal(), False), (io.StringIO(), True)):
        logs.configure(stream=stream)
        structlog.get_logger("x").info("something", count=3)
        assert stream.getvalue().startswith("{") is json_lines
        assert "something" in stream.getvalue()


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "full"), BrokenPipeError(), ValueError()])
def test_a_log_that_cannot_be_written_stops_nothing(fault: Exception) -> None:
    class Full(io.StringIO):
        refusing = True

        def write(self, text: str) -> int:
            if self.refusing:
                raise fault
            return super().write(text)

        def flush(self) -> None:
            if self.refusing:
                raise fault

    stream = Full()
    logs.configure(stream=stream, json=True)
    log = structlog.get_logger("x")
    log.info("lost")
    Full.refusing = False
    log.info("kept")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["kept"]


# --- decisions ------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_ids_differ_when_their_parts_do(one: list[str], other: list[str]) -> None:
    assert (derive_id(*one) == derive_id(*other)) is (one == other)


def test_ids_are_the_same_for_ever() -> None:
    """A change here makes every restart decide everything anew."""
    assert derive_id() == "cae66941d9efbd404e4d88758ea67670"
    assert derive_id("rule", "number=+862150000007", 5_000) == derive_id(
        "rule", "number=+862150000007", "5000"
    )
    assert len(derive_id("a")) == 32


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_795_305_600_000, "2026-11-22T00:00:00Z"),
        (1_795_305_600_001, "2026-11-22T00:00:00.001Z"),
        (1_795_305_600_120, "2026-11-22T00:00:00.120Z"),
    ],
)
def test_times_are_rfc_3339(ms: int, text: str) -> None:
    assert iso(ms) == text


@given(st.integers(0, 4_102_444_800_000))
def test_times_come_back_to_the_millisecond(ms: int) -> None:
    read = datetime.fromisoformat(iso(ms))
    assert read.tzinfo == UTC
    assert round(read.timestamp() * 1000) == ms


def test_scopes_as_text() -> None:
    assert scope_text(()) == ""
    assert scope_text((("number", "+86"), ("customer", "c"))) == "number=+86,customer=c"


def test_an_alert_as_json() -> None:
    line = alert(1_795_305_600_000, since_ms=1_795_305_595_000).to_json()
    assert line | {"id": "", "episode": ""} == {
        "at": "2026-11-22T00:00:00Z",
        "kind": "alert",
        "id": "",
        "episode": "",
        "rule": "number-hangup",
        "scope": {"number": "+862150000007"},
        "level": "crit",
        "state": "firing",
        "reason": "breach",
        "since": "2026-11-21T23:59:55Z",
        "value": 0.8,
        "hits": 80.0,
        "of": 100.0,
        "window": "30m",
        "evidence": {"method": "sequential", "score": 41200.5, "needed": 28800.0},
        "message": {"en": "hangs up 80 %", "zh": "挂断率 80%"},
        "route": "supervisors",
        "shadow": False,
    }


def test_a_command_as_json_and_on_the_wire() -> None:
    made = command(1_795_305_600_000)
    line = made.to_json()
    assert line["until"] == "2026-11-22T00:30:00Z"
    assert (line["kind"], line["action"], line["shadow"]) == ("command", "suspend", False)
    wire = made.to_wire()
    assert wire == {
        "command_id": made.id,
        "action": "suspend",
        "number": "+862150000007",
        "until": "2026-11-22T00:30:00Z",
        "reason": "breach",
        "rule": "number-hangup",
        "episode": "e1",
        "evidence": {"hits": 80.0, "of": 100.0, "value": 0.8, "bound": 41200.5, "window": "30m"},
        "replacement": None,
        "issued_at": "2026-11-22T00:00:00Z",
    }
    bare = command(until_ms=None, figures=None, evidence=None)
    assert (bare.to_json()["until"], bare.to_wire()["until"]) == (None, None)
    assert bare.to_wire()["evidence"] is None
    unsure = command(evidence=None).to_wire()["evidence"]
    assert unsure is not None
    assert unsure["bound"] is None


def test_a_refusal_and_a_change_as_json() -> None:
    line = refusal(1_795_305_600_000).to_json()
    assert (line["at"], line["kind"]) == ("2026-11-22T00:00:00Z", "refusal")
    assert set(line) == {
        "at",
        "kind",
        "id",
        "number",
        "guard",
        "detail",
        "pool",
        "rule",
        "episode",
    }
    change = NumberChange(
        0, "x", "+86", "active", "suspending", "admitted", "r", "e", "c", 1_000, "d"
    )
    assert change.to_json()["until"] == "1970-01-01T00:00:01Z"
    assert change.to_json()["kind"] == "number"


# --- stats ----------------------------------------------------------------------------------------


def test_a_duration_falls_into_the_bucket_it_fits() -> None:
    timing = Timing((1.0, 2.0))
    for seconds in (0.0, 1.0, 1.0001, 2.0, 2.1, 99.0):
        timing.observe(seconds)
    assert timing.counts == [2, 2, 2]
    assert timing.sum_s == pytest.approx(105.1001)
