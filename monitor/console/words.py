"""The words of the pages, by language: one catalogue a file, the same keys in each.

Owns the look-up. A key that a catalogue does not have is a fault that a test finds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

LANGUAGES: Final = {"zh": "中文", "en": "English"}
"""By tag, each in its own language."""
HTML_LANG: Final = {"zh": "zh-CN", "en": "en"}


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All words of a language, by key: ``section.name``."""
    text = (files("monitor.console") / "words" / f"{language}.toml").read_text(encoding="utf-8")
    return {
        f"{section}.{key}": words
        for section, entries in tomllib.loads(text).items()
        for key, words in entries.items()
    }


class Words:
    """One language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._words = catalogue(language)

    def __call__(self, key: str, **named: Any) -> str:
        """The words for a key, with what is named put in.

        Raises:
            KeyError: there is no such key.
        """
        text = self._words[key]
        return text.format(**named) if named else text

    def of(self, section: str, name: str) -> str:
        """The words for a name of a fixed set; the name itself where there are none."""
        return self._words.get(f"{section}.{name}", name.replace("_", " "))

    def has(self, section: str, name: str) -> bool:
        """Whether there are words for it."""
        return f"{section}.{name}" in self._words

    def pick(self, texts: Mapping[str, str], otherwise: str = "") -> str:
        """Of a text in several languages this one, or any."""
        return texts.get(self.language) or next(iter(texts.values()), "") or otherwise
