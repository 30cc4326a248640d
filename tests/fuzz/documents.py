"""Mutated YAML of configuration, indicators and rules, and what must hold of every document.

Owns the mutations and the check: a document is read, or refused with a :class:`ConfigError` that
names at least one problem; nothing else.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import yaml

from monitor.config import Config
from monitor.errors import ConfigError
from monitor.indicators.load import loads_indicators
from monitor.indicators.model import Indicator
from monitor.rules.load import loads_rules
from monitor.strict_yaml import loads_yaml

ROOT = Path(__file__).parent.parent.parent
CHUNK = 100
_PACK = ROOT / "rules" / "telemarketing"
_NAMED = Path("fuzz.yaml")

Kind = str  # "config", "indicators" or "rules"


class Document(NamedTuple):
    """One text, and which loader it is for."""

    kind: Kind
    text: str


_PIECES = (
    ":", ": ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ",", "'", '"', "\\", "#",
    "&a ", "*a",
    "<<: *a", "!!str ", "!!python/object:os.system ", "!", "|\n", ">\n", "%", "@", "---\n",
    "...\n", "\t",
    "\r", "\x00", "\ufeff", "\u2028", "\u0085", "? ", "~", "`", "客", "😀", "\u202e", "\x1b[31m",
)  # fmt: skip
_SCALARS = (
    "null", "true", "yes", "0", "-1", "010", "1e9", "1e999", ".nan", ".inf", "0x10", "1_000",
    "9" * 45,
    "0.30", "30%", "200%", "-1%", "30m", "0s", "9999999d", "5/10m", "0/0s", "day",
    "day@Asia/Shanghai",
    "day@No/Where", "month@UTC", "''", "[]", "{}", "[1, [2]]", "{a: 1}", "2026-11-22", "a" * 300,
    '"{number} {value:%}"', '"{"', '"{0.__class__}"', "hangup_by == 'customer'", '"talk_s >"',
    '"((((talk_s > 1))))"', '"' + "not " * 60 + 'ok"', '"' + "(" * 200 + '"', "number",
    "[number, team]",
)  # fmt: skip
_KAFKA = """\
source:
  kind: kafka
  bootstrap: kafka:9092
  security:
    tls: {ca_file: ca.pem}
    sasl: {username: u, password: {env: KAFKA_PASSWORD}}
"""
_DELIVERY = """\
delivery:
  receivers:
    hook: {type: webhook, url: 'https://h/x', rate: 20/1m}
  routes:
    people: {receivers: [hook, log]}
"""
_VALUE = re.compile(r"(?<=: )[^\s#][^\n#]*")
_WORD = re.compile(r"[A-Za-z_]{2,}")


@cache
def pool() -> tuple[Document, ...]:
    """What is mutated: single indicators and rules of the shipped pack, and configurations."""
    found = [Document("config", text) for text in _configurations()]
    for kind in ("indicators", "rules"):
        whole = yaml.safe_load((_PACK / f"{kind}.yaml").read_text(encoding="utf-8"))
        found += [
            Document(
                kind, yaml.safe_dump({**whole, kind: [entry]}, sort_keys=False, allow_unicode=True)
            )
            for entry in whole[kind]
        ]
    for kind in ("config", "indicators", "rules"):
        folder = ROOT / "tests" / "fixtures" / "broken" / kind
        found += [Document(kind, path.read_text("utf-8")) for path in sorted(folder.glob("*.yaml"))]
    return tuple(found)


def make(seed: int, number: int) -> Document:
    """Document ``number`` of ``seed``."""
    chance = random.Random(f"yaml {seed} {number}")
    kind, text = chance.choice(pool())
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        (mutate,) = chance.choices(_MUTATIONS, cum_weights=_WEIGHTS)
        text = mutate(text, chance)
    return Document(kind, text)


def check(documents: Sequence[Document]) -> int:
    """Hold the promise for each; returns how many were accepted.

    Raises:
        AssertionError: a refusal names no problem. Any other exception but ConfigError is the
            loader's own, and a defect as well.
    """
    refusals: list[ConfigError] = []
    for kind, text in documents:
        try:
            _load(kind, text)
        except ConfigError as error:
            refusals.append(error)
    for refusal in refusals:
        assert refusal.problems
        assert all(problem.message for problem in refusal.problems)
        assert str(refusal)
    return len(documents) - len(refusals)


def _load(kind: Kind, text: str) -> None:
    if kind == "config":
        loads_yaml(text, _NAMED, Config).value.delivery.faults()
    elif kind == "indicators":
        loads_indicators(text, _NAMED)
    else:
        loads_rules(text, _NAMED, _indicators())


@cache
def _indicators() -> tuple[Indicator, ...]:
    text = (_PACK / "indicators.yaml").read_text(encoding="utf-8")
    return tuple(loads_indicators(text, _NAMED).value.indicators)


def _configurations() -> list[str]:
    return [
        (ROOT / "config.yaml").read_text(encoding="utf-8"),
        (ROOT / "deploy" / "config.compose.yaml").read_text(encoding="utf-8"),
        _KAFKA,
        _DELIVERY,
        "pools:\n  default: {max_fraction: 30%}\nnumbers: {}\nexporter: {host: 127.0.0.1}\n",
    ]


# Mutations: text in, text out, never an error.


def _insert(text: str, chance: random.Random) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(_PIECES) + text[at:]


def _cut(text: str, chance: random.Random) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + text[at + chance.choice((1, 2, 5, 20)) :]


def _value(text: str, chance: random.Random) -> str:
    found = list(_VALUE.finditer(text))
    if not found:
        return text
    spot = chance.choice(found)
    return text[: spot.start()] + chance.choice(_SCALARS) + text[spot.end() :]


def _line(text: str, chance: random.Random) -> str:
    """A line gone, twice, elsewhere, or further in."""
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines.insert(chance.randint(0, len(lines) - 1), lines.pop(at))
        case _:
            lines[at] = " " * chance.randint(1, 4) + lines[at]
    return "\n".join(lines)


def _word(text: str, chance: random.Random) -> str:
    """A word of this document, or of another, in another's place."""
    found = list(_WORD.finditer(text))
    others: list[str] = _WORD.findall(chance.choice(pool()).text)
    if not found or not others:
        return text
    spot = chance.choice(found)
    return text[: spot.start()] + chance.choice(others) + text[spot.end() :]


def _splice(text: str, chance: random.Random) -> str:
    other = chance.choice(pool()).text
    return text[: chance.randint(0, len(text))] + other[chance.randint(0, len(other)) :]


def _nest(text: str, chance: random.Random) -> str:
    """Deeper than any honest file, or aliases that would unfold without end."""
    match chance.randrange(3):
        case 0:
            deep = chance.choice((10, 39, 40, 41, 400))
            return f"{text}\nzzz: {'[' * deep}{']' * deep}\n"
        case 1:
            rows = [f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]" for n in range(1, 9)]
            return "\n".join(("b0: &b0 [x]", *rows, text))
        case _:
            return "".join(f"{' ' * n}k{n}:\n" for n in range(60)) + text


Mutation = Callable[[str, random.Random], str]
_MUTATIONS: tuple[Mutation, ...] = (_insert, _cut, _value, _line, _word, _splice, _nest)
_WEIGHTS = tuple(accumulate((20, 10, 40, 20, 20, 6, 1)))
