"""A number of two telephony systems, one of them away: over restarts and other configurations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.clock import SystemClock
from monitor.decisions import NumberChange
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.daemon.folder import FLAGGED, Folder
from tests.daemon.running import Threaded, eventually, threaded
from tests.delivery.doubles import Answer, Server, http_server

AWAY = Answer(503)
LAB = {"kind": "simulated", "answers_after": "50ms"}


def telephony(**systems: Any) -> dict[str, Any]:
    """The number's two pools are dialled by lab and by the other system, which is ``otherwise``."""
    (other,) = systems.keys() - {"lab"}
    pools = {"spring": "lab", "autumn": other}
    return {"kind": "several", "systems": systems, "pools": pools, "otherwise": other}


def site(root: Path, server: Server) -> Folder:
    pool = {"numbers": [FLAGGED], "max_fraction": "100%"}
    return Folder(
        root,
        pools={"spring": pool, "autumn": pool},
        numbers={"retry_pause": "200ms"},
        telephony=telephony(lab=LAB, edge={"kind": "http", "url": f"{server.url}/edge"}),
        delivery={"routes": {"people": {"receivers": ["log"]}}, "backoff": {"base": "100ms"}},
    )


@contextmanager
def store_of(folder: Folder) -> Iterator[Store]:
    with Store.open(StoreSettings(path=folder.store), SystemClock(), daemon=False) as store:
        yield store


def history(folder: Folder) -> list[NumberChange]:
    with store_of(folder) as store:
        return list(reversed(store.history.changes(number=FLAGGED, limit=50)))


def states(running: Threaded) -> dict[str, str]:
    return {each.number: each.state for each in running.picture.standing}


def half_suspended(folder: Folder, running: Threaded) -> None:
    """Lab has said that it blocks the number, and the other system is away."""
    running.ready()
    folder.flag()

    def lab_said_so() -> bool:
        with store_of(folder) as store:
            found = [e.payload for e in store.journal.read(0) if e.kind == "ack"]
        return any(each["system"] == "telephony.lab" for each in found)

    eventually(lab_said_so, "lab has answered")
    running.ticks_on()
    assert states(running) == {FLAGGED: "suspending"}


def test_after_a_restart_the_other_system_still_has_to_answer(tmp_path: Path) -> None:
    with http_server() as server:
        server.respond = lambda _path, _body: AWAY
        folder = site(tmp_path, server)
        with threaded(folder) as running:
            half_suspended(folder, running)
        with threaded(folder) as running:
            running.ready()
            running.ticks_on()
            assert states(running) == {FLAGGED: "suspending"}
            server.respond = lambda _path, _body: Answer(body=b'{"status": "applied"}')
            eventually(lambda: states(running) == {FLAGGED: "suspended"}, "both have answered")
        asked = [json.loads(each.body)["command_id"] for each in server.requests]
        assert len(set(asked)) == 1


def test_a_command_that_waits_for_a_system_that_was_renamed_is_answered_and_asked_again(
    tmp_path: Path,
) -> None:
    with http_server() as server:
        server.respond = lambda _path, _body: AWAY
        folder = site(tmp_path, server)
        with threaded(folder) as running:
            half_suspended(folder, running)
        folder.write(telephony=telephony(lab=LAB, core=LAB))
        with threaded(folder) as running:
            running.ready()
            eventually(lambda: states(running) == {FLAGGED: "suspended"}, "at both that there are")
    reasons = [change.reason for change in history(folder)]
    begin = reasons.index("rejected_by_one")
    assert reasons[begin:] == ["rejected_by_one", "applied", "breach", "admitted", "applied"]
    assert "no more" in history(folder)[begin].detail
    with store_of(folder) as store:
        (parked,) = store.outbox.parked.entries(limit=9)
        assert (parked.receiver, parked.reason) == ("telephony.edge", "no_such_receiver")
        again = history(folder)[-1].command_id
        assert store.outbox.receivers_of(again) == ["log", "telephony.core", "telephony.lab"]


def test_what_one_system_had_waiting_goes_to_that_of_otherwise(tmp_path: Path) -> None:
    with http_server() as server:
        server.respond = lambda _path, _body: AWAY
        folder = site(tmp_path, server)
        edge = {"kind": "http", "url": f"{server.url}/edge"}
        folder.write(telephony=edge)
        with threaded(folder) as running:
            running.ready()
            folder.flag()
            eventually(lambda: server.requests, "it is tried")
        folder.write(telephony=telephony(lab=LAB, edge=edge))
        server.respond = lambda _path, _body: Answer(body=b'{"status": "applied"}')
        with threaded(folder) as running:
            running.ready()
            eventually(lambda: states(running) == {FLAGGED: "suspended"}, "it is answered")
    with store_of(folder) as store:
        assert store.outbox.parked.entries(limit=9) == []


def test_a_number_that_has_moved_is_let_go_where_it_was_although_nobody_can_be_asked(
    tmp_path: Path,
) -> None:
    with http_server() as server:
        server.respond = lambda _path, _body: Answer(body=b'{"status": "applied"}')
        folder = site(tmp_path, server)
        with threaded(folder) as running:
            running.ready()
            folder.flag()
            eventually(lambda: states(running) == {FLAGGED: "suspended"}, "at both")
        moved = folder.config["telephony"] | {"pools": {"spring": "lab", "autumn": "lab"}}
        folder.write(telephony=moved)
        for _ in range(2):  # and not again with every start
            with threaded(folder) as running:
                running.ready()
                eventually(lambda: len(server.requests) == 2, "it is let go")
                running.ticks_on()
                assert states(running)[FLAGGED] in {"suspended", "lost"}
        actions = [json.loads(each.body)["action"] for each in server.requests]
        assert actions == ["suspend", "resume"]
