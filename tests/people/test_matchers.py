"""Patterns as people are shown them."""

from __future__ import annotations

import pytest

from monitor.people.matchers import masked


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        ("+8613912345678", "+8613…78"),
        ("!+8613912345678", "!+8613…78"),
        ("c-123456", "c-…"),
        ("!c-123456", "!c-…"),
        ("c-123*", "c-…"),
        ("*", "*"),
        ("!?*", "!?*"),
        ("", ""),
    ],
)
def test_customers_in_patterns_are_masked(pattern: str, shown: str) -> None:
    assert masked({"customer": (pattern,), "agent": (pattern, "a-7")}) == {
        "customer": [shown],
        "agent": [pattern, "a-7"],
    }
