"""Daemons that take turns, on a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.errors import LeaseLost, StoreAway, StoreError
from monitor.running.standby import Stop, take_turns
from monitor.snapshot import Board
from monitor.store.settings import LeaseSettings, StoreSettings
from tests.daemon.running import eventually
from tests.store.stores import expire, settings_of

pytestmark = pytest.mark.postgres

QUICK = LeaseSettings.model_validate({"duration": "1s", "renew": "100ms", "poll": "50ms"})


class Turns:
    """One daemon's part in it: when its turns began and how they ended."""

    def __init__(self, settings: StoreSettings, during: Callable[[int], None]) -> None:
        self.settings = settings
        self.stop = Stop()
        self.board = Board()
        self.tokens: list[int] = []
        self.ended: list[int] = []
        self.failure: BaseException | None = None
        self._during = during
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            take_turns(self.settings, SystemClock(), self.stop, self.board, self._work)
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.failure = error

    def _work(self, over: threading.Event, token: int) -> None:
        assert not self.board.standing_by
        self.tokens.append(token)
        try:
            self._during(token)
            over.wait(60)
        finally:
            self.ended.append(token)

    def end(self) -> None:
        self.stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> StoreSettings:
    return settings_of(tmp_path, database_url).model_copy(update={"lease": QUICK})


@contextmanager
def taking_turns(
    settings: StoreSettings, during: Callable[[int], None] = lambda _token: None
) -> Iterator[Turns]:
    turns = Turns(settings, during)
    try:
        yield turns
    finally:
        turns.end()


def test_one_works_and_the_other_stands_by_until_it_ends(settings: StoreSettings) -> None:
    with taking_turns(settings) as first:
        eventually(lambda: first.tokens, "the first works")
        with taking_turns(settings) as second:
            eventually(lambda: second.board.standing_by, "the second stands by")
            first.end()
            eventually(lambda: second.tokens, "the second works")
            assert second.tokens == [first.tokens[0] + 1]
            assert not second.board.standing_by
    assert first.ended == first.tokens
    assert (first.failure, second.failure) == (None, None)


def test_a_turn_ends_with_the_lease_and_the_next_is_waited_for(settings: StoreSettings) -> None:
    with taking_turns(settings) as first:
        eventually(lambda: first.tokens, "the first works")
        with taking_turns(settings) as second:
            expire(settings)
            eventually(lambda: second.tokens or len(first.tokens) > 1, "another turn")
            eventually(lambda: first.ended or second.tokens == [], "the turn before it is over")
            working, other = (second, first) if second.tokens else (first, second)
            eventually(lambda: other.board.standing_by, "one stands by")
            working.end()
            eventually(lambda: other.tokens[-1:] > working.tokens[-1:], "and takes over")
    assert sorted({*first.tokens, *second.tokens}) == sorted(first.tokens + second.tokens)


def test_work_that_finds_its_lease_lost_stands_by_again(settings: StoreSettings) -> None:
    def lost_at_first(token: int) -> None:
        if token == 1:
            raise LeaseLost("another one has it")

    with taking_turns(settings, lost_at_first) as turns:
        eventually(lambda: turns.tokens == [1, 2], "a second turn")
    assert turns.failure is None


def test_work_that_fails_ends_it_and_lets_the_lease_go(settings: StoreSettings) -> None:
    def fail(_token: int) -> None:
        raise StoreError("the disk is gone")

    with taking_turns(settings, fail) as turns:
        eventually(lambda: turns.failure, "it fails")
        assert isinstance(turns.failure, StoreError)
    with taking_turns(settings) as next_one:
        eventually(lambda: next_one.tokens == [2], "the next one need not wait for it to run out")


def test_a_database_that_goes_away_ends_the_turn_and_not_the_daemon(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.running.standby.AGAIN_S", 0.05)

    def away_at_first(token: int) -> None:
        if token < 3:
            raise StoreAway("it does not answer")

    with taking_turns(settings, away_at_first) as turns:
        eventually(lambda: turns.tokens == [1, 2, 3], "a third turn")
    assert turns.failure is None


def test_a_database_that_is_away_when_told_to_stop_is_said(settings: StoreSettings) -> None:
    def away_at_the_end(_token: int) -> None:
        turns.stop.wait(60)
        raise StoreAway("10 outcomes could not be stored")

    with taking_turns(settings, away_at_the_end) as turns:
        eventually(lambda: turns.tokens, "it works")
    assert isinstance(turns.failure, StoreAway)


def test_told_to_stop_while_standing_by(settings: StoreSettings) -> None:
    with taking_turns(settings) as first:
        eventually(lambda: first.tokens, "the first works")
        with taking_turns(settings) as second:
            eventually(lambda: second.board.standing_by, "the second stands by")
            second.end()
        assert second.tokens == []


def test_stop_sets_what_is_tied_to_it() -> None:
    stop = Stop()
    with stop.tied() as one:
        one.set()
        assert not stop.is_set()
    with stop.tied() as two:
        assert not two.is_set()
        stop.set()
        assert two.is_set()
    with stop.tied() as three:
        assert three.is_set()
