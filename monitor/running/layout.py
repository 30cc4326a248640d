"""The layout of what a checkpoint holds, and the way from older ones to today's.

Owns one upgrade per step. The form of the file is ``monitor.store.checkpoint``; what the parts mean
by their state is theirs. A layout from the future is not read: the log is read again instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from monitor.errors import CheckpointError
from monitor.windows.dedup import packed

State = dict[str, Any]

LAYOUT: Final = 2
"""What :mod:`monitor.running.keep` writes. 2: the ids seen lately are packed in chunks."""


def upgraded(state: State) -> State:
    """``state`` in today's layout.

    Raises:
        CheckpointError: it is of a newer program, or not a state at all.
    """
    layout = state.get("layout", 1)
    if not isinstance(layout, int) or not 1 <= layout <= LAYOUT:
        msg = f"it has layout {layout}, and this program reads 1 to {LAYOUT}"
        raise CheckpointError(msg)
    for step in range(layout, LAYOUT):
        state = _STEPS[step](state)
    return {**state, "layout": LAYOUT}


def _packed_ids(state: State) -> State:
    """1 → 2."""
    engine: Mapping[str, Any] = state["engine"]
    ids = {name: engine["dedup"][name] for name in ("current", "previous")}
    blobs = {name: [packed(some)] if some else [] for name, some in ids.items()}
    return {**state, "engine": {**engine, "dedup": {**engine["dedup"], **blobs}}}


_STEPS: Final[Mapping[int, Callable[[State], State]]] = {1: _packed_ids}
