"""Durability: what is kept when the disk refuses, a crash cuts a line, or files are full."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from concurrent.futures import wait
from pathlib import Path
from unittest import mock

import pytest

from monitor.clock import SystemClock
from monitor.errors import BackPressure, UsageError
from monitor.ingest.queue import KeepingQueue
from monitor.ingest.sinks import FileSink, Kept


def sink(folder: Path, bytes_max: int = 2**20, files: int = 3) -> FileSink:
    return FileSink(folder, bytes_max=bytes_max, files=files)


def test_records_are_lines_of_their_receiver(tmp_path: Path) -> None:
    made = sink(tmp_path / "in")
    made.keep([("a", b"1"), ("b", b"2"), ("a", b"3")])
    made.keep([("a", b"4")])
    made.close()
    assert (tmp_path / "in" / "a.jsonl").read_bytes() == b"1\n3\n4\n"
    assert (tmp_path / "in" / "b.jsonl").read_bytes() == b"2\n"


def test_each_file_is_confirmed_by_the_disk_before_the_answer(tmp_path: Path) -> None:
    made = sink(tmp_path)
    with mock.patch("monitor.ingest.sinks.os.fsync", wraps=os.fsync) as fsync:
        made.keep([("a", b"1"), ("a", b"2"), ("b", b"3")])
        assert fsync.call_count == 4, "two files, and the folder for each new name"
        made.keep([("a", b"4")])
        assert fsync.call_count == 5
    made.close()


def test_a_disk_that_refuses_leaves_no_half_line(tmp_path: Path) -> None:
    made = sink(tmp_path)
    made.keep([("a", b"1")])
    with (
        mock.patch("monitor.ingest.sinks.os.fsync", side_effect=OSError(errno.ENOSPC, "full")),
        pytest.raises(OSError, match="full"),
    ):
        made.keep([("a", b"2")])
    assert (tmp_path / "a.jsonl").read_bytes() == b"1\n"
    made.keep([("a", b"3")])
    made.close()
    assert (tmp_path / "a.jsonl").read_bytes() == b"1\n3\n"


def test_a_line_that_a_crash_cut_short_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n{"b"')
    made = sink(tmp_path)
    made.keep([("a", b'{"c": 3}')])
    made.close()
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"a": 1}\n{"b"\n{"c": 3}\n'


def test_full_files_are_rotated_and_the_oldest_goes(tmp_path: Path) -> None:
    made = sink(tmp_path, bytes_max=4, files=3)
    for number in range(5):
        made.keep([("a", f"{number}{number}{number}".encode())])
    made.close()
    found = {path.name: path.read_text() for path in tmp_path.glob("a.jsonl*")}
    assert found == {"a.jsonl": "444\n", "a.jsonl.1": "333\n", "a.jsonl.2": "222\n"}


def test_a_folder_is_one_processs(tmp_path: Path) -> None:
    made = sink(tmp_path)
    with pytest.raises(UsageError, match="another process writes"):
        sink(tmp_path)
    made.close()
    sink(tmp_path).close()


class Slow:
    """Keeps when it is let; or refuses."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.batches: list[list[Kept]] = []
        self.fault: Exception | None = None

    def keep(self, records: Sequence[Kept]) -> None:
        self.go.wait(10)
        self.batches.append(list(records))
        if self.fault is not None:
            raise self.fault

    def close(self) -> None:
        """Nothing."""


def test_what_comes_meanwhile_shares_a_confirmation_and_too_much_is_refused() -> None:
    slow = Slow()
    keeping = KeepingQueue(slow, 4, SystemClock())
    first = keeping.put("a", b"0")
    while keeping._waiting.qsize():
        pass
    others = [keeping.put("a", str(number).encode()) for number in range(4)]
    with pytest.raises(BackPressure):
        keeping.put("a", b"too many")
    slow.go.set()
    assert not wait([first, *others], timeout=10).not_done
    assert [len(batch) for batch in slow.batches] == [1, 4]
    slow.fault = OSError("no")
    assert isinstance(keeping.put("a", b"x").exception(timeout=10), OSError)
    slow.fault = ZeroDivisionError()
    assert isinstance(keeping.put("a", b"x").exception(timeout=10), ZeroDivisionError)
    slow.fault = None
    assert keeping.put("a", b"y").exception(timeout=10) is None, "it goes on"
    slow.go.clear()
    gone = [keeping.put("a", b"1"), keeping.put("a", b"2")]
    assert gone[1].cancel(), "who asked is not there any more"
    slow.go.set()
    assert keeping.put("a", b"z").exception(timeout=10) is None
    keeping.close()
    with pytest.raises(BackPressure):
        keeping.put("a", b"late")
