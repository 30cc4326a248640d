"""Steps taken in order, followed per pair of key and entity, as machine code.

Owns the loops; what a funnel is, is the business of ``monitor.windows.funnel``. A pair's late part
is a list in order of time: ``heads`` has its first event, ``follows`` the one after each. What is
earlier than any event to come is folded into ``starts``: for each step, when the latest chain
began that had come to it.
"""

from __future__ import annotations

from typing import Any

from monitor.compiled import compiled

NEVER = -(2**62)
"""In place of a time: there was none."""
END = -1
"""In place of an event: there is none after it."""


@compiled
def pass_by(starts: Any, time: int, bits: int, within: int, reached: Any) -> None:
    """Let the chains go on to the steps that an event at ``time`` serves.

    Args:
        starts: by step, when the latest chain began that came to it by now; goes on to be so.
        bits: bit k is set where the event serves step k; it may serve several.
        within: ms from a chain's first event to its last, at most.
        reached: by step, when the latest chain began that came to it within; goes on to be so.
    """
    for step in range(len(starts)):
        if not bits >> step & 1:
            continue
        start = time if step == 0 else starts[step - 1]
        if start == NEVER:
            continue
        starts[step] = max(starts[step], start)
        if time - start <= within:
            reached[step] = max(reached[step], start)


@compiled
def fold(
    slots: Any, before: int, most: int, within: int, starts: Any, reached: Any, folded: Any,
    heads: Any, held: Any, times: Any, bits: Any, follows: Any, free: Any,
) -> None:  # fmt: skip
    """Let what no event still to come can precede go into ``starts``, of each of ``slots``.

    Args:
        before: ms; no event to come is earlier.
        most: events that a pair keeps; beyond it the earliest go too, and ``folded`` says so.
        starts, reached: shape (pairs, steps), as of :func:`pass_by`.
        folded: by pair, the time of the last event that had to go too early.
        heads, held: by pair, the first event of its list, and how many there are.
        times, bits, follows: by event.
        free: events that are nobody's; element 0 says how many, from 1 on.
    """
    for slot in slots:
        event = heads[slot]
        while event != END and (times[event] < before or held[slot] > most):
            pass_by(starts[slot], times[event], bits[event], within, reached[slot])
            if times[event] >= before:
                folded[slot] = max(folded[slot], times[event])
            free[0] += 1
            free[free[0]] = event
            held[slot] -= 1
            event = follows[event]
        heads[slot] = event


@compiled
def put_in(
    slots: Any, new_times: Any, new_bits: Any, folded: Any,
    heads: Any, held: Any, times: Any, bits: Any, follows: Any, free: Any,
) -> int:  # fmt: skip
    """Put rows into the lists of their pairs; returns how many came too late for that.

    Args:
        slots, new_times, new_bits: by row; the rows of a pair beside each other, in order of time.
        free: as in :func:`fold`; there are as many as rows.
    """
    beyond = 0
    slot, last, event = END, END, END
    for row in range(len(slots)):
        if slots[row] != slot:
            slot = slots[row]
            last, event = END, heads[slot]
        time = new_times[row]
        if time <= folded[slot]:
            beyond += 1
            continue
        while event != END and times[event] < time:
            last, event = event, follows[event]
        if event != END and times[event] == time:
            bits[event] |= new_bits[row]
            continue
        if last != END and times[last] == time:
            bits[last] |= new_bits[row]
            continue
        fresh = free[free[0]]
        free[0] -= 1
        times[fresh], bits[fresh], follows[fresh] = time, new_bits[row], event
        if last == END:
            heads[slot] = fresh
        else:
            follows[last] = fresh
        held[slot] += 1
        last = fresh
    return beyond


@compiled
def walk(
    slots: Any, until: int, within: int, starts: Any, folded: Any,
    heads: Any, times: Any, bits: Any, follows: Any, scratch: Any, reached: Any,
) -> None:  # fmt: skip
    """Follow the chains of each of ``slots`` through its events before ``until``.

    Args:
        starts, heads, times, bits, follows, folded: as in :func:`fold`; none is changed.
        scratch: shape (steps,).
        reached: shape (``slots``, steps); goes on to be as in :func:`pass_by`.
    """
    for place in range(len(slots)):
        slot = slots[place]
        if folded[slot] >= until:
            continue
        scratch[:] = starts[slot]
        event = heads[slot]
        while event != END and times[event] < until:
            pass_by(scratch, times[event], bits[event], within, reached[place])
            event = follows[event]


@compiled
def newest(slots: Any, heads: Any, times: Any, follows: Any, found: Any) -> None:
    """When the last event of each list was; ``found`` is left where there is none."""
    for place in range(len(slots)):
        event = heads[slots[place]]
        while event != END:
            found[place] = times[event]
            event = follows[event]


@compiled
def listed(slots: Any, heads: Any, follows: Any, found: Any) -> None:
    """The events of the lists, one list after the other, into ``found``."""
    count = 0
    for slot in slots:
        event = heads[slot]
        while event != END:
            found[count] = event
            count += 1
            event = follows[event]
