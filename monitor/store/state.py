"""Snapshots as bytes: a msgpack tree, with the arrays' memory behind it.

Owns which values a snapshot may hold and their binary form; files are ``monitor.store.checkpoint``.
No pickle: reading a checkpoint runs nothing.

Layout, before compression: length of the tree (uint64, little-endian) · the tree · the memory of
each array, one after the other, C order, little-endian. In the tree an array stands as extension 1,
``[index, dtype, shape]``; an integer beyond 64 bits as extension 2, its bytes in two's complement.

What is stored elsewhere is referred to by ``[number, index]``: a part as extension 3; an array that
is kept as changes of an older one as extension 4, ``[dtype, shape, references]``, the oldest first.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.errors import CheckpointError
from monitor.sealed import Later, Sealed

Array = npt.NDArray[Any]
Reference = tuple[int, int]
"""Where a part is stored: the number of the parts it is among, and which of them it is."""

_ARRAY: Final = 1
_BIG_INT: Final = 2
_PART: Final = 3
_CHANGED: Final = 4
_LENGTH = struct.Struct("<Q")
_PLAIN: Final = frozenset({type(None), bool, float, str, bytes})
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_ITEM_BYTES_MAX = 8
_TREE_BYTES_MAX = 2**32
_ARRAY_KINDS = "biuf"


class Elsewhere(Protocol):
    """What a state refers to instead of holding it."""

    def part(self, sealed: Sealed) -> Reference:
        """Where a part is, or will be when the state is."""
        ...

    def array(self, path: str, array: Array) -> Sequence[Reference] | None:
        """Where an array is, as changes of an older one; None: it is to be held."""
        ...


class Packed:
    """A state, or a part of one, as bytes that were not joined."""

    def __init__(self, tree: bytes, arrays: list[Array]) -> None:
        self._tree = tree
        self._arrays = arrays
        self.size = _LENGTH.size + len(tree) + sum(array.nbytes for array in arrays)
        """Bytes."""

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The bytes, piece by piece; arrays are not copied."""
        yield _LENGTH.pack(len(self._tree))
        yield self._tree
        for array in self._arrays:
            yield array.reshape(-1).view(np.uint8).data


def pack(value: Any, elsewhere: Elsewhere | None = None) -> Packed:
    """``value`` as bytes. Without ``elsewhere`` all of it is held.

    Raises:
        CheckpointError: a value is of a type that snapshots may not hold; says where it stands.
    """
    packer = _Packer(elsewhere)
    try:
        return Packed(msgspec.msgpack.encode(packer.packed(value, "state")), packer.arrays)
    except UnicodeEncodeError as error:
        msg = f"a string in the snapshot is not valid Unicode: {error}"
        raise CheckpointError(msg) from error


def pack_part(content: Any) -> Packed:
    """What a part holds as bytes: arrays, or plain values by the hundred thousand.

    Raises:
        CheckpointError: see :func:`pack`.
    """
    try:
        return Packed(msgspec.msgpack.encode(content), [])  # the loop over them in C
    except (TypeError, OverflowError):
        return pack(content)
    except UnicodeEncodeError as error:
        msg = f"a string in the snapshot is not valid Unicode: {error}"
        raise CheckpointError(msg) from error


class _Packer:
    """One packing; collects the arrays that are held."""

    def __init__(self, elsewhere: Elsewhere | None) -> None:
        self.arrays: list[Array] = []
        self._elsewhere = elsewhere

    def packed(self, value: Any, path: str) -> Any:  # noqa: PLR0911 - a case for each kind
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is int:
            return _packed_int(value)
        if kind is list:
            return self._list(value, path)
        if kind is dict:
            if not all(type(key) is str for key in value):
                msg = f"{path}: the keys of a mapping in a snapshot are strings"
                raise CheckpointError(msg)
            return {key: self.packed(item, f"{path}.{key}") for key, item in value.items()}
        if isinstance(value, Later):
            return self._later(value, path)
        if isinstance(value, np.ndarray):
            return self._array(value, path)
        if isinstance(value, (np.bool_, np.integer, np.floating)):
            return self.packed(value.item(), path)
        msg = f"{path}: a snapshot may not hold a {kind.__name__}"
        raise CheckpointError(msg)

    def _list(self, values: list[Any], path: str) -> list[Any]:
        kinds = set(map(type, values))
        if kinds <= _PLAIN:
            return values  # names by the hundred thousand pass here without a loop
        if kinds == {int} and min(values) >= _INT_MIN and max(values) <= _INT_MAX:
            return values
        return [self.packed(item, f"{path}[{index}]") for index, item in enumerate(values)]

    def _later(self, value: Later, path: str) -> Any:
        if self._elsewhere is not None and isinstance(value, Sealed):
            return _extension(_PART, self._elsewhere.part(value))
        content = value.content()
        try:
            # Records by the thousand, made for this: the loop over them in C.
            return msgspec.Raw(msgspec.msgpack.encode(content))
        except (TypeError, OverflowError):
            return self.packed(content, path)

    def _array(self, value: Array, path: str) -> msgspec.msgpack.Ext:
        try:
            dtype = _checked(value.dtype).newbyteorder("<")
        except TypeError as error:
            msg = f"{path}: {error}"
            raise CheckpointError(msg) from error
        # np.ascontiguousarray would turn an array without dimensions into one with one.
        array = np.array(value, dtype=dtype, order="C", copy=None)
        if self._elsewhere is not None:
            where = self._elsewhere.array(path, array)
            if where is not None:
                return _extension(_CHANGED, (dtype.str, list(value.shape), list(where)))
        self.arrays.append(array)
        return _extension(_ARRAY, (len(self.arrays) - 1, dtype.str, list(value.shape)))


def _extension(code: int, value: Any) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, msgspec.msgpack.encode(value))


def _packed_int(value: int) -> int | msgspec.msgpack.Ext:
    if _INT_MIN <= value <= _INT_MAX:
        return value
    size = value.bit_length() // 8 + 1
    return msgspec.msgpack.Ext(_BIG_INT, value.to_bytes(size, "little", signed=True))


def _checked(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind not in _ARRAY_KINDS or dtype.itemsize > _ITEM_BYTES_MAX:
        msg = f"a snapshot may not hold an array of {dtype}"
        raise TypeError(msg)
    return dtype


class Unpacked:
    """What was read of a state, and what of it is still to be read elsewhere."""

    def __init__(self) -> None:
        self.value: Any = None
        self.parts: dict[Reference, Sealed] = {}
        """Not filled yet. One that is referred to twice is one."""
        self.arrays: list[tuple[Array, list[Reference]]] = []
        """Still empty."""
        self._held: list[Array] = []

    def read(self, read: Callable[[int], bytes]) -> None:
        """Read the bytes of a :class:`Packed`; arrays are fresh and writable.

        Raises:
            CheckpointError: they are cut short, or something else.
        """
        (length,) = _LENGTH.unpack(exactly(read, _LENGTH.size))
        if length > _TREE_BYTES_MAX:
            raise CheckpointError("the checkpoint's tree is larger than any we write")
        tree = exactly(read, length)
        try:
            self.value = msgspec.msgpack.decode(tree, ext_hook=self._extension)
        except (msgspec.DecodeError, TypeError, ValueError) as error:
            msg = f"the checkpoint's tree cannot be read: {error}"
            raise CheckpointError(msg) from error
        for array in self._held:
            _fill(read, array)

    def references(self) -> set[Reference]:
        """All that is to be read elsewhere."""
        return {*self.parts, *(each for _, where in self.arrays for each in where)}

    def _extension(self, code: int, data: memoryview) -> Any:
        if code == _BIG_INT:
            return int.from_bytes(data, "little", signed=True)
        if code == _ARRAY:
            index, dtype, shape = msgspec.msgpack.decode(data, type=tuple[int, str, list[int]])
            if index != len(self._held):
                raise CheckpointError("the checkpoint's arrays are out of order")
            self._held.append(np.empty(shape, dtype=_checked(np.dtype(dtype))))
            return self._held[-1]
        if code == _PART:
            reference = msgspec.msgpack.decode(data, type=Reference)
            return self.parts.setdefault(reference, Sealed(None))
        if code == _CHANGED:
            dtype, shape, where = msgspec.msgpack.decode(
                data, type=tuple[str, list[int], list[Reference]]
            )
            array: Array = np.empty(shape, dtype=_checked(np.dtype(dtype)))
            self.arrays.append((array, where))
            return array
        msg = f"the checkpoint holds an unknown extension {code}"
        raise CheckpointError(msg)


def read(stream: BinaryIO) -> dict[str, Any]:
    """The state whose bytes the stream holds, to its end and without references.

    Raises:
        CheckpointError: the stream is cut short, too long, or something else.
    """
    unpacked = Unpacked()
    unpacked.read(stream.read)
    if stream.read(1):
        raise CheckpointError("the checkpoint is longer than it says")
    if not isinstance(unpacked.value, dict):
        raise CheckpointError("the checkpoint holds no state")
    return unpacked.value


def unpack_part(data: bytes) -> Any:
    """What :func:`pack_part` made bytes of.

    Raises:
        CheckpointError: it is something else.
    """
    unpacked = Unpacked()
    unpacked.read(io.BytesIO(data).read)
    return unpacked.value


def _fill(read: Callable[[int], bytes], array: Array) -> None:
    target = array.reshape(-1).view(np.uint8)
    filled = 0
    while filled < target.size:
        piece = read(min(target.size - filled, 2**24))
        if not piece:
            raise CheckpointError("the checkpoint is cut short")
        target[filled : filled + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        filled += len(piece)


def exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """So many bytes.

    Raises:
        CheckpointError: there are fewer.
    """
    parts: list[bytes] = []
    missing = size
    while missing:
        piece = read(missing)
        if not piece:
            raise CheckpointError("the checkpoint is cut short")
        parts.append(piece)
        missing -= len(piece)
    return b"".join(parts)
