"""What people may ask for about numbers, in one list, and how they ask and are answered.

Owns the list of actions, the making of a request and the look at what became of it: command line
and HTTP interface go through here. A request is left in the store; the daemon carries it out with
its next tick, by the same path and under the same audit as a rule's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import polars as pl

from monitor.clock import Clock
from monitor.decisions import ListAction, ManualAction, NumberChange, PersonAction
from monitor.events.phones import normalise
from monitor.numbers.requests import answer_id, in_words, was_refused
from monitor.store.store import Store

Term = Literal["ttl_ms", "since_ms", "ref"]
"""What else a request may say, as a field of ``ManualAction``."""
_WANTED: Final = {"since_ms": "say since when", "ref": "say under which name it was asked for"}
"""Terms without which a request says nothing."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that may be asked for."""

    name: PersonAction
    doc: str
    """One sentence; interfaces show it."""
    of_number: bool = True
    """It is about one number; else about all of them."""
    term: Term | None = None
    """``ttl_ms``: it may be given a time after which it is over by itself."""


_ACTS = (
    Act("suspend", "Take a number out of service now.", term="ttl_ms"),
    Act("resume", "Put a number back into service now."),
    Act("hold", "Keep a number out of service until a person releases it, whatever happens."),
    Act("release", "Take back a hold or a retirement, or end a probation."),
    Act("retire", "Give a number up; the next standby of its pool takes its place."),
    Act(
        "undo",
        "Take back every suspension by a rule since a moment, at once.",
        of_number=False,
        term="since_ms",
    ),
    Act(
        "approve",
        "Let the numbers go out of service that wait for a person's word.",
        of_number=False,
        term="ref",
    ),
    Act("freeze", "From now on no rule suspends a number; resumes go on.", of_number=False),
    Act("unfreeze", "Rules may suspend numbers again.", of_number=False),
)
ACTS: Mapping[str, Act] = MappingProxyType({act.name: act for act in _ACTS})
"""By name, in the order in which people are shown them."""

Status = Literal["done", "refused", "taken", "waiting"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What has become of a request."""

    status: Status
    """``taken``: by the daemon, and not judged yet; ``waiting``: not even that."""
    words: str
    """One sentence, without a full stop."""
    change: NumberChange | None = None
    """The row of history that answers it; None for customers, whose list has changes of its own."""
    tick_ms: int | None = None
    """The tick that it takes effect at; None while it waits."""

    @property
    def settled(self) -> bool:
        """Nothing will change any more."""
        return self.status in {"done", "refused"}


def request(
    act: Act, *, ident: str, number: str, region: str, who: str, why: str, **terms: Any
) -> ManualAction:
    """A request, to be put into ``store.requests``.

    Args:
        act: what is asked for.
        ident: of the request; asking twice with the same one is asking once.
        number: as it was written; looked at only where ``act`` is about one.
        region: whose national numbers are meant when there is no country code.
        who: kept in the history.
        why: kept in the history.
        terms: further fields of ``ManualAction``, such as ``ttl_ms``.

    Raises:
        ValueError: it is about one number, and none is named; or a term is missing, or is not one
            of this action's.
    """
    if act.of_number and not number.strip():
        raise ValueError("say which number")
    if terms.get("ttl_ms") is not None and act.term != "ttl_ms":
        msg = f"{act.name} has no end of its own"
        raise ValueError(msg)
    if act.term in _WANTED and not terms.get(act.term):
        raise ValueError(_WANTED[act.term])
    return ManualAction(
        id=ident,
        action=act.name,
        number=e164(number, region) if act.of_number else "",
        who=who,
        why=why,
        **({"ttl_ms": None} | terms),
    )


def answer(store: Store, ident: str) -> Answer | None:
    """What has become of a request; None when nothing is known of it.

    Raises:
        StoreError: the store cannot be read.
    """
    change = store.history.change(answer_id(ident))
    if change is not None:
        status: Status = "refused" if was_refused(change) else "done"
        return Answer(status, in_words(change), change, change.at_ms)
    left = store.requests.find(ident)
    if left is None:
        return None
    if left.tick_ms is None:
        return Answer("waiting", "left for the daemon, which has not taken it yet")
    if isinstance(left.action, ListAction) and left.tick_ms <= (store.journal.judged_to_ms() or 0):
        changed, asked = store.listed.changed_by(ident), len(left.action.customers)
        words = f"done: {changed} of {asked} changed"
        if changed < asked:
            words += "; the others stood so already, or there was no room (do_not_call.entries_max)"
        return Answer("done", words, None, left.tick_ms)
    return Answer("taken", "taken by the daemon, and not judged yet", None, left.tick_ms)


def await_answer(
    store: Store, ident: str, clock: Clock, within_s: float, pause: Callable[[], Any]
) -> Answer | None:
    """As :func:`answer`, but waits for one that is settled; ``pause`` is called in between."""
    end_s = clock.monotonic_s() + within_s
    while True:
        found = answer(store, ident)
        if (found is not None and found.settled) or clock.monotonic_s() >= end_s:
            return found
        pause()


def e164(number: str, region: str) -> str:
    """The number as events carry it."""
    return str(normalise(pl.Series([number]), region)[0])
