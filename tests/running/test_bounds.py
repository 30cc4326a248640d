"""Each bounded thing of a running daemon says how full it is, against the limit that was set."""

from __future__ import annotations

from pathlib import Path

from monitor.snapshot import Table
from tests.daemon.folder import Folder
from tests.daemon.running import Threaded, eventually, threaded


def test_tables_and_queues_are_told_with_their_limits(tmp_path: Path) -> None:
    folder = Folder(
        tmp_path,
        limits={"ids": 1_234, "keys_per_scope": 100},
        events={
            "dead_letters": {"path": str(tmp_path / "dead.jsonl")},
            "owners": {"numbers": 11, "calls": 22},
        },
        numbers={"numbers_max": 2},
        delivery={"waiting_max": 777},
    )
    folder.call("+8615000000001")
    folder.call("+8615000000002")
    folder.call("+8615000000003")
    with threaded(folder) as running:
        full = Table("numbers", 2, 2, 1)
        eventually(lambda: _tables(running).get("numbers") == full, "a third one found no room")
        found = _tables(running)
        assert (found["ids"].limit, found["ids"].beyond) == (1_234, 0)
        assert (found["owners"].limit, found["calls"].limit) == (11, 22)
        assert found["files"] == Table("files", 1, 10_000)
        queues = {queue.name: queue.limit for queue in running.picture.queues}
        assert queues == {
            "pending_rows": 1_000_000,
            "store": 10_000,
            "outbox": 777,
            "requests": 1_000,
        }


def _tables(running: Threaded) -> dict[str, Table]:
    snapshot = running.daemon.board.latest
    return {} if snapshot is None else {table.name: table for table in snapshot.tables}
