"""Checkpoints on disk: the newest two, each whole or not there.

Owns the files, their checksum and the choice among them; what a state may hold is
``monitor.store.state``. They stand apart from the decisions, so that writing a large one never
makes a decision wait.

A file is: magic (8 bytes) · format version (uint32) · zeros (uint32) · BLAKE2b-256 over the rest ·
zstd stream. It is written under another name, synced and renamed, so a crash leaves the last one.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import structlog
import zstandard

from monitor.errors import CheckpointError, StoreError
from monitor.store import state as states

log = structlog.get_logger(__name__)

FORMAT_VERSION = 1
KEPT = 2

_MAGIC = b"MONCKPT\n"
_HEAD = struct.Struct("<8sII")
_DIGEST_BYTES = 32
_ZSTD_LEVEL = 1
_PIECE_BYTES = 2**20
_SUFFIX = ".ckpt"
_UNFINISHED = ".tmp"


class Checkpoints:
    """The checkpoints in one directory. One thread uses it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(self, state: dict[str, Any]) -> int:
        """Write ``state`` as the newest checkpoint; returns its size on disk in bytes.

        Durable on return. The one before is kept, older ones are removed.

        Raises:
            CheckpointError: the state holds what a snapshot may not.
            StoreError: the disk refused; the checkpoints there were are untouched.
        """
        known = self._numbers()
        number = known[-1] + 1 if known else 1
        target = self._path(number)
        unfinished = target.with_suffix(_UNFINISHED)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                _write(file, state)
                size = file.tell()
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(target)
            _sync_directory(self._directory)
            for old in [*known, number][:-KEPT]:
                self._path(old).unlink(missing_ok=True)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            msg = f"checkpoint {target}: cannot be written: {error.strerror or error}"
            raise StoreError(msg) from error
        except CheckpointError:
            unfinished.unlink(missing_ok=True)
            raise
        return size

    def load(self) -> dict[str, Any] | None:
        """The newest state that can be read; None when none was ever saved here.

        A damaged newest one is logged, and the one before it is read instead: the records since
        then are read again, and lead to the same decisions.

        Raises:
            CheckpointError: there are checkpoints, and none can be read.
        """
        faults: list[str] = []
        for number in reversed(self._numbers()):
            path = self._path(number)
            try:
                return _read(path)
            except CheckpointError as error:
                log.warning("checkpoint_unreadable", path=str(path), detail=str(error))
                faults.append(f"{path}: {error}")
        if faults:
            raise CheckpointError("no checkpoint can be read: " + "; ".join(faults))
        return None

    def _path(self, number: int) -> Path:
        return self._directory / f"checkpoint-{number:012d}{_SUFFIX}"

    def _numbers(self) -> list[int]:
        names = [path.stem for path in self._directory.glob(f"checkpoint-*{_SUFFIX}")]
        texts = [name.removeprefix("checkpoint-") for name in names]
        return sorted(int(text) for text in texts if text.isascii() and text.isdecimal())


def _write(file: BinaryIO, state: dict[str, Any]) -> None:
    head = _HEAD.pack(_MAGIC, FORMAT_VERSION, 0)
    file.write(head + bytes(_DIGEST_BYTES))
    digest = hashlib.blake2b(head, digest_size=_DIGEST_BYTES)
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    for piece in states.pieces(state):
        packed = compressor.compress(piece)
        digest.update(packed)
        file.write(packed)
    packed = compressor.flush()
    digest.update(packed)
    file.write(packed)
    end = file.tell()
    file.seek(_HEAD.size)
    file.write(digest.digest())
    file.seek(end)


def _read(path: Path) -> dict[str, Any]:
    with _readable(path) as file:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(_MAGIC):
            raise CheckpointError("it is not a checkpoint")
        version = _HEAD.unpack(head)[1]
        if version != FORMAT_VERSION:
            msg = f"it has format {version}, and this program reads {FORMAT_VERSION}"
            raise CheckpointError(msg)
        expected = file.read(_DIGEST_BYTES)
        digest = hashlib.blake2b(head, digest_size=_DIGEST_BYTES)
        start = file.tell()
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
        if digest.digest() != expected:
            raise CheckpointError("its checksum is wrong: it is damaged")
        file.seek(start)
        with zstandard.ZstdDecompressor().stream_reader(file) as stream:
            return states.read(stream)


@contextmanager
def _readable(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        msg = f"it cannot be read: {error.strerror or error}"
        raise CheckpointError(msg) from error
    except zstandard.ZstdError as error:
        msg = f"it cannot be unpacked: {error}"
        raise CheckpointError(msg) from error


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
