"""A text in parts that a receiver takes, none of which tears a character.

Owns where a text may be cut: between lines, else between characters.
"""

from __future__ import annotations

from collections.abc import Callable

PARTS_MAX = 8
"""Of one message; what is left of a longer one is not sent, and its last part says so."""
_MORE = "…"


def split(text: str, bytes_max: int, size: Callable[[str], int]) -> list[str]:
    """``text`` in order, each part of at most ``bytes_max`` by ``size``; one where it fits.

    ``size`` grows with the text, so that a part's is that of its pieces together at most.
    """
    if size(text) <= bytes_max:
        return [text]
    parts: list[str] = []
    rest = text
    while rest:
        if len(parts) == PARTS_MAX:
            last = parts[-1]
            while last and size(last + _MORE) > bytes_max:
                last = last[:-1]
            parts[-1] = last + _MORE
            return parts
        end = _longest(rest, bytes_max, size)
        if end < len(rest):
            line = rest.rfind("\n", 0, end + 1)
            end = line if line > 0 else end
        parts.append(rest[:end].strip("\n"))
        rest = rest[end:].lstrip("\n")
    return [part for part in parts if part]


def _longest(text: str, bytes_max: int, size: Callable[[str], int]) -> int:
    """How many characters from the beginning fit; one at least, or nothing would ever end."""
    low, high = 1, min(len(text), max(1, bytes_max))
    while low < high:
        middle = (low + high + 1) // 2
        if size(text[:middle]) <= bytes_max:
            low = middle
        else:
            high = middle - 1
    return low


def utf8(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text.encode())
