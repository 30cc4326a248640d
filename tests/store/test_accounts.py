"""Users, sessions and the audit in the store: what is kept, its bounds, and what goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.errors import BackPressure
from monitor.store import accounts
from monitor.store.accounts import Session, User
from monitor.store.audit import Deed
from monitor.store.store import Store

LIN = User("lin", "supervisor", ("north",), "$argon2id$x", "zh", "Asia/Shanghai")
DEED = Deed(1_000, "lin", "supervisor", "password", "192.0.2.7", "POST /x", "+862150000007", 202)


def session(digest: str, seen_ms: int = 1_000, name: str = "lin") -> Session:
    return Session(digest, name, 1_000, seen_ms, "password", "stamp")


def test_users_are_kept_changed_and_forgotten(store: Store) -> None:
    users = store.users
    assert users.find("lin") is None
    assert users.add(LIN)
    assert not users.add(replace(LIN, role="admin"))
    assert users.add(User("an", "viewer", (), ""))
    assert [user.name for user in users.all()] == ["an", "lin"]
    assert users.find("lin") == LIN
    changed = users.change("lin", lambda user: replace(user, name="other", role="viewer"))
    assert users.find("lin") == changed == replace(LIN, role="viewer")
    assert users.change("nobody", lambda user: user) is None
    store.sessions.begin(session("a"), idle_since_ms=0)
    store.sessions.begin(session("b", name="an"), idle_since_ms=0)
    assert users.remove("lin")
    assert not users.remove("lin")
    assert store.sessions.find("a") is None  # with its user
    assert store.sessions.find("b") is not None


def test_so_many_users(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "USERS_MAX", 1)
    assert store.users.add(LIN)
    with pytest.raises(BackPressure, match="1 users already"):
        store.users.add(replace(LIN, name="an"))


def test_sessions_begin_go_on_and_end(store: Store) -> None:
    sessions = store.sessions
    sessions.begin(session("a"), idle_since_ms=0)
    sessions.seen("a", 5_000)
    assert sessions.find("a") == replace(session("a"), seen_ms=5_000)
    sessions.begin(session("b", 2_000), idle_since_ms=0)
    sessions.begin(session("c", 9_000), idle_since_ms=3_000)
    assert sessions.find("b") is None  # nobody used it any more
    sessions.end("a")
    assert sessions.find("a") is None
    assert (sessions.end_all("lin"), sessions.count()) == (1, 0)


def test_so_many_sessions_of_one_and_of_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "SESSIONS_OF_ONE_MAX", 2)
    monkeypatch.setattr(accounts, "SESSIONS_MAX", 3)
    for at_ms, (digest, name) in enumerate([("a", "an"), ("b", "lin"), ("c", "lin"), ("d", "lin")]):
        store.sessions.begin(session(digest, at_ms, name), idle_since_ms=0)
    assert store.sessions.find("b") is None  # her oldest
    store.sessions.begin(session("e", 5, "wu"), idle_since_ms=0)
    assert store.sessions.find("a") is None  # the oldest of all
    assert store.sessions.count() == 3


def test_the_audit_is_read_from_its_end_and_goes_with_age(store: Store) -> None:
    deeds = [replace(DEED, at_ms=1_000 * n, who=who) for n, who in enumerate(["an", "lin", "an"])]
    for deed in deeds:
        store.audit.add(deed)
    store.sessions.begin(session("a", 500), idle_since_ms=0)
    (third, newest), (second, _) = store.audit.deeds(limit=2)
    assert (newest, third > second) == (deeds[2], True)
    assert [deed for _, deed in store.audit.deeds(before=second)] == deeds[:1]
    assert [deed for _, deed in store.audit.deeds(who="an")] == [deeds[2], deeds[0]]
    assert [deed for _, deed in store.audit.deeds(since_ms=1_500)] == [deeds[2]]
    assert store.history.prune(1_500, journal_upto=0) == 3
    assert [deed for _, deed in store.audit.deeds()] == [deeds[2]]
    assert store.sessions.count() == 0
