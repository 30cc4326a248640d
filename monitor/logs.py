"""Structured logs: one line an event.

Owns the set-up of structlog and the masking of customers; what is logged is said where it
happens. JSON on a pipe, colours on a terminal.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from io import TextIOBase
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

_PHONE = re.compile(r"\+?\d{8,15}")
_WRITTEN = re.compile(r"(?<![\w.-])(?!\d{4}-\d\d-\d\d)\+?\(?\d(?:[ ()./-]{0,2}\d){9,14}(?![\w-])")
"""A telephone number as people write it; ids in hexadecimal are none."""
_SHORT = re.compile(r"\+?\d{4,5}…\d\d|.{0,2}…", re.DOTALL)
"""What :func:`mask_customer` makes."""
_SHORT_ID = 5
"""Of an id of so few characters two would be half of it."""
_MASKED = frozenset({"detail", "error", "exception"})
"""What may quote a record: text that is made elsewhere."""


class _Unfailing(TextIOBase):
    """A stream whose trouble is nobody's: a full disk or a closed pipe loses lines, not more."""

    def __init__(self, inner: TextIO) -> None:
        self._inner = inner

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._inner.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._inner.flush()


def mask(text: str) -> str:
    """``+8613912345678`` → ``+8613…78``: enough to recognise, too little to dial."""
    return _PHONE.sub(lambda found: f"{found[0][:5]}…{found[0][-2:]}", text)


def mask_words(text: str) -> str:
    """What a person wrote, where numbers stand in groups of digits too; dates stay."""
    return _WRITTEN.sub(lambda found: f"{found[0][:4]}…{found[0][-2:]}", mask(text))


def mask_customer(value: str) -> str:
    """A customer of any kind; of what is no telephone number, most goes: ``c-123456`` → ``c-…``.

    Of what is short nothing stays, what is masked already stays as it is.
    """
    if _PHONE.fullmatch(value):
        return mask(value)
    return value if _SHORT.fullmatch(value) else f"{value[:2] if len(value) > _SHORT_ID else ''}…"


def _mask_customers(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if key == "customer" or (isinstance(value, str) and key in _MASKED):
            event[key] = mask_customer(str(value)) if key == "customer" else mask(str(value))
    return event


def configure(
    *, level: str = "info", stream: TextIO | None = None, json: bool | None = None
) -> None:
    """Set structlog up for the whole process.

    ``json`` None means: JSON unless ``stream`` (default: standard error) is a terminal. A stream
    that refuses a line never stops what was being logged.
    """
    target = sys.stderr if stream is None else stream
    as_json = not target.isatty() if json is None else json
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask_customers,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Unfailing(target))),
        cache_logger_on_first_use=False,
    )
