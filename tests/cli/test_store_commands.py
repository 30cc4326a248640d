"""Commands on the store of a daemon: alerts, histories, requests, parked deliveries."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.decisions import ManualAction
from monitor.numbers.requests import REFUSED, answer_id
from monitor.store.store import Recording, Store
from tests.cli.conftest import Left
from tests.cli.program import monitor
from tests.daemon.folder import Folder
from tests.store.made import alert, change, command

NUMBER = "+862150000007"
CUSTOMER = "+8613912345678"
DAY_MS = 86_400_000
COMMANDS = (
    "alerts list",
    "numbers history",
    f"numbers suspend {NUMBER} --why x",
    f"numbers resume {NUMBER} --why x",
    "numbers freeze --why x",
    "deliveries list",
    "deliveries requeue --all",
)


@pytest.fixture
def now_ms() -> int:
    return SystemClock().now_ms()


@pytest.mark.parametrize("text", COMMANDS)
def test_there_is_no_store(folder: Folder, text: str) -> None:
    done = monitor(*text.split())
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        f"monitor: store {folder.store}: there is none: has the daemon run with this"
        " configuration?\n"
    )
    assert not folder.store.exists(), "asking makes none"


@pytest.mark.parametrize("text", COMMANDS)
@pytest.mark.parametrize("content", [b"", b"something else entirely" * 100])
def test_that_is_no_store(folder: Folder, text: str, content: bytes) -> None:
    folder.store.write_bytes(content)
    done = monitor(*text.split())
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"monitor: store {folder.store}: it is ")
    assert "Traceback" not in done.err


# --- alerts ---------------------------------------------------------------------------------------


def test_alerts_newest_first(left: Left, now_ms: int) -> None:
    older = alert(now_ms - 7_200_000, rule="older")
    left.record(alert(now_ms - 3 * DAY_MS, rule="oldest"), older, alert(now_ms, rule="newest"))
    found = monitor("alerts", "list", "--json").lines
    assert [line["rule"] for line in found] == ["newest", "older"]
    assert found[1] == older.to_json()
    assert [a["rule"] for a in monitor("alerts", "list", "--limit", "1", "--json").lines] == [
        "newest"
    ]
    assert [a["rule"] for a in monitor("alerts", "list", "--since", "1h", "--json").lines] == [
        "newest"
    ]
    assert len(monitor("alerts", "list", "--since", "7d", "--json").lines) == 3
    table = monitor("alerts", "list", TZ="Asia/Shanghai").out.splitlines()
    assert table[0].split() == ["at", "alert"]
    assert re.match(r"\d\d-\d\d \d\d:\d\d:\d\d  ● crit newest \+862150000007 80", table[1])


def test_only_what_fires(left: Left, now_ms: int) -> None:
    began = alert(now_ms - 60_000, rule="over")
    ended = alert(now_ms, rule="over", state="resolved", episode=began.episode)
    left.record(began, ended, alert(now_ms - 9 * DAY_MS, rule="long"))
    found = monitor("alerts", "list", "--firing", "--json").lines
    assert [line["rule"] for line in found] == ["long"], "however long it has"


def test_no_alerts(left: Left) -> None:
    assert left.settings.path.exists()
    assert monitor("alerts", "list").out == "no alerts in the last 1d\n"
    assert monitor("alerts", "list", "--since", "7d").out == "no alerts in the last 7d\n"
    assert monitor("alerts", "list", "--firing").out == "nothing fires\n"
    done = monitor("alerts", "list", "--json")
    assert (done.status, done.out) == (0, "")


def test_customers_are_masked(left: Left, now_ms: int) -> None:
    scope = (("number", NUMBER), ("customer", CUSTOMER))
    left.record(alert(now_ms, scope=scope, message={"en": f"{CUSTOMER} called thrice"}))
    left.park(alert(now_ms + 1, scope=scope, message={"en": f"{CUSTOMER} called thrice"}))
    for text in ("alerts list", "deliveries list"):
        shown = monitor(*text.split())
        told = monitor(*text.split(), "--json")
        assert "+8613…78" in shown.out, text
        assert "13912345678" not in shown.out + told.out, text
        assert NUMBER in told.out, "our own are not"


# --- numbers --------------------------------------------------------------------------------------


def test_the_history_of_a_number(left: Left, now_ms: int) -> None:
    wanted = change(now_ms - 1_000)
    done = change(
        now_ms, before="wanted", after="suspended", reason="applied", until_ms=now_ms + 1_000
    )
    left.record(changes=(wanted, done, change(now_ms, number="+862150000008")))
    found = monitor("numbers", "history", "+86 21 5000 0007", "--json").lines
    assert found == [done.to_json(), wanted.to_json()], "as it is written, newest first"
    assert len(monitor("numbers", "history", "--json").lines) == 3
    assert len(monitor("numbers", "history", "--json", "--limit", "2").lines) == 2
    heading, first, second = monitor("numbers", "history", NUMBER).out.splitlines()
    assert heading.split() == ["at", "number", "change", "by", "why"]
    assert "wanted → suspended" in first
    assert re.search(r"applied, until (\d{4}-)?\d\d-\d\d \d\d:\d\d", first)
    assert "active → wanted" in second
    narrow = monitor("numbers", "history", NUMBER, columns=80, TERM="dumb").out
    assert max(map(len, narrow.splitlines())) <= 80


def test_a_number_as_it_stands(left: Left, now_ms: int) -> None:
    told = command(now_ms)
    left.record(
        told,
        changes=(change(now_ms, before="wanted", after="suspending", command_id=told.id),),
    )
    done = monitor("numbers", "show", "+86 21 5000 0007")
    assert done.status == 0
    assert done.out.startswith(f"{NUMBER}: suspending since ")
    assert f"{told.rule}: " in done.out
    assert "evidence" in done.out
    (card,) = monitor("numbers", "show", NUMBER, "--json").lines
    assert (card["state"], card["command"]["command_id"]) == ("suspending", told.id)
    other = monitor("numbers", "show", "+862150009999")
    assert other.out == ("+862150009999: active, as far as is known; pools: none that is listed\n")


def test_a_number_without_history(left: Left) -> None:
    assert left.settings.path.exists()
    done = monitor("numbers", "history", "+862150009999")
    assert (done.status, done.out) == (0, "nothing is known of +862150009999\n")
    assert monitor("numbers", "history").out == "nothing is known of any number\n"


@contextmanager
def daemon(left: Left) -> Iterator[list[ManualAction]]:
    """One that takes requests, answers them, and does nothing else; what it took.

    It refuses to resume, and never answers a freeze.
    """
    taken: list[ManualAction] = []
    stop = threading.Event()

    def work(store: Store) -> None:
        while not stop.wait(0.01):
            for claimed in store.requests.claim(1_795_309_200_000):
                action = claimed.action
                assert isinstance(action, ManualAction)
                taken.append(action)
                answer = replace(change(), id=answer_id(action.id), number=action.number)
                if action.action == "resume":
                    answer = replace(answer, reason=REFUSED, detail="it is not known")
                if action.number:
                    store.record(Recording(changes=[answer]))

    with left.open() as store:
        thread = threading.Thread(target=work, args=(store,))
        thread.start()
        try:
            yield taken
        finally:
            stop.set()
            thread.join()


def test_requests_reach_the_daemon(left: Left) -> None:
    with daemon(left) as taken:
        done_so = f"done: {NUMBER} is {change().after}"
        waits = "taken by the daemon as of 2026-11-22T01:00:00Z, and not judged yet"
        for text, said, status in (
            (f"suspend {NUMBER} --for 30m", f"suspend {NUMBER}: {done_so}", 0),
            (f"suspend {NUMBER}", f"suspend {NUMBER}: {done_so}", 0),
            (f"resume {NUMBER}", f"resume {NUMBER}: refused: it is not known", 1),
            (f"hold {NUMBER}", f"hold {NUMBER}: {done_so}", 0),
            (f"release {NUMBER}", f"release {NUMBER}: {done_so}", 0),
            (f"retire {NUMBER}", f"retire {NUMBER}: {done_so}", 0),
            ("undo --last 30m --pool a --wait 0.3", f"undo: {waits}", 0),
            ("undo --since 2026-11-22T09:00Z --wait 0.3", f"undo: {waits}", 0),
            ("approve 5d0f93a1 --wait 0.3", f"approve: {waits}", 0),
            ("freeze --wait 0.3", f"freeze: {waits}", 0),
            ("freeze --off --wait 0.3", f"unfreeze: {waits}", 0),
        ):
            done = monitor("numbers", *text.split(), "--why", "李 asked")
            assert (done.status, done.out, done.err) == (status, f"{said}\n", "")
    assert [(one.action, one.number, one.ttl_ms) for one in taken] == [
        ("suspend", NUMBER, 1_800_000),
        ("suspend", NUMBER, None),
        ("resume", NUMBER, None),
        ("hold", NUMBER, None),
        ("release", NUMBER, None),
        ("retire", NUMBER, None),
        ("undo", "", None),
        ("undo", "", None),
        ("approve", "", None),
        ("freeze", "", None),
        ("unfreeze", "", None),
    ]
    assert {one.why for one in taken} == {"李 asked"}
    last, since = [one for one in taken if one.action == "undo"]
    assert (last.pool, since.pool) == ("a", "")
    assert last.since_ms is not None
    assert since.since_ms == 1_795_338_000_000
    assert [one.ref for one in taken if one.action == "approve"] == ["5d0f93a1"]
    assert all(one.who for one in taken)


@pytest.mark.parametrize("when", ["", "--last 30m --since 2026-11-22T09:00"])
def test_undo_says_since_when(left: Left, when: str) -> None:
    assert left.settings.path.exists()
    done = monitor("numbers", "undo", "--why", "x", *when.split())
    assert (done.status, done.out) == (2, "")
    assert "say since when: --last 30m, or --since TIME" in done.err


def test_a_request_that_no_daemon_takes(left: Left) -> None:
    done = monitor("numbers", "suspend", NUMBER, "--why", "x", "--wait", "0.1")
    assert done.status == 1
    assert done.out == (
        f"suspend {NUMBER}: left for the daemon, which has not taken it within 0.1 s\n"
    )
    assert "Is it running?" in done.err
    done = monitor("numbers", "resume", NUMBER, "--why", "x", "--wait", "0")
    assert (done.status, done.out, done.err) == (0, f"resume {NUMBER}: left for the daemon\n", "")
    with left.open() as store:
        assert [claimed.action.action for claimed in store.requests.claim(5_000)] == [
            "suspend",
            "resume",
        ]


def test_too_many_requests(folder: Folder, left: Left) -> None:
    assert left.settings.path.exists()
    folder.write(store=folder.config["store"] | {"max_requests": 1})
    freeze = ("numbers", "freeze", "--why", "x", "--wait", "0")
    assert monitor(*freeze).status == 0
    done = monitor(*freeze)
    assert (done.status, done.out) == (2, "")
    assert "1 manual actions are waiting already: is the daemon running?" in done.err


def test_a_table_of_numbers_is_imported(folder: Folder, left: Left, tmp_path: Path) -> None:
    assert left.settings.path.exists()
    table, target = tmp_path / "new.csv", tmp_path / "inventory.csv"
    table.write_text("number,pool,standby\n+86 21 5000 0007,a,\n+862150000008,a,yes\n", "utf-8")
    done = monitor("numbers", "import", str(table))
    assert done.status == 2
    assert "numbers: {inventory: numbers.csv}" in done.err
    folder.write(numbers={"inventory": str(target)})
    done = monitor("numbers", "import", str(table))
    assert (done.status, done.out) == (
        0,
        f"{target}: 2 numbers in 1 pools, 1 standby; the daemon takes them up when it reloads\n",
    )
    assert target.read_text("utf-8").splitlines()[1] == f"{NUMBER},,a,,"
    assert "pools: a\n" in monitor("numbers", "show", NUMBER).out
    before = target.read_text("utf-8")
    table.write_text("number,pool\nhotline,a\n", "utf-8")
    done = monitor("numbers", "import", str(table))
    assert (done.status, target.read_text("utf-8")) == (2, before)
    assert f"{table}:2:1: 'hotline' is no telephone number" in done.err.replace("\n", "")


# --- deliveries -----------------------------------------------------------------------------------


def test_parked_deliveries(left: Left, now_ms: int) -> None:
    told = alert(now_ms)
    first, second = left.park(told, command(now_ms, until_ms=None))
    (other,) = left.park(alert(now_ms + 1), receiver="gone")
    found = monitor("deliveries", "list", "--json").lines
    assert [entry["id"] for entry in found] == [first, second, other]
    assert set(found[0]) == {
        "id",
        "receiver",
        "reason",
        "attempts",
        "decided",
        "parked",
        "overtaken",
        "decision",
    }
    assert found[0]["decision"] == told.to_json()
    assert (found[0]["reason"], found[0]["attempts"], found[0]["overtaken"]) == (
        "status_4xx",
        1,
        False,
    )
    gone = monitor("deliveries", "list", "--receiver", "gone", "--json").lines
    assert [entry["id"] for entry in gone] == [other]
    assert len(monitor("deliveries", "list", "--limit", "1", "--json").lines) == 1
    heading, row, *_ = monitor("deliveries", "list").out.splitlines()
    assert heading.split() == ["id", "parked", "receiver", "why", "what"]
    assert re.match(rf"{first} +\d\d-\d\d \d\d:\d\d:\d\d +log +status_4xx +● crit", row)


def test_nothing_is_parked(left: Left) -> None:
    assert left.settings.path.exists()
    done = monitor("deliveries", "list")
    assert (done.status, done.out) == (0, "nothing is parked\n")
    assert monitor("deliveries", "list", "--json").out == ""
    done = monitor("deliveries", "requeue", "--all")
    assert (done.status, done.out) == (0, "0 deliveries put back\n")


def test_putting_some_back(left: Left, now_ms: int) -> None:
    first, second = left.park(alert(now_ms), alert(now_ms + 1))
    done = monitor("deliveries", "requeue", str(first))
    assert (done.status, done.out, done.err) == (0, "1 delivery put back\n", "")
    assert [e["id"] for e in monitor("deliveries", "list", "--json").lines] == [second]
    with left.open() as store:
        assert [d.seq for d in store.outbox.claim("log", limit=9)] == [first]


def test_putting_all_back_leaves_what_nobody_would_send(left: Left, now_ms: int) -> None:
    left.park(alert(now_ms), alert(now_ms + 1))
    (gone,) = left.park(alert(now_ms + 2), receiver="gone")
    done = monitor("deliveries", "requeue", "--all")
    assert (done.status, done.out) == (1, "2 deliveries put back\n")
    assert done.err == f"{gone}: stays parked, the configuration has no receiver 'gone'\n"
    assert monitor("deliveries", "requeue", "--all", "--receiver", "log").out == (
        "0 deliveries put back\n"
    )


def test_what_was_overtaken_stays_parked(left: Left, now_ms: int) -> None:
    """A suspension that telephony refused, and the resume after it that it took."""
    (old,) = left.park(command(now_ms), receiver="telephony", key=NUMBER)
    left.send(command(now_ms + 1, action="resume"), receiver="telephony", key=NUMBER)
    assert "status_4xx, overtaken" in monitor("deliveries", "list").out
    done = monitor("deliveries", "requeue", str(old))
    assert (done.status, done.out) == (1, "0 deliveries put back\n")
    assert done.err == f"{old}: stays parked, a later word on the same matter has been sent\n"


def test_without_telephony_commands_have_nowhere_to_go(
    folder: Folder, left: Left, now_ms: int
) -> None:
    (seq,) = left.park(command(now_ms), receiver="telephony")
    folder.write(telephony={"kind": "none"})
    done = monitor("deliveries", "requeue", "--all")
    assert done.status == 1
    assert done.err == f"{seq}: stays parked, the configuration has no receiver 'telephony'\n"
    folder.write(telephony={"kind": "simulated"})
    assert monitor("deliveries", "requeue", "--all").status == 0


def test_ids_that_are_not_parked(left: Left, now_ms: int) -> None:
    (sent,) = left.send(alert(now_ms))
    done = monitor("deliveries", "requeue", str(sent), "99")
    assert (done.status, done.out) == (1, "0 deliveries put back\n")
    assert done.err.splitlines() == [
        f"{sent}: no such delivery is parked",
        "99: no such delivery is parked",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "give the ids of deliveries, or --all"),
        ("1 --all", "give the ids of deliveries, or --all"),
        ("1 --receiver log", "--receiver goes with --all"),
    ],
)
def test_what_does_not_go_together(left: Left, arguments: str, said: str) -> None:
    assert left.settings.path.exists()
    done = monitor("deliveries", "requeue", *arguments.split())
    assert (done.status, done.out, done.err) == (2, "", f"monitor: {said}\n")
