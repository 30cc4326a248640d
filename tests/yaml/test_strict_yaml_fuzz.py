"""Whatever a file holds, it is read or refused, never anything else, and soon."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.errors import ConfigError, Problem
from monitor.strict_yaml import composer, load_yaml, loads_yaml
from tests.yaml.models import PATH, File, item

pytestmark = pytest.mark.untraced

PIECES = st.sampled_from(
    [
        "a",
        "id",
        "items",
        "on",
        "by",
        ":",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        '"',
        "\\",
        "\\x",
        "#",
        "&a",
        "*a",
        "!!str ",
        "!",
        "|",
        ">",
        "%",
        "@",
        "---",
        "...",
        "\t",
        "\r",
        "\x00",
        "0",
        "010",
        "1e9",
        ".nan",
        "?",
        "? ",
        "<<",
        "~",
        "�",
        "\x85",
        "客",
    ]
)


def place_exists(text: str, line: int, column: int) -> bool:
    lines = text.splitlines() or [""]
    return line == 0 or (1 <= line <= len(lines) + 1 and column >= 1)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
@example('"\\U00110000"')
@example("%YAML 99999999999999999999.1\n---\n")
@example("a: !<%FF> b")
@settings(max_examples=400, deadline=2_000)
def test_any_text_is_read_or_refused(text: str) -> None:
    problems: list[Problem] = []
    try:
        loads_yaml(text, PATH, File)
    except ConfigError as error:
        problems = error.problems or [Problem(PATH, -1, -1, "no problem named")]
    for problem in problems:
        assert problem.message
        assert place_exists(text, problem.line, problem.column)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=2_000)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(raw)
    with contextlib.suppress(ConfigError):
        load_yaml(path, File)


# PyYAML writes text such as 1e3 without quotes: a number in YAML 1.2, which is read here, and no
# number in its own YAML 1.1.
EXPONENT = re.compile(r"[-+.0-9]+[eE][-+]?[0-9]+")
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=8
).filter(lambda text: not EXPONENT.fullmatch(text))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["count", "sum", "on", "method", "calendar"]), inner)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "id",
                "status",
                "window",
                "hits",
                "evidence",
                "levels",
                "by",
                "n",
                "at",
                "titles",
                "flag",
                "share",
                "either",
                "extra",
                "only",
                "text",
                "better",
                "unknown",
            ]
        ),
        VALUES,
    )
)
@settings(max_examples=200, deadline=2_000)
def test_any_values_are_read_or_refused_and_blamed_on_their_own_line(
    body: dict[str, object],
) -> None:
    text = yaml.safe_dump({"items": [body], "zzz_end": 1}, allow_unicode=True, sort_keys=False)
    with pytest.raises(ConfigError) as caught:
        loads_yaml(text, PATH, File)
    lines = text.splitlines()
    places = {(problem.line, problem.message) for problem in caught.value.problems}
    end = next(n for n, line in enumerate(lines, 1) if line.startswith("zzz_end"))
    assert any(line == end and "zzz_end" in message for line, message in places)
    assert all(1 <= line <= end for line, _ in places)


@given(VALUES)
@settings(max_examples=200, deadline=2_000)
def test_what_yaml_writes_is_read_back(value: object) -> None:
    text = yaml.safe_dump({"value": value}, allow_unicode=True, default_flow_style=None)
    root, faults = composer.compose(text)
    assert not faults
    assert root is not None
    assert root.value == {"value": value}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 900_000,
        "{a: " * 200_000,
        "- " * 400_000,
        "? " * 400_000,
        "a: &a\n" * 100_000,
        "'" + "a\n" * 400_000,
        "#" * 900_000,
        '"' + "\\n" * 400_000 + '"',
        "".join(" " * n + f"a{n}:\n" for n in range(1_000)),
    ],
    ids=lambda text: text[:6],
)
def test_hostile_files_do_not_take_long(text: str) -> None:
    start = time.process_time()
    with pytest.raises(ConfigError):
        loads_yaml(text, PATH, File)
    # Measured below 4 s on a slow core; quadratic behaviour would take minutes.
    assert time.process_time() - start < 20


def test_a_large_honest_file_is_read_in_bounded_time() -> None:
    body = "\n".join(f"  - {{id: item{n}, window: 30m, by: [number]}}" for n in range(5_000))
    start = time.process_time()
    assert len(loads_yaml(f"items:\n{body}\n", PATH, File).value.items) == 5_000
    assert time.process_time() - start < 20


def test_a_file_that_changes_under_the_reader_is_only_read_once(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(item("n: 3"))
    loaded = load_yaml(path, File)
    path.unlink()
    assert loaded.problem(("items", 0, "n"), "late").line == 4
