"""The samples of figures on disk, so that a restart does not forget the night.

Owns one file: frames of names and of samples, appended once a minute and written anew when most of
it is out of date, so that it is at most about twice as large as what memory holds. Nothing follows
from it: a file that cannot be read or written costs the lines of the past, and is said once.
Samples of customers are not in it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import structlog

from monitor.events.batch import PRIVATE_DIMENSIONS

log = structlog.get_logger(__name__)

Float32 = npt.NDArray[np.float32]
Columns = dict[tuple[str, str], dict[str, tuple[tuple[str, ...], Float32]]]
"""By indicator and dimension, by window: names in ascending order, values."""
EVERY_MS: Final = 60_000
"""Least distance of samples in the file, event time."""
_MAGIC: Final = b"trends1\n"
_HEAD: Final = struct.Struct("<II")
_FRAME_MAX: Final = 2**30
_SPARE: Final = 2**20
_MODE: Final = 0o600


class _Names(msgspec.Struct, tag=True, array_like=True):
    """Names that samples after it refer to by their number."""

    number: int
    names: tuple[str, ...]


class _Values(msgspec.Struct, tag=True, array_like=True):
    """One sample."""

    at_ms: int
    columns: list[tuple[str, str, str, int, bytes]]
    """Indicator, dimension, window, number of the names, values."""


class Logged(NamedTuple):
    """One sample."""

    at_ms: int
    of: Columns


class TrendLog:
    """The file; one thread uses it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        """Of the file."""
        self._begun = False
        """This process has written it: what it does not know the end of is written anew."""
        self._names: dict[tuple[str, ...], int] = {}
        """Those of the last sample, with their numbers."""
        self._numbers = 0
        self._last_ms: int | None = None
        self._well = True

    def load(self) -> list[Logged]:
        """All samples that the file holds, the oldest first, up to the first fault in it."""
        found: list[Logged] = []
        try:
            with self.path.open("rb") as file:
                found.extend(_read(file))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._failed(error)
        if found:
            self._last_ms = found[-1].at_ms
        return found

    def append(self, sample: Logged, all_of_them: Iterable[Logged], bytes_held: int) -> None:
        """Add a sample; at a start, and where most of the file is out of date, write it anew.

        ``all_of_them``: those in memory, this one among them; ``bytes_held``: how much that is.
        """
        if self._last_ms is not None and 0 <= sample.at_ms - self._last_ms < EVERY_MS:
            return
        try:
            if not self._begun or self.bytes > 2 * bytes_held + _SPARE:
                self._rewrite(all_of_them)
            else:
                with self.path.open("ab") as file:
                    self._write(file, sample)
            self._last_ms = sample.at_ms
            self._well = True
        except OSError as error:
            self._begun = False
            self._failed(error)

    def _rewrite(self, samples: Iterable[Logged]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        self._names.clear()
        self.bytes = len(_MAGIC)
        with beside.open("wb") as file:
            beside.chmod(_MODE)
            file.write(_MAGIC)
            for sample in samples:
                self._write(file, sample)
        beside.replace(self.path)
        self._begun = True

    def _write(self, file: IO[bytes], sample: Logged) -> None:
        columns: list[tuple[str, str, str, int, bytes]] = []
        used: dict[tuple[str, ...], int] = {}
        for (indicator, dimension), windows in sample.of.items():
            if dimension in PRIVATE_DIMENSIONS:
                continue
            for window, (names, values) in windows.items():
                number = used.get(names, self._names.get(names, 0))
                if not number:
                    number = self._numbers = self._numbers + 1
                    self._put(file, _Names(number, names))
                used[names] = number
                columns.append((indicator, dimension, window, number, values.tobytes()))
        self._names = used
        self._put(file, _Values(sample.at_ms, columns))

    def _put(self, file: IO[bytes], frame: _Names | _Values) -> None:
        body = zlib.compress(_ENCODER.encode(frame), 1)
        file.write(_HEAD.pack(len(body), zlib.crc32(body)) + body)
        self.bytes += _HEAD.size + len(body)

    def _failed(self, error: OSError) -> None:
        if self._well:
            self._well = False
            log.warning("trends_not_kept", path=str(self.path), detail=str(error))


def _read(file: IO[bytes]) -> Iterator[Logged]:
    """Samples up to the end, or to what is no whole frame: a crash cuts the last one off."""
    if file.read(len(_MAGIC)) != _MAGIC:
        return
    names: dict[int, tuple[str, ...]] = {}
    while True:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        length, checksum = _HEAD.unpack(head)
        body = file.read(length) if length <= _FRAME_MAX else b""
        if len(body) < length or not body or zlib.crc32(body) != checksum:
            return
        try:
            frame = _DECODER.decode(zlib.decompress(body))
        except (msgspec.DecodeError, zlib.error):
            return
        if isinstance(frame, _Names):
            names[frame.number] = frame.names
        else:
            yield _sample(frame, names)


def _sample(frame: _Values, names: dict[int, tuple[str, ...]]) -> Logged:
    found: Columns = {}
    for indicator, dimension, window, number, packed in frame.columns:
        values = np.frombuffer(packed, dtype=np.float32)
        found.setdefault((indicator, dimension), {})[window] = (names[number], values)
    return Logged(frame.at_ms, found)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[_Names | _Values] = msgspec.msgpack.Decoder(_Names | _Values)
