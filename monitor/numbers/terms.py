"""How long a suspension lasts: growth with repetition, healing with time.

Owns the arithmetic, in integers. A number's *level* is the count of its suspensions by rules that
have not healed; the first suspension finds level 0 and lasts the rule's ttl.
"""

from __future__ import annotations

from typing import Literal

_DOUBLINGS_MAX = 40  # beyond any ttl_max; keeps the integers small


def grown_ttl_ms(
    ttl_ms: int, backoff: Literal["none", "linear", "double"], level: int, max_ms: int
) -> int:
    """The ttl of the next suspension.

    ``linear`` adds one ttl per level, ``double`` doubles it; neither goes beyond ``max_ms``, and
    neither does a ttl that is longer from the start.
    """
    if backoff == "linear":
        ttl_ms *= 1 + level
    elif backoff == "double":
        ttl_ms <<= min(level, _DOUBLINGS_MAX)
    return min(ttl_ms, max_ms)


def healed_level(level: int, clean_ms: int, heal_after_ms: int) -> int:
    """The level after ``clean_ms`` in service without a suspension, one step per period."""
    return max(0, level - max(0, clean_ms) // heal_after_ms)


def pause_ms(rejections: int, first_ms: int, max_ms: int) -> int:
    """The pause after the ``rejections``-th rejection in a row, doubling from ``first_ms``."""
    return min(first_ms << min(rejections - 1, _DOUBLINGS_MAX), max_ms)
