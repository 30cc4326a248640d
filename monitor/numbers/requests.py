"""What became of a person's request, so that whoever asked can be told.

Owns where the answer is found and how it reads. Every request leaves exactly one row of history
(``NumberChange``) whose id follows from the request's own, done or refused.
"""

from __future__ import annotations

from typing import Final

from monitor.decisions import NumberChange, derive_id

NOTHING_TO_DO: Final = "nothing_to_do"
"""Reason of a row: things already stood as asked for."""
REFUSED: Final = "refused"
"""Reason of a row: it may not be; ``detail`` says why."""

UNDO: Final = "undo"
"""Reason of the row that answers one: what rules did since some moment was taken back."""

APPROVE: Final = "approve"
"""Reason of the row that answers one: what waits in a pool goes ahead."""


def answer_id(request: str) -> str:
    """The id of the history row that answers the request with this id (``ManualAction.id``)."""
    return derive_id("request", request)


def was_refused(answer: NumberChange) -> bool:
    """Whether the answer is no."""
    return answer.reason == REFUSED


def in_words(answer: NumberChange) -> str:
    """The answer as one sentence in English, without a full stop."""
    if was_refused(answer):
        return f"refused: {answer.detail}"
    if answer.reason == NOTHING_TO_DO:
        return "nothing to do: " + (answer.detail or f"it is {answer.after} already")
    if answer.reason in {UNDO, APPROVE}:
        return f"done: {answer.detail}"
    if not answer.number:
        return f"done: suspensions by rules are {answer.after}"
    return f"done: {answer.number} is {answer.after}"
