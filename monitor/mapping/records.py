"""Other systems' records in files: JSON Lines, or one JSON document.

Owns finding where each record stands. A document may be one object, or a list of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from monitor.errors import UsageError

DOCUMENT_BYTES_MAX = 64 * 2**20
"""A longer document is not read as a whole; JSON Lines have no such limit."""
LINE_BYTES_MAX = 16 * 2**20
"""A longer line is cut, and so becomes a dead letter."""


def read_records(
    path: Path, on_progress: Callable[[int], None] | None = None
) -> Iterator[tuple[int, bytes]]:
    """Each record with its line, from 1; in a document that is a list: its place there.

    Args:
        path: the file.
        on_progress: told of the bytes read.

    Raises:
        UsageError: the file cannot be read, or is one document that is too large.
    """
    try:
        with path.open("rb") as file:
            yield from _read(path, file, on_progress or _nothing)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise UsageError(msg) from error


def _read(
    path: Path, file: IO[bytes], on_progress: Callable[[int], None]
) -> Iterator[tuple[int, bytes]]:
    first = file.readline(LINE_BYTES_MAX)
    if not _is_json(first):
        rest = file.read(DOCUMENT_BYTES_MAX + 1)
        document = _document(first + rest)
        if document is not None:
            on_progress(len(first) + len(rest))
            yield from document
            return
        if len(rest) > DOCUMENT_BYTES_MAX:
            msg = f"{path}: larger than {DOCUMENT_BYTES_MAX // 2**20} MiB and not JSON Lines"
            raise UsageError(msg)
        file.seek(len(first))
    number, line = 1, first
    while line:
        on_progress(len(line))
        if not line.isspace():
            yield number, line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
        while line and not line.endswith(b"\n"):  # what was cut off
            line = file.readline(LINE_BYTES_MAX)
            on_progress(len(line))
        number += 1
        line = file.readline(LINE_BYTES_MAX)


def _document(raw: bytes) -> list[tuple[int, bytes]] | None:
    """The records of one document; None where the bytes are none."""
    try:
        whole = msgspec.json.decode(raw.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError):
        return None
    if isinstance(whole, list):
        return [(place, msgspec.json.encode(each)) for place, each in enumerate(whole, 1)]
    return [(1, msgspec.json.encode(whole))]


def _is_json(line: bytes) -> bool:
    """Whether one line is a record by itself; a list of records is a document."""
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, RecursionError):
        return False


def _nothing(_read: int) -> None: ...
