"""Dead letters: bytes, reasons, bounds."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from monitor.events.batch import Reject
from monitor.events.rejects import DeadLetters, FileDeadLetters, MemoryDeadLetters, to_line
from monitor.events.settings import DeadLetterFile
from monitor.source.base import Partition


def reject(offset: int, value: bytes = b"\xff\x00{") -> Reject:
    return Reject(Partition("calls", 2), offset, "not_utf8", "byte 0 is not UTF-8", value)


def settings(path: Path, size: str = "1kB", files: int = 3) -> DeadLetterFile:
    return DeadLetterFile.model_validate({"path": path, "file_bytes": size, "files": files})


def offsets(path: Path) -> list[int]:
    return [json.loads(line)["offset"] for line in path.read_bytes().splitlines()]


def test_a_line_holds_everything_and_the_bytes_come_back() -> None:
    line = to_line(reject(7))
    entry = json.loads(line)
    assert base64.b64decode(entry.pop("value")) == b"\xff\x00{"
    assert entry == {
        "reason": "not_utf8",
        "detail": "byte 0 is not UTF-8",
        "topic": "calls",
        "partition": 2,
        "offset": 7,
    }
    assert line.count(b"\n") == 1


def test_the_file_rotates_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "dead.jsonl"
    size = len(to_line(reject(10)))
    sink = FileDeadLetters(settings(path, f"{2 * size}B"))
    sink.put([reject(offset) for offset in range(10, 19)])
    sink.close()
    assert offsets(path) == [18]
    assert offsets(tmp_path / "deep" / "dead.jsonl.1") == [16, 17]
    assert offsets(tmp_path / "deep" / "dead.jsonl.2") == [14, 15]
    assert len(list(path.parent.iterdir())) == 3
    assert sink.lost == 0


def test_a_restart_appends(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    for offset in (1, 2):
        sink = FileDeadLetters(settings(path))
        sink.put([reject(offset)])
        sink.close()
        sink.close()
    assert offsets(path) == [1, 2]


def test_lines_are_on_disk_after_put(tmp_path: Path) -> None:
    sink = FileDeadLetters(settings(tmp_path / "dead.jsonl"))
    sink.put([reject(1)])
    assert offsets(tmp_path / "dead.jsonl") == [1]
    sink.put([])
    sink.close()


def test_a_single_file_starts_over(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    sink = FileDeadLetters(settings(path, "1B", files=1))
    sink.put([reject(1), reject(2)])
    sink.close()
    assert offsets(path) == [2]
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_stops_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    sink: DeadLetters = FileDeadLetters(settings(blocked / "dead.jsonl"))
    sink.put([reject(1), reject(2)])
    assert sink.lost == 2
    blocked.unlink()
    sink.put([reject(3)])
    sink.close()
    assert offsets(blocked / "dead.jsonl") == [3]


def test_memory_keeps_the_newest() -> None:
    sink = MemoryDeadLetters(keep=2)
    sink.put([reject(1)])
    sink.put([reject(2), reject(3)])
    sink.close()
    assert [one.offset for one in sink.kept] == [2, 3]
    assert sink.lost == 1
