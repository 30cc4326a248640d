"""What ``pools:`` and ``numbers:`` accept."""

from __future__ import annotations

from fractions import Fraction

import pytest
from pydantic import ValidationError

from monitor.numbers.settings import NumbersSettings, PoolsSettings


def test_pools_stand_beside_their_defaults() -> None:
    pools = PoolsSettings.model_validate(
        {
            "defaults": {"max_fraction": "20%", "min_left": 2},
            "campaign-7": {"numbers": ["+86101", "+86102"], "max_fraction": "10%", "min_left": 3},
            "campaign-8": {},
        }
    )
    assert pools.defaults.max_fraction == Fraction(1, 5)
    assert list(pools.pools) == ["campaign-7", "campaign-8"]
    assert pools.pools["campaign-7"].numbers == ("+86101", "+86102")
    assert pools.pools["campaign-8"].max_fraction is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"campaign-7": {"numbrs": []}},
        {"campaign-7": ["+86101"]},
        {"campaign-7": {"numbers": [86101]}},
        {"campaign-7": {"numbers": [""]}},
        {"campaign-7": {"max_fraction": 0.1}},
        {"campaign-7": {"max_fraction": "101%"}},
        {"campaign-7": {"min_left": -1}},
        {"defaults": {"min_lft": 1}},
    ],
)
def test_what_is_wrong_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PoolsSettings.model_validate(wrong)


@pytest.mark.parametrize("place", ["defaults", "campaign-7"])
def test_no_share_at_all_is_refused_with_the_mend(place: str) -> None:
    with pytest.raises(ValidationError) as fault:
        PoolsSettings.model_validate({place: {"max_fraction": "0%"}})
    (error,) = fault.value.errors()
    assert "still let one number" in error["msg"]
    assert "numbers.never" in error["ctx"]["hint"]


def test_numbers_have_defaults_with_units() -> None:
    settings = NumbersSettings()
    assert str(settings.rate) == "20/10m"
    assert settings.heal_after == 24 * 3_600_000
    assert NumbersSettings.model_validate({"rate": "5/1h", "ttl_max": "2h"}).rate == (5, 3_600_000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 20},
        {"ack_timeout": "0s"},
        {"ttl_max": 3},
        {"seen_for": "59m"},
        {"numbers_max": 0},
        {"x": 1},
    ],
)
def test_wrong_numbers_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NumbersSettings.model_validate(wrong)
