"""Decisions and other values as JSON text in the store, and back.

Owns the stored form: the dataclasses field by field, so that a row gives back the very decision.
The form for receivers and reports is ``Decision.to_json``.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from monitor.decisions import (
    Alert,
    Command,
    Decision,
    Evidence,
    Figures,
    Listing,
    Notice,
    Order,
    Refusal,
)
from monitor.errors import StoreError

_T = TypeVar("_T")

_KINDS: dict[str, type[Decision]] = {
    "alert": Alert,
    "command": Command,
    "refusal": Refusal,
    "order": Order,
    "listing": Listing,
    "notice": Notice,
}
_DECODERS = {kind: msgspec.json.Decoder(made) for kind, made in _KINDS.items()}


def kind_of(decision: Decision) -> str:
    """``alert``, ``command``, ``refusal``, ``order``, ``listing`` or ``notice``."""
    match decision:
        case Alert():
            return "alert"
        case Command():
            return "command"
        case Refusal():
            return "refusal"
        case Order():
            return "order"
        case Listing():
            return "listing"
        case Notice():
            return "notice"


def number_of(decision: Decision) -> str | None:
    """The number a decision is about, if it is about one."""
    if isinstance(decision, Alert | Order):
        return dict(decision.scope).get("number")
    if isinstance(decision, Listing | Notice):
        return None
    return decision.number


def encode(decision: Decision) -> str:
    """The decision as JSON text.

    JSON has no infinity: an infinite score (a detector may run over) is stored as the largest
    float, a value that is not a number as none.
    """
    finite: Decision
    match decision:
        case Alert():
            finite = _finite_alert(decision)
        case Notice():
            finite = replace(decision, newest=tuple(map(_finite_alert, decision.newest)))
        case Command():
            figures, evidence = decision.figures, decision.evidence
            finite = replace(
                decision,
                figures=None if figures is None else _finite_figures(figures),
                evidence=None if evidence is None else _finite_evidence(evidence),
            )
        case Refusal() | Order() | Listing():
            finite = decision
    return msgspec.json.encode(finite).decode()


def decode(kind: str, body: str) -> Decision:
    """The decision that :func:`encode` was given.

    Raises:
        StoreError: the row was written by another program, or damaged.
    """
    try:
        return _DECODERS[kind].decode(body)
    except (KeyError, msgspec.DecodeError) as error:
        msg = f"a stored decision of kind {kind!r} cannot be read: {error}"
        raise StoreError(msg) from error


def to_text(value: Any) -> str:
    """Any JSON value or dataclass as text, keys in their order."""
    return msgspec.json.encode(value).decode()


def from_text(text: str, made: type[_T]) -> _T:
    """The value of type ``made`` that :func:`to_text` was given.

    Raises:
        StoreError: it is something else.
    """
    try:
        return msgspec.json.decode(text, type=made)
    except msgspec.DecodeError as error:
        msg = f"a stored {made.__name__} cannot be read: {error}"
        raise StoreError(msg) from error


def _finite(number: float) -> float:
    if math.isnan(number):
        return 0.0
    return max(-sys.float_info.max, min(sys.float_info.max, number))


def _finite_alert(alert: Alert) -> Alert:
    return replace(
        alert,
        figures=_finite_figures(alert.figures),
        evidence=_finite_evidence(alert.evidence),
    )


def _finite_figures(figures: Figures) -> Figures:
    value = figures.value
    if value is not None:
        value = None if math.isnan(value) else _finite(value)
    return replace(figures, value=value, hits=_finite(figures.hits), of=_finite(figures.of))


def _finite_evidence(evidence: Evidence) -> Evidence:
    return replace(evidence, score=_finite(evidence.score), needed=_finite(evidence.needed))
