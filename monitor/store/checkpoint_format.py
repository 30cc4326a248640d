"""The files of a checkpoint as streams of bytes, wherever they are kept.

Owns the head, the checksum and the compression; what a state may hold is ``monitor.store.state``.

Each is: magic (8 bytes) · format version (uint32) · kind (uint32) · BLAKE2b-256 over the rest and
what stands before · zstd stream. By kind the stream holds:

- *root* (0): length (uint64) · msgpack of ``{"parts": {number: digest}}``, the parts that are
  referred to with their checksums, number 0 being those written with it · the state.
- *parts* (1): how many (uint64) · length of each (uint64) · each.

Format 1 had roots only, and nothing before the state.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, Literal, NamedTuple

import msgspec
import zstandard

from monitor.errors import CheckpointError
from monitor.store import state as states
from monitor.store.state import Packed, Unpacked

FORMAT_VERSION: Final = 2
OWN: Final = 0
"""The number that parts written together with a root have in it."""

Kind = Literal["root", "parts"]

_KINDS: Final[Mapping[Kind, int]] = {"root": 0, "parts": 1}
_DIGEST_BYTES = 32
_MAGIC = b"MONCKPT\n"
_HEAD = struct.Struct("<8sII")
_COUNT = struct.Struct("<Q")
_ZSTD_LEVEL = 1
_PIECE_BYTES = 2**20
_TABLE_BYTES_MAX = 2**26


class Written(NamedTuple):
    """A file that was written."""

    size: int
    """Bytes."""
    digest: bytes


class Opened(NamedTuple):
    """A file whose checksum is right."""

    version: int
    digest: bytes
    read: Callable[[int], bytes]
    """At most so many bytes of its stream, none at its end."""


class Root(NamedTuple):
    """What was read of a root."""

    state: Unpacked
    parts: Mapping[int, bytes]
    """The checksums of the parts that it refers to, by their numbers."""


def write_root(file: BinaryIO, state: Packed, parts: Mapping[int, bytes]) -> Written:
    """Write a root to an empty file.

    Raises:
        OSError: the file cannot be written.
    """
    table = msgspec.msgpack.encode({"parts": dict(parts)})
    return _write(file, "root", [_COUNT.pack(len(table)), table, *state.pieces()])


def write_parts(file: BinaryIO, parts: Sequence[Packed]) -> Written:
    """Write parts to an empty file.

    Raises:
        OSError: the file cannot be written.
    """
    return _write(file, "parts", _parts_pieces(parts))


@contextmanager
def opened(file: BinaryIO, kind: Kind) -> Iterator[Opened]:
    """A file to be read from its beginning, once its checksum was found right.

    Raises:
        CheckpointError: it is damaged, of another format, or something else.
        OSError: the file cannot be read.
    """
    version, digest = _verified(file, kind)
    file.seek(_HEAD.size + _DIGEST_BYTES)
    try:
        with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as stream:
            yield Opened(version, digest, stream.read)
    except zstandard.ZstdError as error:
        msg = f"it cannot be unpacked: {error}"
        raise CheckpointError(msg) from error


def read_root(stream: Opened) -> Root:
    """The root in a file.

    Raises:
        CheckpointError: what it holds is none of ours.
    """
    parts: Mapping[int, bytes] = {}
    if stream.version > 1:
        length = _count(stream)
        if length > _TABLE_BYTES_MAX:
            raise CheckpointError("its table of parts is larger than any we write")
        try:
            table = msgspec.msgpack.decode(
                states.exactly(stream.read, length), type=dict[str, dict[int, bytes]]
            )
            parts = table["parts"]
        except (msgspec.MsgspecError, KeyError) as error:
            msg = f"its table of parts cannot be read: {error}"
            raise CheckpointError(msg) from error
    state = Unpacked()
    state.read(stream.read)
    if stream.read(1):
        raise CheckpointError("the checkpoint is longer than it says")
    if not isinstance(state.value, dict):
        raise CheckpointError("the checkpoint holds no state")
    if {number for number, _ in state.references()} > set(parts):
        raise CheckpointError("the checkpoint refers to parts that it does not name")
    return Root(state, parts)


def read_parts(stream: Opened, wanted: Container[int]) -> Iterator[tuple[int, int, Any]]:
    """Index, length in bytes and content of the parts in a file; None for those not ``wanted``.

    Raises:
        CheckpointError: what it holds is none of ours.
    """
    lengths = [_count(stream) for _ in range(_count(stream))]
    for index, length in enumerate(lengths):
        part = _Bounded(stream.read, length)
        content = None
        if index in wanted:
            unpacked = Unpacked()
            unpacked.read(part.read)
            content = unpacked.value
        part.skip()
        yield index, length, content


def verified(file: BinaryIO, kind: Kind) -> bytes:
    """Read a file to its end, without unpacking it; returns its checksum.

    Raises:
        CheckpointError: it is damaged, of another format, or something else.
        OSError: the file cannot be read.
    """
    return _verified(file, kind)[1]


class _Bounded:
    """So many bytes of a stream."""

    def __init__(self, read: Callable[[int], bytes], left: int) -> None:
        self._read = read
        self._left = left

    def read(self, size: int) -> bytes:
        piece = self._read(min(size, self._left)) if self._left else b""
        self._left -= len(piece)
        return piece

    def skip(self) -> None:
        """Pass over what is left."""
        while self._left:
            if not self.read(_PIECE_BYTES):
                raise CheckpointError("the checkpoint is cut short")


def _count(stream: Opened) -> int:
    (count,) = _COUNT.unpack(states.exactly(stream.read, _COUNT.size))
    return int(count)


def _parts_pieces(parts: Sequence[Packed]) -> Iterator[bytes | memoryview]:
    yield b"".join(_COUNT.pack(number) for number in [len(parts), *(part.size for part in parts)])
    for part in parts:
        yield from part.pieces()


def _write(file: BinaryIO, kind: Kind, pieces: Iterable[bytes | memoryview]) -> Written:
    head = _HEAD.pack(_MAGIC, FORMAT_VERSION, _KINDS[kind])
    file.write(head + bytes(_DIGEST_BYTES))
    digest = hashlib.blake2b(head, digest_size=_DIGEST_BYTES)
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    for piece in pieces:
        if packed := compressor.compress(piece):
            digest.update(packed)
            file.write(packed)
    packed = compressor.flush()
    digest.update(packed)
    file.write(packed)
    size = file.tell()
    file.seek(len(head))
    file.write(digest.digest())
    file.seek(size)
    return Written(size, digest.digest())


def _verified(file: BinaryIO, kind: Kind) -> tuple[int, bytes]:
    file.seek(0)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size or not head.startswith(_MAGIC):
        raise CheckpointError("it is not a checkpoint")
    _, version, number = _HEAD.unpack(head)
    if not 1 <= version <= FORMAT_VERSION:
        msg = f"it has format {version}, and this program reads 1 to {FORMAT_VERSION}"
        raise CheckpointError(msg)
    if number != _KINDS[kind]:
        msg = f"it holds something else than the {kind} of a checkpoint"
        raise CheckpointError(msg)
    expected = file.read(_DIGEST_BYTES)
    digest = hashlib.blake2b(head, digest_size=_DIGEST_BYTES)
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
    if digest.digest() != expected:
        raise CheckpointError("its checksum is wrong: it is damaged")
    return version, expected
