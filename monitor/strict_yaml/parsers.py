"""The two parsers of YAML's events: PyYAML's own, and libyaml, which takes a tenth of the time.

Owns when the quick one is believed: where it finds nothing wrong, and none of the few things stands
in the text of which the two think differently. Values and places are then the same; what is
refused, and in which words, is PyYAML's own parser's to say. Both come with the one package.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import yaml

_libyaml: Any = getattr(yaml, "CSafeLoader", None)
"""None: PyYAML was built without it."""

_APART = re.compile("[\t\ufeff]|[|>]#|[^\n]\\Z")
"""Libyaml lets tabs, byte order marks and ``|#`` pass in more places, and takes a file whose last
line has no end for one that has."""


class Doubt(Exception):  # noqa: N818 - control flow between here and the composer
    """Raised when the quick parser's word is not enough."""


class Parser(Protocol):
    """What the composer asks of a parser."""

    def get_event(self) -> yaml.Event:
        """The next event."""

    def get_mark(self) -> Any:
        """The place reached."""


def quick(text: str) -> Parser | None:
    """Libyaml on ``text``; None where it is not to be asked, or was not built in."""
    if _libyaml is None or _APART.search(text):
        return None
    return _Quick(text)


class _Quick:
    """Libyaml, as long as there is nothing to say against the text."""

    def __init__(self, text: str) -> None:
        self._parser = _libyaml(text)
        self._flow = 0
        """How many collections within braces or brackets are open."""

    def get_event(self) -> yaml.Event:
        """The next event.

        Raises:
            Doubt: there is a fault, or a scalar that PyYAML's own parser may read or place
                otherwise: within braces or brackets an empty one, and a plain one with a ``?``.
        """
        try:
            event: yaml.Event = self._parser.get_event()
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            raise Doubt from error
        if isinstance(event, yaml.CollectionStartEvent):
            self._flow += self._flow > 0 or bool(event.flow_style)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._flow -= self._flow > 0
        elif self._flow and isinstance(event, yaml.ScalarEvent) and not event.style:
            text: str = event.value
            if not text or "?" in text:
                raise Doubt
        return event

    def get_mark(self) -> Any:
        """Asked for after faults only, which are told by the other parser."""
        raise Doubt
