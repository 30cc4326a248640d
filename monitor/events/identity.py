"""One customer, one name: spellings of a company that differ by a dot or a slash are the same.

Owns the normalisation of ``customer`` where it holds a name and no telephone number. Off unless
``events.identity.names`` is set: where customers are ids, ``aB3`` and ``Ab3`` are two.

What a name becomes, in this order:

1. Unicode NFKC (full-width letters and brackets become plain) and casefold.
2. ``&`` becomes ``and``; everything but letters, marks and digits becomes a space.
3. Spaces are collapsed, and gone between two Han characters.
4. Single letters in a row are joined: ``s a`` from *S.A.* is ``sa``.
5. Legal forms, after the first word, in their shortest form: *Limited* is ``ltd``, 有限责任公司 is
   有限公司. None is dropped: *Acme Ltd* and *Acme Inc* are two companies.

A value is a name if, after 2, it has a word of two letters or more and

* had white space in it, or
* has a letter beyond ASCII, or
* has a legal form after its first word (``acme/ltd``).

So ``C-1``, ``C1``, ``cust-abc`` and ``user@example.com`` stay what they are. So does what becomes
nothing, or longer than a key may be.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import polars as pl

from monitor.events.phones import is_dialled
from monitor.events.settings import IdentitySettings

_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "limited": "ltd",
        "incorporated": "inc",
        "corporation": "corp",
        "company": "co",
        "public limited company": "plc",
        "limited liability company": "llc",
        "limited liability partnership": "llp",
        "proprietary": "pty",
        "private": "pvt",
        "gesellschaft mit beschränkter haftung": "gmbh",
        "aktiengesellschaft": "ag",
        "société anonyme": "sa",
        "société à responsabilité limitée": "sarl",
        "société par actions simplifiée": "sas",
        "sociedad anónima": "sa",
        "sociedade anônima": "sa",
        "sociedad limitada": "sl",
        "limitada": "ltda",
        "società per azioni": "spa",
        "società a responsabilità limitata": "srl",
        "besloten vennootschap": "bv",
    }
)
"""Legal forms as words, casefolded, and what they are shortened to."""
_SHORT = frozenset(_FORMS.values()) | {"kg", "kk", "oy", "ab", "as", "nv", "bhd"}
_LONG = re.compile(
    "(?<= )(" + "|".join(sorted(map(str.casefold, _FORMS), key=len, reverse=True)) + ")(?= |$)"
)
_HAN_FORMS = (("有限责任公司", "有限公司"), ("有限責任公司", "有限公司"))
_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff]"
_BETWEEN_HAN = re.compile(f"(?<={_HAN}) (?={_HAN})")
_SINGLE = re.compile(r"\b[^\W\d_](?: [^\W\d_]\b)+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_MAYBE = r"[^0-9A-Za-z]"
"""Whatever is a name has such a character."""


class Identity:
    """Normalises names of customers; a pure function with a bounded memory."""

    def __init__(self, settings: IdentitySettings, longest: int) -> None:
        """``longest``: characters that a key may have."""
        self._on = settings.names
        self._longest = longest
        self._known = lru_cache(maxsize=settings.cached)(self._name)

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` with names in ``customer`` normalised, all else untouched."""
        if not self._on:
            return frame
        customers = frame["customer"]
        maybe = customers.filter(customers.str.contains(_MAYBE)).unique()
        names = [self._known(each) for each in maybe.to_list()]
        if names == maybe.to_list():
            return frame
        return frame.with_columns(customers.replace(maybe, pl.Series(names, dtype=pl.String)))

    def _name(self, value: str) -> str:
        name = normalised(value)
        return name if 0 < len(name) <= self._longest else value


def normalised(value: str) -> str:
    """What ``value`` becomes: see the module; itself where it is no name."""
    if is_dialled(value):
        return value
    plain = unicodedata.normalize("NFKC", value).casefold().replace("&", " and ")
    kept = (each if unicodedata.category(each)[0] in "LMN" else " " for each in plain)
    words = _BETWEEN_HAN.sub("", " ".join("".join(kept).split()))
    if not _WORD.search(words):
        return value
    words = _SINGLE.sub(lambda found: found[0].replace(" ", ""), words)
    words = _LONG.sub(lambda found: _BY_FOLDED[found[0]], words)
    for long, short in _HAN_FORMS:
        words = words.replace(long, short)
    named = (
        re.search(r"\s", value)
        or not words.isascii()
        or any(word in _SHORT for word in words.split()[1:])
    )
    return words if named else value


_BY_FOLDED = {long.casefold(): short for long, short in _FORMS.items()}
