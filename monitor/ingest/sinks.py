"""Where received records are kept: files that a daemon follows, or topics.

Owns durability: :meth:`Sink.keep` returns when the records would survive a power cut, and otherwise
raises. One thread uses a sink.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError

from monitor.errors import SourceUnavailable, UsageError
from monitor.source.kafka_client import open_producer, translate
from monitor.source.settings import KafkaConnection

Kept = tuple[str, bytes]
"""Name of the receiver, and a record: one JSON object without line breaks."""

_SEND_S = 5.0


class Sink(Protocol):
    """A place for records."""

    def keep(self, records: Sequence[Kept]) -> None:
        """Make them durable, all of them or it raises; then some may be there all the same.

        Raises:
            OSError: the disk refuses.
            MonitorError: the broker does.
        """
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


class FileSink:
    """``<name>.jsonl`` in a folder, with ``.1`` (younger) to ``.n`` before it."""

    def __init__(self, folder: Path, *, bytes_max: int, files: int) -> None:
        """Take the folder, for this process alone.

        Raises:
            UsageError: it cannot be written, or another process has it.
        """
        self._folder, self._bytes_max, self._keep = folder, bytes_max, files - 1
        self._files: dict[str, IO[bytes]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / ".lock").open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            msg = f"ingest.folder: another process writes to {folder}"
            raise UsageError(msg) from error
        except OSError as error:
            msg = f"ingest.folder: {folder} cannot be written: {error.strerror}"
            raise UsageError(msg) from error

    def keep(self, records: Sequence[Kept]) -> None:
        """Append a line each, and have the disk confirm them: once for each file."""
        for name in dict.fromkeys(name for name, _ in records):
            lines = b"".join(line + b"\n" for owner, line in records if owner == name)
            self._append(name, lines)

    def close(self) -> None:
        """Close the files; what was kept stays."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._lock.close()

    def _append(self, name: str, lines: bytes) -> None:
        file = self._opened(name)
        before = os.fstat(file.fileno()).st_size
        try:
            left = memoryview(lines)
            while left:
                left = left[os.write(file.fileno(), left) :]
            os.fsync(file.fileno())
        except OSError:
            # Nobody was told that they are kept, and half a line would spoil the next.
            with contextlib.suppress(OSError):
                os.ftruncate(file.fileno(), before)
            self._files.pop(name).close()
            raise

    def _opened(self, name: str) -> IO[bytes]:
        """The file to append to; a full one makes room first."""
        path = self._folder / f"{name}.jsonl"
        file = self._files.get(name)
        if file is not None and os.fstat(file.fileno()).st_size >= self._bytes_max:
            self._files.pop(name).close()
            self._rotate(path)
            file = None
        if file is None:
            file = path.open("a+b", buffering=0)
            self._files[name] = file
            _end_line(file)
            _sync_folder(self._folder)
        return file

    def _rotate(self, path: Path) -> None:
        for number in range(self._keep, 0, -1):
            younger = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
            with contextlib.suppress(FileNotFoundError):
                younger.rename(path.with_name(f"{path.name}.{number}"))


class KafkaSink:
    """A topic for each receiver; all replicas in sync have a record before it counts as kept."""

    def __init__(self, connection: KafkaConnection, prefix: str) -> None:
        """Nothing is opened before the first record."""
        self._connection, self._prefix = connection, prefix
        self._producer: KafkaProducer | None = None

    def keep(self, records: Sequence[Kept]) -> None:
        """Send all, and wait for the broker's word on each."""
        try:
            if self._producer is None:
                self._producer, _ = open_producer(
                    self._connection,
                    acks="all",
                    delivery_timeout_ms=int(_SEND_S * 1000),
                    linger_ms=0,
                    max_block_ms=int(_SEND_S * 1000),
                    request_timeout_ms=int(_SEND_S * 500),
                )
            sent = [self._producer.send(self._prefix + name, value=line) for name, line in records]
            self._producer.flush(timeout=_SEND_S + 1)
            for future in sent:
                if future.exception is not None:
                    raise future.exception
                if not future.is_done:
                    msg = "the broker did not confirm in time"
                    raise SourceUnavailable(msg)
        except KafkaError as fault:
            raise translate(fault, "keeping records", self._connection, "Write") from fault

    def close(self) -> None:
        """Close the producer."""
        if self._producer is not None:
            self._producer.close(timeout=_SEND_S)


def _end_line(file: IO[bytes]) -> None:
    """End a line that a crash cut short: it becomes a dead letter, and the next one is whole."""
    size = os.fstat(file.fileno()).st_size
    if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
        os.write(file.fileno(), b"\n")


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file as durable as what is in it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
