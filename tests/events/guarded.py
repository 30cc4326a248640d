"""Records whose memory ends at a page that nobody may read: ``python -m tests.events.guarded``.

A process of its own, for what reads too far does not raise: it dies.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monitor.events import columns
from monitor.events.catalogue import columns_for
from monitor.events.columns import ColumnDecoder
from monitor.events.settings import RecordLimits
from tests.events import hostile

PLAIN = b'{"id":"a","type":"call.ended","time":1795309200000,"number":"+862150000007"}'
RICH = (
    b'{"id":"\\u0041\\n","type":"call.ended","time":"2026-11-22T10:00:00.123Z","talk_s":-12.50,'
    b'"x":[true,false,null,{"a":1e5}]}'
)
KEYS = (31, 32, 33, 63, 64, 65, 300, 200_000)
_PAGE = mmap.PAGESIZE
_FORBIDDEN = 2**21


class Guarded:
    """Memory at whose end the process may not read on."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._protect = libc.mprotect
        self._protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        self._kept: list[mmap.mmap] = []

    def copy(self, raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The same bytes, the last of them before the forbidden page."""
        size = -(-len(raw) // _PAGE) * _PAGE
        memory = mmap.mmap(-1, size + _FORBIDDEN)
        self._kept.append(memory)
        place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        assert self._protect(place + size, _FORBIDDEN, 0) == 0
        copied = np.frombuffer(memory, np.uint8, len(raw), size - len(raw))
        copied[:] = raw
        return copied


def main() -> None:
    """Read them; what is said at the end is that it came to an end."""
    guarded = Guarded()
    decoder = ColumnDecoder(columns_for(frozenset({"call_id"})), ["call.ended"], RecordLimits())
    block_of = columns._Block.of.__func__  # type: ignore[attr-defined]

    def of(cls: type[columns._Block], records: Sequence[bytes]) -> columns._Block:
        block = block_of(cls, records)
        return cls(guarded.copy(block.raw), block.starts, block.ends)

    columns._Block.of = classmethod(of)  # type: ignore[method-assign,assignment]
    batches = [[b'{"' + b"k" * size + b'":1}', PLAIN] for size in KEYS]
    batches += [[PLAIN, record[:cut]] for record in (PLAIN, RICH) for cut in range(len(record) + 1)]
    batches += [[RICH, record.value] for record in hostile.corpus()]
    for records in batches:
        decoder.decode(records)
    sys.stdout.write(f"{len(batches)} batches read\n")


if __name__ == "__main__":
    main()
