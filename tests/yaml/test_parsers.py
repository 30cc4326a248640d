"""Where libyaml is believed, PyYAML's own parser reads the same values at the same places."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.strict_yaml import composer, parsers
from monitor.strict_yaml.nodes import Node
from tests.yaml.test_strict_yaml_fuzz import PIECES

pytestmark = pytest.mark.untraced

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / "config.yaml",
    *(
        path
        for folder in ("rules", "mappings", "deploy", "tests/fixtures", "tests/packs")
        for path in sorted((ROOT / folder).rglob("*.yaml"))
    ),
]
TEXTS = [path.read_text(encoding="utf-8") for path in FILES]


def believed(text: str) -> Node | None:
    """What the composer makes of libyaml's events, if it makes do with them."""
    quick = parsers.quick(text)
    if quick is None:
        return None
    with suppress(parsers.Doubt):
        return composer._compose(composer._Faultless(lambda: quick))[0]
    return None


def check(text: str) -> bool:
    """Whether libyaml was believed."""
    root = believed(text)
    if root is None:
        return False
    own, faults = composer._compose(composer._Composer(lambda: yaml.SafeLoader(text)))
    assert faults == []
    assert repr(own) == repr(root)  # all values, texts and places
    return True


def test_it_is_there_and_believed_of_every_shipped_file() -> None:
    unbelieved = {path for path, text in zip(FILES, TEXTS, strict=True) if not check(text)}
    shipped = {path for path in FILES if ROOT / "tests" not in path.parents}
    assert len(shipped) > 10
    assert not shipped & unbelieved


@pytest.mark.parametrize(
    "text",
    [
        "a:\tb\n",
        "a: b\t\n",
        "a: 1\n\ufeff",
        "a: |# one\n  text\n",
        "a: |\n  text",
        "a:",
        "a: {b: }\n",
        "a: [b: , c]\n",
        "a: {b?c: 1}\n",
        "a: [?b]\n",
        "a: [b\n",
        "a: 'b\n",
        "a: 1\na: 2\n",
        "a: \x01\n",
        'a: "\\U00110000"\n',
        "%YAML 99999999999999999999.1\n---\na: 1\n",
    ],
)
def test_it_is_not_believed_where_the_two_differ_or_something_is_wrong(text: str) -> None:
    assert believed(text) is None


@given(st.lists(PIECES, max_size=30).map("".join))
@example("a")
@example("")
@example("? a")
@example("- ? a\n  : b")
@example("{? a : b, ? c}")
@example("{'a?': \"\", b: [[], {}], c: {}}")
@example("&a a: *a")
@settings(max_examples=300)
def test_pieces_of_yaml_are_read_alike(text: str) -> None:
    check(text + "\n")


@given(st.data())
@settings(max_examples=300)
def test_shipped_files_with_some_characters_changed_are_read_alike(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(TEXTS) - 1))
    lines = TEXTS[index].splitlines(keepends=True)
    first = data.draw(st.integers(0, len(lines) - 1))
    text = "".join(lines[first : first + 12])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        left_out = data.draw(st.integers(0, 2))
        text = text[:place] + data.draw(PIECES) + text[place + left_out :]
    check(text + "\n")
