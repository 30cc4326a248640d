"""Telephone numbers as E.164, so that one number has one name however it was written.

Owns the normalisation of ``number`` and ``customer``. What is no telephone number, an opaque
customer id or a service number such as 95588, stays as it is. A spelling is looked up once; a
value that is E.164 already, the usual case, is not looked up at all.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
import polars as pl

from monitor.events.settings import PhoneSettings

# Digits with what people put between them; anything else is an opaque id.
_SPELLING = r"^[+(]?[0-9][0-9 ()./\-\u00a0]{3,30}$"
_E164 = r"^\+[1-9][0-9]{6,14}$"
PHONE_FIELDS = ("number", "customer")
FEW = 32
"""Of so many values each is looked at: polars would take longer to read the patterns."""


class Phones:
    """Normalises the columns that hold telephone numbers; a pure function with a bounded memory."""

    def __init__(self, settings: PhoneSettings) -> None:
        self._region = settings.region
        self._e164 = lru_cache(maxsize=settings.cached)(self._look_up)

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` with ``number`` and ``customer`` normalised, all else untouched."""
        changed = [self.column(frame[name]) for name in PHONE_FIELDS]
        return frame.with_columns(column for column in changed if column is not None)

    def column(self, values: pl.Series) -> pl.Series | None:
        """The normalised String column, or None when there is nothing to change."""
        odd = _odd(values)
        if not odd.any():
            return None
        spellings = values.filter(odd).unique()
        names = [self._e164(spelling) for spelling in spellings.to_list()]
        return values.replace(spellings, pl.Series(names, dtype=pl.String))

    def _look_up(self, spelling: str) -> str:
        try:
            number = phonenumbers.parse(spelling, self._region)
        except phonenumbers.NumberParseException:
            return spelling
        if not phonenumbers.is_valid_number(number):
            return spelling
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _odd(values: pl.Series) -> pl.Series:
    """Where a telephone number stands that is not E.164; of a null, null or false."""
    if len(values) > FEW:
        return values.str.contains(_SPELLING) & ~values.str.contains(_E164)
    odd = [
        text is not None and re.fullmatch(_SPELLING, text) is not None and not is_e164(text)
        for text in values.to_list()
    ]
    return pl.Series(odd, dtype=pl.Boolean)


def is_e164(text: str) -> bool:
    """Whether ``text`` has the form of a full international number, such as +862150000007."""
    return re.fullmatch(_E164, text) is not None


def is_dialled(text: str) -> bool:
    """Whether ``text`` is written like something one can dial: digits, with what goes between."""
    return re.fullmatch(r"\+?[0-9]+", re.sub(r"[ ()./\-\xa0]", "", text)) is not None


def normalise(values: pl.Series, default_region: str) -> pl.Series:
    """E.164 where ``values`` are telephone numbers, the value itself where they are not."""
    changed = Phones(PhoneSettings(region=default_region)).column(values)
    return values if changed is None else changed
