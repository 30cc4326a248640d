"""Users and the audit by command line."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from monitor.web import passwords
from monitor.web.passwords import Passwords
from tests.cli.program import Done, monitor
from tests.interface.browser import CHEAP, PASSWORD

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aaaa"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(passwords, "PARAMETERS", CHEAP)
    monkeypatch.setattr(getpass, "getpass", lambda *_a, **_k: PASSWORD)
    path = tmp_path / "config.yaml"
    web = {
        "users": {"zhao": {"role": "admin", "password_hash": {"value": HASH}}},
        "tokens": {"board": {"value": "token-of-board-0123456789"}},
    }
    store = StoreSettings(path=tmp_path / "monitor.db")
    path.write_text(json.dumps({"store": {"path": str(store.path)}, "web": web}))
    Store.open(store, SystemClock()).close()
    return path


def users(config: Path, *arguments: str) -> Done:
    return monitor("users", *arguments, "-c", config)


def test_a_user_is_added_changed_and_removed(config: Path, tmp_path: Path) -> None:
    lin = ("lin", "--role", "supervisor", "--team", "north", "--team", "south", "--zone", "UTC")
    done = users(config, "add", *lin)
    assert done.out == "lin may sign in: supervisor of north, south\n"
    assert PASSWORD not in done.out + done.err
    listed = users(config, "list", "--json").lines
    assert [(u["name"], u["role"], u["teams"], u["zone"], u["in"]) for u in listed] == [
        ("lin", "supervisor", ["north", "south"], "UTC", "store"),
        ("zhao", "admin", [], None, "configuration"),
    ]
    assert "north, south" in users(config, "list").out
    assert users(config, "role", "lin", "operator").out == "lin: operator\n"
    file = tmp_path / "password"
    file.write_text("another horse battery\nx\n")
    assert users(config, "passwd", "lin", "--password-file", str(file)).status == 0
    with Store.open(StoreSettings(path=tmp_path / "monitor.db"), SystemClock()) as store:
        user = store.users.find("lin")
    assert user is not None
    assert (user.role, user.teams, user.version) == ("operator", (), 2)
    assert Passwords().right(user.hash, "another horse battery")
    assert users(config, "remove", "lin").out == "lin may sign in no longer\n"
    assert users(config, "remove", "lin").status == 2
    rows = monitor("audit", "--json", "--since", "1h", "-c", config).lines
    assert [(row["action"], row["target"], row["via"]) for row in rows] == [
        ("users remove", "lin", "cli"),
        ("users passwd", "lin", "cli"),
        ("users role", "lin", "cli"),
        ("users add", "lin", "cli"),
    ]
    assert "users role" in monitor("audit", "-c", config, columns=160).out
    assert monitor("audit", "--who", "nobody", "-c", config).out == "nothing was done\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "zhao"), "zhao is in the configuration already"),
        (("add", "board"), "board is in the configuration already"),
        (("add", "a b"), "up to 64 letters"),
        (("add", "wang", "--role", "chief"), "role: Input should be 'viewer'"),
        (("add", "wang", "--role", "supervisor"), "name them in teams"),
        (("add", "wang", "--role", "admin", "--team", "north"), "leave teams out"),
        (("add", "wang", "--zone", "Mars/Base"), "zone: 'Mars/Base' is no time zone"),
        (("add", "correct"), "does not hold the user's name"),
        (("passwd", "zhao"), "in web.users of the configuration"),
        (("role", "wang", "viewer"), "there is no user wang"),
    ],
)
def test_what_cannot_be(config: Path, arguments: tuple[str, ...], said: str) -> None:
    done = users(config, *arguments)
    assert done.status == 2
    assert said in done.err


def test_a_name_is_given_once(config: Path) -> None:
    assert users(config, "list", "--json").status == 0
    assert users(config, "add", "wang").status == 0
    again = users(config, "add", "wang")
    assert "there is a user wang already" in again.err


def test_what_is_done_by_command_is_written_down(config: Path, tmp_path: Path) -> None:
    why = ("--why", "asked", "--wait", "0", "-c", config)
    assert monitor("numbers", "suspend", "+862150000007", *why).status == 0
    assert monitor("dnc", "add", "+8613912345678", *why).status == 0
    assert monitor("dnc", "export", tmp_path / "dnc.txt", "-c", config).status == 0
    rows = monitor("audit", "--json", "-c", config).lines
    assert [(row["action"], row["target"], row["result"]) for row in rows] == [
        ("dnc export", "0 customers", 200),
        ("dnc add", "1 customer", 202),
        ("numbers suspend", "+862150000007", 202),
    ]


def test_nobody_yet(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    store = StoreSettings(path=tmp_path / "monitor.db")
    path.write_text(json.dumps({"store": {"path": str(store.path)}}))
    Store.open(store, SystemClock()).close()
    assert monitor("users", "list", "-c", path).out == "nobody yet: monitor users add\n"


def test_the_hash_for_the_configuration(config: Path) -> None:
    hashed = monitor("users", "hash").out.strip()
    assert Passwords().right(hashed, PASSWORD)
    assert config.exists()
