"""The functions of ``where`` are written down where people look for them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from monitor.events.catalogue import DERIVED
from monitor.indicators.expression import parse_where
from monitor.indicators.functions import FUNCTIONS
from monitor.indicators.predicate import to_polars
from tests.indicators.made import frame

PAGE = Path(__file__).parents[2] / "docs" / "indicators.md"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_shown_is_right_and_on_the_page(name: str) -> None:
    function = FUNCTIONS[name]
    assert f"| `{function.shown}` |" in PAGE.read_text(encoding="utf-8")
    text = function.shown if function.gives == "bool" else f"({function.shown}) is null"
    node = parse_where(text, {"call.ended"})
    empty = frame([], ["started_at", "customer_tz", "customer"]).with_columns(
        pl.lit(None, pl.Int64).alias(field) for field in DERIVED
    )
    assert empty.select(to_polars(node).alias("x")).height == 0
