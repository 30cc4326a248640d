"""Public holidays of a country, or of a part of it, as days.

Owns the bridge to the library ``holidays``. Days are those that the library calls *public*, with
the days off that are given for them ("observed"). What a later law changes, or is fixed year by
year (the Chinese holidays), is as good as the library's release.
"""

from __future__ import annotations

from functools import lru_cache

import holidays
import numpy as np
import numpy.typing as npt

YEARS = range(1999, 2102)
"""Local years that an event can be in, with one either side."""

Days = npt.NDArray[np.datetime64]


@lru_cache(maxsize=1)
def _places() -> frozenset[str]:
    found = set()
    for country, parts in holidays.list_supported_countries().items():
        if len(country) == 2:
            found |= {country, *(f"{country}-{part}" for part in parts)}
    return frozenset(found)


def is_place(place: str) -> bool:
    """Whether there are holidays of ``place``: a country such as FR, or a part such as FR-57."""
    return place in _places()


@lru_cache(maxsize=64)
def public_holidays(place: str) -> Days:
    """All public holidays, ascending, as ``datetime64[D]``.

    Raises:
        ValueError: no holidays are known of ``place``.
    """
    if not is_place(place):
        msg = f"no public holidays are known of {place!r}"
        raise ValueError(msg)
    country, _, part = place.partition("-")
    days = holidays.country_holidays(country, subdiv=part or None, years=YEARS)
    found = np.array(sorted(days), dtype="datetime64[D]")
    found.setflags(write=False)
    return found
