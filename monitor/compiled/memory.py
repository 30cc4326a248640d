"""What compiled loops read of an array of bytes, as single instructions of the processor.

Owns every read that numpy's indexing cannot say: an index there may be negative, so each byte costs
a comparison, and eight bytes cost eight reads. Here an index counts from the beginning and a read
may go beyond a text; nothing looks whether it goes beyond the array. Bytes come in the order of
x86-64 and ARM, the lowest first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_BYTE, _WORD = ir.IntType(8), ir.IntType(64)
STRIDE = 16
"""Bytes looked at at once: what every x86-64 and ARM has registers for."""
_QUOTE, _BACKSLASH, _SPACE, _LINE_FEED = 34, 92, 32, 10

Emit = Callable[[Any, Any], Any]


def instruction(typed: Callable[..., Any]) -> Callable[..., Any]:
    """What a compiled function may call; ``typed`` gets the types of the arguments first."""
    return cast("Callable[..., Any]", intrinsic(typed))


def _place(context: Any, builder: Any, raw_type: Any, arguments: Any) -> Any:
    """The address of ``raw[at]``."""
    raw, at = arguments
    return builder.gep(context.make_array(raw_type)(context, builder, raw).data, [at])


def _are_bytes(raw: Any, at: Any) -> bool:
    """Whether these are the types of bytes side by side, and of a place among them."""
    is_array = isinstance(raw, types.Array) and raw.dtype == types.uint8 and raw.layout == "C"
    return is_array and isinstance(at, types.Integer)


def _reading(result: Any, emit: Emit, raw: Any, at: Any) -> Any:
    """What numba asks of an intrinsic over ``(raw, at)``: its signature, and who writes it."""
    if not _are_bytes(raw, at):
        return None

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return emit(builder, _place(context, builder, signature.args[0], arguments))

    return result(raw, types.int64), write


def _vector(builder: Any, place: Any) -> Any:
    lanes = ir.VectorType(_BYTE, STRIDE)
    return builder.load(builder.bitcast(place, lanes.as_pointer()), align=1)


def _all(value: int) -> Any:
    return ir.Constant(ir.VectorType(_BYTE, STRIDE), [value] * STRIDE)


@instruction
def byte(_typing: Any, raw: Any, at: Any) -> Any:
    """``raw[at]``, ``at`` never negative."""
    return _reading(types.uint8, lambda builder, place: builder.load(place), raw, at)


@instruction
def word(_typing: Any, raw: Any, at: Any) -> Any:
    """Eight bytes as one number, the first the lowest; they must be there."""

    def emit(builder: Any, place: Any) -> Any:
        whole = builder.bitcast(place, _WORD.as_pointer())
        return builder.load(whole, align=1)

    return _reading(types.uint64, emit, raw, at)


@instruction
def put_word(_typing: Any, raw: Any, at: Any, value: Any) -> Any:  # noqa: ARG001 - numba looks
    """Write what :func:`word` reads."""
    if not _are_bytes(raw, at):
        return None

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], arguments[:2])
        builder.store(arguments[2], builder.bitcast(place, _WORD.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(raw, types.int64, types.uint64), write


def _distance(builder: Any, found: Any) -> Any:
    """How far it is to the first lane that is set; ``STRIDE`` where none is."""
    mask = builder.zext(builder.bitcast(found, ir.IntType(STRIDE)), ir.IntType(32))
    ended = builder.or_(mask, ir.Constant(ir.IntType(32), 1 << STRIDE))
    return builder.zext(builder.cttz(ended, cgutils.true_bit), _WORD)


@instruction
def stops(_typing: Any, raw: Any, at: Any) -> Any:
    """How far it is to a quote, backslash or control character; ``STRIDE`` where none is in it."""

    def emit(builder: Any, place: Any) -> Any:
        read = _vector(builder, place)
        quoted = builder.icmp_unsigned("==", read, _all(_QUOTE))
        escaped = builder.icmp_unsigned("==", read, _all(_BACKSLASH))
        control = builder.icmp_unsigned("<", read, _all(_SPACE))
        return _distance(builder, builder.or_(quoted, builder.or_(escaped, control)))

    return _reading(types.int64, emit, raw, at)


@instruction
def line_stops(_typing: Any, raw: Any, at: Any) -> Any:
    """How far it is to a line feed; ``STRIDE`` where none is in it."""

    def emit(builder: Any, place: Any) -> Any:
        read = _vector(builder, place)
        return _distance(builder, builder.icmp_unsigned("==", read, _all(_LINE_FEED)))

    return _reading(types.int64, emit, raw, at)
