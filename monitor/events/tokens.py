"""Tokens that stand for customers where their numbers are not to be: one customer, one token.

Owns the form: ``#<digits>:<128 bits as hex>``. The digits are those of ``monitor.events.places``
that tell country, state and time zone, the same for all customers who have these in common; none
where nothing is known. A token is no telephone number and no name: it is taken as it stands.
"""

from __future__ import annotations

WHOLE = "^#[0-9]{0,9}:[0-9a-f]{32}$"
"""A whole token, as a regular expression."""
PLACED = "#[1-9][0-9]{0,8}:[0-9a-f]{32}"
"""A token that tells a place, as a regular expression."""


def token(digits: str, hashed: str) -> str:
    """The token of ``hashed``, 32 hex digits."""
    return f"#{digits}:{hashed}"
