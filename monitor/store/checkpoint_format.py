"""A checkpoint as a stream of bytes, wherever it is kept.

Owns the head, the checksum and the compression; what a state may hold is ``monitor.store.state``.

A checkpoint is: magic (8 bytes) · format version (uint32) · zeros (uint32) · BLAKE2b-256 over the
rest and what stands before · zstd stream.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any, BinaryIO, Final

import zstandard

from monitor.errors import CheckpointError
from monitor.store import state as states

FORMAT_VERSION: Final = 1

_DIGEST_BYTES = 32
_MAGIC = b"MONCKPT\n"
_HEAD = struct.Struct("<8sII")
_ZSTD_LEVEL = 1
_PIECE_BYTES = 2**20

_HEAD_NOW = _HEAD.pack(_MAGIC, FORMAT_VERSION, 0)


def write(file: BinaryIO, state: dict[str, Any]) -> int:
    """Write ``state`` as a checkpoint to an empty file; returns its size in bytes.

    Arrays are not copied.

    Raises:
        CheckpointError: the state holds what a snapshot may not.
        OSError: the file cannot be written.
    """
    file.write(_HEAD_NOW + bytes(_DIGEST_BYTES))
    digest = hashlib.blake2b(_HEAD_NOW, digest_size=_DIGEST_BYTES)
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    for piece in states.pieces(state):
        packed = compressor.compress(piece)
        digest.update(packed)
        file.write(packed)
    packed = compressor.flush()
    digest.update(packed)
    file.write(packed)
    size = file.tell()
    file.seek(len(_HEAD_NOW))
    file.write(digest.digest())
    file.seek(size)
    return size


def read(file: BinaryIO) -> dict[str, Any]:
    """The state of the checkpoint that ``file`` holds from its beginning to its end.

    Raises:
        CheckpointError: it is damaged, of another format, or no checkpoint.
        OSError: the file cannot be read.
    """
    verify(file)
    file.seek(_HEAD.size + _DIGEST_BYTES)
    try:
        with zstandard.ZstdDecompressor().stream_reader(file) as stream:
            return states.read(stream)
    except zstandard.ZstdError as error:
        msg = f"it cannot be unpacked: {error}"
        raise CheckpointError(msg) from error


def verify(file: BinaryIO) -> None:
    """Read the checkpoint to its end, without unpacking it.

    Raises:
        CheckpointError: it is damaged, of another format, or no checkpoint.
        OSError: the file cannot be read.
    """
    file.seek(0)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size or not head.startswith(_MAGIC):
        raise CheckpointError("it is not a checkpoint")
    version = _HEAD.unpack(head)[1]
    if version != FORMAT_VERSION:
        msg = f"it has format {version}, and this program reads {FORMAT_VERSION}"
        raise CheckpointError(msg)
    expected = file.read(_DIGEST_BYTES)
    digest = hashlib.blake2b(head, digest_size=_DIGEST_BYTES)
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
    if digest.digest() != expected:
        raise CheckpointError("its checksum is wrong: it is damaged")
