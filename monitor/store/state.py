"""Snapshots as bytes: a msgpack tree, with the arrays' memory behind it.

Owns which values a snapshot may hold and their binary form; files are ``monitor.store.checkpoint``.
No pickle: reading a checkpoint runs nothing.

Layout, before compression: length of the tree (uint64, little-endian) · the tree · the memory of
each array, one after the other, C order, little-endian. In the tree an array stands as extension 1,
``[index, dtype, shape]``; an integer beyond 64 bits as extension 2, its bytes in two's complement.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.errors import CheckpointError

_ARRAY: Final = 1
_BIG_INT: Final = 2
_LENGTH = struct.Struct("<Q")
_PLAIN: Final = frozenset({type(None), bool, float, str, bytes})
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_ITEM_BYTES_MAX = 8
_TREE_BYTES_MAX = 2**32
_ARRAY_KINDS = "biuf"


def pieces(state: dict[str, Any]) -> Iterator[bytes | memoryview]:
    """The bytes of ``state``, piece by piece; arrays are not copied.

    Raises:
        CheckpointError: a value is of a type that snapshots may not hold; says where it stands.
    """
    arrays: list[npt.NDArray[Any]] = []
    try:
        tree = msgspec.msgpack.encode(_packed(state, "state", arrays))
    except UnicodeEncodeError as error:
        msg = f"a string in the snapshot is not valid Unicode: {error}"
        raise CheckpointError(msg) from error
    yield _LENGTH.pack(len(tree))
    yield tree
    for array in arrays:
        yield array.reshape(-1).view(np.uint8).data


def read(stream: BinaryIO) -> dict[str, Any]:
    """The state whose :func:`pieces` the stream holds; arrays are fresh and writable.

    Raises:
        CheckpointError: the stream is cut short, too long, or something else.
    """
    (length,) = _LENGTH.unpack(_exactly(stream.read, _LENGTH.size))
    if length > _TREE_BYTES_MAX:
        raise CheckpointError("the checkpoint's tree is larger than any we write")
    arrays: list[npt.NDArray[Any]] = []

    def extension(code: int, data: memoryview) -> Any:
        if code == _BIG_INT:
            return int.from_bytes(data, "little", signed=True)
        if code != _ARRAY:
            msg = f"the checkpoint holds an unknown extension {code}"
            raise CheckpointError(msg)
        index, dtype, shape = msgspec.msgpack.decode(data, type=tuple[int, str, list[int]])
        if index != len(arrays):
            raise CheckpointError("the checkpoint's arrays are out of order")
        arrays.append(np.empty(shape, dtype=_checked(np.dtype(dtype))))
        return arrays[-1]

    try:
        state = msgspec.msgpack.decode(_exactly(stream.read, length), ext_hook=extension)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        msg = f"the checkpoint's tree cannot be read: {error}"
        raise CheckpointError(msg) from error
    for array in arrays:
        _fill(stream, array)
    if stream.read(1):
        raise CheckpointError("the checkpoint is longer than it says")
    if not isinstance(state, dict):
        raise CheckpointError("the checkpoint holds no state")
    return state


def _packed(value: Any, path: str, arrays: list[npt.NDArray[Any]]) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is int:
        return _packed_int(value)
    if kind is list:
        return _packed_list(value, path, arrays)
    if kind is dict:
        if not all(type(key) is str for key in value):
            msg = f"{path}: the keys of a mapping in a snapshot are strings"
            raise CheckpointError(msg)
        return {key: _packed(item, f"{path}.{key}", arrays) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _packed_array(value, path, arrays)
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return _packed(value.item(), path, arrays)
    msg = f"{path}: a snapshot may not hold a {kind.__name__}"
    raise CheckpointError(msg)


def _packed_list(values: list[Any], path: str, arrays: list[npt.NDArray[Any]]) -> list[Any]:
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return values  # names by the hundred thousand pass here without a loop
    if kinds == {int} and min(values) >= _INT_MIN and max(values) <= _INT_MAX:
        return values
    return [_packed(item, f"{path}[{index}]", arrays) for index, item in enumerate(values)]


def _packed_int(value: int) -> int | msgspec.msgpack.Ext:
    if _INT_MIN <= value <= _INT_MAX:
        return value
    size = value.bit_length() // 8 + 1
    return msgspec.msgpack.Ext(_BIG_INT, value.to_bytes(size, "little", signed=True))


def _packed_array(
    value: npt.NDArray[Any], path: str, arrays: list[npt.NDArray[Any]]
) -> msgspec.msgpack.Ext:
    try:
        dtype = _checked(value.dtype).newbyteorder("<")
    except TypeError as error:
        msg = f"{path}: {error}"
        raise CheckpointError(msg) from error
    # np.ascontiguousarray would turn an array without dimensions into one with one.
    arrays.append(np.array(value, dtype=dtype, order="C", copy=None))
    head = msgspec.msgpack.encode((len(arrays) - 1, dtype.str, list(value.shape)))
    return msgspec.msgpack.Ext(_ARRAY, head)


def _checked(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind not in _ARRAY_KINDS or dtype.itemsize > _ITEM_BYTES_MAX:
        msg = f"a snapshot may not hold an array of {dtype}"
        raise TypeError(msg)
    return dtype


def _fill(stream: BinaryIO, array: npt.NDArray[Any]) -> None:
    target = array.reshape(-1).view(np.uint8)
    filled = 0
    while filled < target.size:
        piece = stream.read(min(target.size - filled, 2**24))
        if not piece:
            raise CheckpointError("the checkpoint is cut short")
        target[filled : filled + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        filled += len(piece)


def _exactly(read_some: Callable[[int], bytes], size: int) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing:
        piece = read_some(missing)
        if not piece:
            raise CheckpointError("the checkpoint is cut short")
        parts.append(piece)
        missing -= len(piece)
    return b"".join(parts)
