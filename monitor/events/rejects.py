"""Dead letters: refused records, byte for byte, with the reason, where people can find them.

Owns the protocol and the sinks that need nothing but this machine. The Kafka sink is
``monitor.telephony``'s and counting by reason is the engine's.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import structlog

from monitor.events.batch import Reject
from monitor.events.settings import DeadLetterFile

log = structlog.get_logger(__name__)


class DeadLetters(Protocol):
    """Where refused records go. Never stops the stream: what cannot be kept is counted."""

    lost: int
    """Records that could not be kept, since construction."""

    def put(self, rejects: Sequence[Reject]) -> None:
        """Keep ``rejects``; does not raise when the place is full or gone."""
        ...

    def waiting(self) -> tuple[int, int] | None:
        """How many wait to be kept, and how many may; None where none ever wait."""
        ...

    def close(self) -> None:
        """Release what is held; calling it twice is fine."""
        ...


class MemoryDeadLetters:
    """Keeps the newest in memory; ships with the product for replays and tests."""

    def __init__(self, keep: int = 10_000) -> None:
        self.kept: deque[Reject] = deque(maxlen=keep)
        self.lost = 0

    def put(self, rejects: Sequence[Reject]) -> None:
        """Keep ``rejects``; past the bound the oldest go and count as lost."""
        room = (self.kept.maxlen or 0) - len(self.kept)
        self.lost += max(0, len(rejects) - room)
        self.kept.extend(rejects)

    def waiting(self) -> None:
        """They are kept at once."""

    def close(self) -> None:
        """Nothing to release."""


class FileDeadLetters:
    """Writes JSON Lines, rotated by size: ``name``, ``name.1`` (older) … at most ``files``."""

    def __init__(self, settings: DeadLetterFile) -> None:
        self.lost = 0
        self._settings = settings
        self._file: BinaryIO | None = None
        self._size = 0

    def put(self, rejects: Sequence[Reject]) -> None:
        """Append a line for each; a disk that refuses is logged and counted, not raised."""
        lines = [to_line(reject) for reject in rejects]
        for done, line in enumerate(lines):
            try:
                self._write(line)
            except OSError as error:
                self.lost += len(lines) - done
                log.warning("dead_letters_not_written", error=str(error), lost=self.lost)
                self.close()
                return
        if self._file is not None:
            self._file.flush()

    def waiting(self) -> None:
        """They are written at once."""

    def close(self) -> None:
        """Close the file; :meth:`put` opens it again."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _write(self, line: bytes) -> None:
        if self._file is None:
            path = self._settings.path
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            self._size = self._file.tell()
        if self._size and self._size + len(line) > self._settings.file_bytes:
            self.close()
            self._rotate()
            self._write(line)
            return
        self._file.write(line)
        self._size += len(line)

    def _rotate(self) -> None:
        path, files = self._settings.path, self._settings.files
        older = [path, *(_numbered(path, number) for number in range(1, files))]
        older[-1].unlink(missing_ok=True)
        for index in range(files - 1, 0, -1):
            if older[index - 1].exists():
                older[index - 1].replace(older[index])


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def to_line(reject: Reject) -> bytes:
    """One JSON object and a newline; the original bytes are base64 under ``value``."""
    entry = {
        "reason": reject.reason,
        "detail": reject.detail,
        "topic": reject.partition.topic,
        "partition": reject.partition.number,
        "offset": reject.offset,
        "value": base64.b64encode(reject.value).decode(),
    }
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
