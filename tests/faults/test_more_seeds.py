"""The other half of as many seeds as fit, for another worker: see ``test_seeds``."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults import budget
from tests.faults.playing import play_more

pytestmark = pytest.mark.untraced


@pytest.mark.timeout(900)  # a seed that fails is shortened after the time is over
@pytest.mark.skipif(not budget.seconds(), reason=budget.WHEN)
def test_the_other_half(record_property: Callable[[str, object], None]) -> None:
    play_more(1, time.monotonic() + budget.seconds(), record_property)
