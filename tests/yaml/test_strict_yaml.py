"""Files become models, and every fault gets its place, its words and its mend."""

# ruff: noqa: E501 - an expected message stands on one line

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.strict_yaml import PROBLEMS_MAX, composer, load_yaml, nodes
from tests.yaml.models import PATH, File, item, load, problems, told


def test_a_good_file_becomes_its_model() -> None:
    loaded = load(
        item(
            "status: off\n"
            "window: {calendar: day, tz: Asia/Shanghai}\n"
            "hits: {sum: talk_s, on: call.ended}\n"
            "evidence: {method: raw, min_of: 3}\n"
            "levels: {warn: 25%, crit: 0.3}\n"
            "by: [number, customer]\n"
            "only: number\n"
            "share: 1\n"
            "flag: true\n"
            "at: 2026-11-22T09:00:00+08:00\n"
            "better: higher\n"
            "titles: {en: Yes, zh: 客户}\n"
            "either: '5'\n"
        )
    )
    found = loaded.value.items[0]
    assert found.status == "off"
    assert found.by == ("number", "customer")
    assert found.only == ("number",)
    assert found.levels is not None
    assert found.levels.warn == Fraction(1, 4)
    assert found.levels.crit == Fraction(3, 10)
    assert found.flag is True
    assert found.at is not None
    assert found.at.astimezone(UTC) == datetime(2026, 11, 22, 1, tzinfo=UTC)
    assert found.titles == {"en": "Yes", "zh": "客户"}
    assert found.either == "5"
    assert loaded.path == PATH
    assert loaded.data["items"][0]["id"] == "one"


@pytest.mark.parametrize(
    "word", ["on", "off", "yes", "no", "y", "n", "On", "NO", "1:30", "12:30:45"]
)
def test_what_yaml_1_1_turns_into_something_else_stays_text(word: str) -> None:
    assert load(f"on: {word}").value.on == word
    assert load(item(f"text: {word}")).value.items[0].text == word


def test_keys_are_their_own_characters() -> None:
    assert load(item("extra: {on: 1, yes: 2, 1: 3, null: 4, 'a b': 5}")).value.items[0].extra == {
        "on": 1,
        "yes": 2,
        "1": 3,
        "null": 4,
        "a b": 5,
    }


def test_numbers_follow_yaml_1_2() -> None:
    found = load(item("n: -12\nshare: 1.5e-3\nextra: {a: +7, b: 0}")).value.items[0]
    assert (found.n, found.share, found.extra) == (-12, 0.0015, {"a": 7, "b": 0})


def test_aliases_share_a_value() -> None:
    found = load("items:\n  - &a {id: one, by: [x]}\n  - *a\n").value.items
    assert found[0] == found[1]


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\r\non: a\r\nrout: b\r\n")
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, File)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (3, 1)


CASES = {
    "unknown key": (
        item("widow: 30m"),
        ["4:5: one: unknown key 'widow' (did you mean 'window'?)"],
    ),
    "unknown key whose likeness is there": (
        item("window: 30m\nwidow: 30m"),
        ["5:5: one: unknown key 'widow' (did you mean 'window', which is there already?)"],
    ),
    "unknown key of the branch that was meant": (
        item("hits: {sum: x, on: y, wher: z}"),
        ["4:27: one: unknown key 'wher' (did you mean 'where'?)"],
    ),
    "key without a space": (
        item("levels: {warn:25%}"),
        ["4:14: one: unknown key 'warn:25%' (a space follows the colon: 'warn: 25%')"],
    ),
    "key that belongs deeper": (
        item("min_of: 3"),
        ["4:5: one: unknown key 'min_of' (it belongs under 'evidence:')"],
    ),
    "key that belongs further up": (
        item("route: x"),
        ["4:5: one: unknown key 'route' (it belongs at the top)"],
    ),
    "key of an enclosing mapping": (
        item("levels:\n  warn: 25%\n  evidence: {method: raw, min_of: 1}"),
        ["6:7: one: unknown key 'evidence' (it belongs in 'items')"],
    ),
    "key that is like nothing": (
        item("levels: {warn: 1, zzz: 3}"),
        ["4:23: one: unknown key 'zzz' (possible here: crit)"],
    ),
    "wrong key of a fixed set": (
        item("titles: {ev: x}"),
        ["4:14: one: unknown key 'ev' (possible here: en, zh)"],
    ),
    "duplicate key": (
        item("n: 1\nn: 2"),
        ["5:5: one: duplicate key 'n' (it stands on line 4 already)"],
    ),
    "missing key": ("items:\n  - n: 1\n", ["2:5: missing key 'id'"]),
    "missing key of a nested block": (
        item("evidence:\n  method: raw"),
        ["4:5: one: missing key 'min_of'"],
    ),
    "missing kind": (item("evidence: {min_of: 3}"), ["4:15: one: missing key 'method'"]),
    "wrong kind": (
        item("evidence: {method: rwa, min_of: 3}"),
        ["4:24: one: 'method' must be 'sequential', 'raw', not 'rwa' (did you mean 'raw'?)"],
    ),
    "null kind": (
        item("evidence: {method: , min_of: 3}"),
        ["4:23: one: 'method' has no value (one of 'sequential', 'raw')"],
    ),
    "bare number for a duration": (
        item("window: 30"),
        ['4:13: one: \'window\': 30 has no unit (write "30s" if seconds are meant, "30m" …)'],
    ),
    "fault in the meant branch of scalar or mapping": (
        item("window: {calendar: dya, tz: 3}"),
        [
            "4:24: one: 'calendar' must be 'day' or 'week', not 'dya' (did you mean 'day'?)",
            "4:33: one: 'tz' must be text, not 3 (write it in quotes: \"3\")",
        ],
    ),
    "wrong choice": (
        item("status: of"),
        ["4:13: one: 'status' must be 'active', 'shadow' or 'off', not 'of' (did you mean 'off'?)"],
    ),
    "choice of another kind": (
        item("status: [off]"),
        ["4:13: one: 'status' must be 'active', 'shadow' or 'off', not a list"],
    ),
    "choice without a value": (
        item("status:"),
        ["4:12: one: 'status' has no value (one of 'active', 'shadow' or 'off')"],
    ),
    "choice like none": (
        item("better: bigger"),
        ["4:13: one: 'better' must be 'lower' or 'higher', not 'bigger' (did you mean 'higher'?)"],
    ),
    "number where text is meant": (
        "on: +862150000007\n",
        ["1:5: 'on' must be text, not 862150000007 (write it in quotes: \"+862150000007\")"],
    ),
    "text where a number is meant": (
        item("n: '5'"),
        ["4:8: one: 'n' must be a whole number, not '5' (write it without quotes)"],
    ),
    "words where a number is meant": (
        item("share: five"),
        ["4:12: one: 'share' must be a number, not 'five'"],
    ),
    "fraction where a whole number is meant": (
        item("n: 1.5"),
        ["4:8: one: 'n' must be a whole number, not 1.5"],
    ),
    "true where a number is meant": (
        item("n: true"),
        ["4:8: one: 'n' must be a whole number, not true"],
    ),
    "yes where true is meant": (
        item("flag: yes"),
        ["4:11: one: 'flag' must be true or false, not 'yes' (write true)"],
    ),
    "one where true is meant": (
        item("flag: 1"),
        ["4:11: one: 'flag' must be true or false, not 1"],
    ),
    "text where a list is meant": (
        item("by: number"),
        ["4:9: one: 'by' must be a list, not 'number' (write [number])"],
    ),
    "list where a mapping is meant": (
        item("hits: [x]"),
        ["4:11: one: 'hits' must be a mapping (key: value), not a list"],
    ),
    "mapping where text is meant": (
        item("id2: x\ntext: {a: b}"),
        [
            "4:5: one: unknown key 'id2' (did you mean 'id', which is there already?)",
            "5:11: one: 'text' must be text, not a mapping",
        ],
    ),
    "wrong entry of a list": (
        item("by: [number, 7]"),
        ["4:18: one: entry 2 of 'by' must be text, not 7 (write it in quotes: \"7\")"],
    ),
    "scalar among mappings": (
        "items:\n  - 3\n",
        ["2:5: entry 1 of 'items' must be a mapping (key: value), not 3"],
    ),
    "neither of two scalars": (
        item("either: [1]"),
        ["4:13: one: 'either' must be a whole number or text, not a list"],
    ),
    "no value": (item("by:"), ["4:8: one: 'by' has no value (it must be a list)"]),
    "number out of range": (
        item("evidence: {method: raw, min_of: 0}"),
        ["4:37: one: 'min_of': should be greater than or equal to 1"],
    ),
    "a validator's own words on a value": (item("text: ''"), ["4:11: one: 'text': says nothing"]),
    "a validator's own words on a mapping": (
        item("levels: {}"),
        ["4:13: one: 'levels': a rule needs a level"],
    ),
    "number for a moment": (
        item("at: 20261122"),
        ["4:9: one: 'at': not a date and time (write it as 2026-11-22T09:00:00+08:00)"],
    ),
    "impossible moment": (
        item("at: 2026-13-40T00:00:00Z"),
        [
            (
                "4:9: one: 'at': should be a valid datetime or date, month value is outside expected"
                " range of 1-12"
            )
        ],
    ),
    "leading zero": (
        item("n: 010"),
        [
            (
                "4:8: one: 010 starts with a zero, which some programs read as base eight"
                ' (write a number without the zero, and text in quotes: "0…")'
            )
        ],
    ),
    "not finite": (item("share: .nan"), ["4:12: one: .nan is not a finite number"]),
    "infinite by size": (
        item("share: 1e999"),
        ["4:12: one: the number is too large (write it in quotes when it is text)"],
    ),
    "beyond 64 bits": (
        item("n: 9223372036854775808"),
        ["4:8: one: the number is too large (write it in quotes when it is text)"],
    ),
    "thousands of digits": (
        item(f"n: {'9' * 5000}"),
        ["4:8: one: the number is too large (write it in quotes when it is text)"],
    ),
    "tag": (
        item("text: !!binary aGk="),
        ["4:11: one: the tag 'tag:yaml.org,2002:binary' is not supported (remove it)"],
    ),
    "python tag": (
        item("by: !!python/object/apply:os.system [x]"),
        [
            (
                "4:9: one: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not supported"
                " (remove it)"
            )
        ],
    ),
    "merge key": (
        "items:\n  - &a {id: one}\n  - <<: *a\n    id: two\n",
        ["3:5: two: merge keys ('<<') are not supported (write the keys out)"],
    ),
    "key that is a list": (
        item("? [a]\n: b"),
        ["4:7: one: a key must be text (a value that starts with { or [ needs quotes)"],
    ),
    "empty key": (item("'': 3"), ["4:5: one: a key is empty"]),
    "control character by escape": (
        'on: "a\\0b"\n',
        ["1:5: the character U+0000 does not belong in text"],
    ),
    "control character in a key": (
        '"a\\eb": 1\n',
        [
            "1:1: the character U+001B does not belong in text",
        ],
    ),
    "lone surrogate by escape": (
        'on: "\\ud800"\n',
        ["1:5: the character U+D800 does not belong in text"],
    ),
    "control character": ("on: a\x01\n", ["1:6: the character U+0001 does not belong in text"]),
    "lone surrogate": ("on: \ud800\n", ["1:5: the file is not UTF-8 (save it as UTF-8)"]),
    "code point beyond Unicode": ('on: "\\U00110000"\n', ["1:8: not a character that exists"]),
    "two documents": (
        "version: 1\n---\nversion: 1\n",
        ["2:1: the file holds more than one document (remove the '---' line)"],
    ),
    "empty": ("", ["0:0: the file is empty"]),
    "only a comment": ("# nothing\n", ["0:0: the file is empty"]),
    "only a marker": ("---\n", ["0:0: the file is empty"]),
    "a list": ("- 1\n", ["1:1: the file must hold a mapping (key: value)"]),
    "a word": ("word\n", ["1:1: the file must hold a mapping (key: value)"]),
    "alias without anchor": ("on: *a\n", ["1:5: '*a' has no '&a' before it"]),
    "alias in itself": ("items: &a [*a]\n", ["1:12: '*a' holds itself"]),
    "tab": (
        "items:\n\t- id: x\n",
        ["2:1: a tab where only spaces may stand (indent with spaces)"],
    ),
    "colon in text": (
        item("text: a: b"),
        [
            (
                "4:12: a ': ' where no key can stand (put text that holds ': ' in quotes, or check the"
                " indentation)"
            )
        ],
    ),
    "open quote": ("on: 'a\nroute: b\n", ["1:5: a quote is not closed (close it)"]),
    "open list": (
        "on: x\nitems: [a, b\nroute: x\n",
        ["3:6: the list '[' of line 2 is not closed here (check commas, brackets and quotes)"],
    ),
    "open mapping": (
        "items:\n  - {id: x\n  - {id: y}\n",
        ["3:5: the mapping '{' of line 2 is not closed here (check commas, braces and quotes)"],
    ),
    "wrong indentation": (
        "items:\n  - id: x\n   n: 1\n",
        [
            (
                "3:4: this line does not fit the indentation above (line it up with its neighbours, or"
                " put the value above in quotes)"
            )
        ],
    ),
    "wrong escape": (
        'on: "\\d+"\n',
        [
            (
                "1:7: an unknown escape in double quotes (write \\\\ for a backslash, or use single"
                " quotes)"
            )
        ],
    ),
    "percent first": (
        "on: %x\n",
        ["1:5: a value cannot start with this character (put the whole text in quotes)"],
    ),
    "dash after a key": (
        "items: - id: x\n",
        ["1:8: a '- ' where no list can stand (put the list on its own lines below the key)"],
    ),
    "comma missing": (
        "on: x\nitems: [{id: x}\n  {id: y}]\n",
        ["3:3: the list '[' of line 2 is not closed here (check commas, brackets and quotes)"],
    ),
    "brace that opens text": (
        "on: {number} hangs up\n",
        [
            (
                "1:14: this line does not fit the indentation above (line it up with its neighbours, or"
                " put the value above in quotes)"
            )
        ],
    ),
    "star first": (
        "on: *\n",
        ["1:6: a value cannot start with '*' or '&' (put the whole text in quotes)"],
    ),
    "syntax we have no words for": (
        "%YAML x\n---\non: x\n",
        ["1:7: not YAML: expected a digit, but found 'x'"],
    ),
    "greater than first": (
        "on: >= 3\n",
        ["1:6: a value cannot start with '>' or '|' (put the whole text in quotes)"],
    ),
    "key without a colon": (
        "on: x\nroute\n",
        ["2:1: a key without ': ' (write 'key: value'; a space follows the colon)"],
    ),
    "several at once, in order of line": (
        item("widow: 30m\nwindow: 30\nn: x\nn: 4"),
        [
            "4:5: one: unknown key 'widow' (did you mean 'window', which is there already?)",
            '5:13: one: \'window\': 30 has no unit (write "30s" if seconds are meant, "30m" …)',
            "6:8: one: 'n' must be a whole number, not 'x'",
            "7:5: one: duplicate key 'n' (it stands on line 6 already)",
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_faults(name: str) -> None:
    text, expected = CASES[name]
    assert told(text) == expected


def test_a_deep_file_is_refused_where_it_gets_too_deep() -> None:
    (line,) = told("items: " + "[" * 100_000)
    assert line == f"1:{composer.DEPTH_MAX + 8}: nested deeper than {composer.DEPTH_MAX} levels"


def test_the_deepest_allowed_file_is_read() -> None:
    depth = composer.DEPTH_MAX - 1
    (line,) = told("on: " + "[" * depth + "]" * depth)
    assert line == "1:5: 'on' must be text, not a list"


def test_a_billion_laughs_are_not_laughed() -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    (line,) = told("\n".join(lines))
    assert f"more than {composer.NODES_MAX} values, with aliases written out" in line


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (nodes.TEXT_BYTES_MAX + 1))
    with pytest.raises(ConfigError, match="larger than 1000 kB"):
        load_yaml(path, File)
    path.write_bytes(b"on: x #" + b"#" * (nodes.TEXT_BYTES_MAX - 7))
    assert load_yaml(path, File).value.on == "x"


def test_bytes_that_are_not_utf8_are_shown_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("version: 1\non: café x\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, File)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.message) == (2, 8, "the file is not UTF-8")


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0:0: there is no such file"):
        load_yaml(tmp_path / "none.yaml", File)
    with pytest.raises(ConfigError, match="0:0: cannot be read: Is a directory"):
        load_yaml(tmp_path, File)


def test_many_problems_are_counted_not_listed() -> None:
    body = "\n".join(f"zz{n}: 1" for n in range(PROBLEMS_MAX + 5))
    found = problems(body)
    assert len(found) == PROBLEMS_MAX + 1
    assert found[-1].message == "and 5 more problems"
    exactly = "\n".join(f"zz{n}: 1" for n in range(PROBLEMS_MAX))
    assert len(problems(exactly)) == PROBLEMS_MAX


def test_later_faults_find_their_place() -> None:
    loaded = load(item("by: [a, b]\nhits:\n  count: call.ended\n  where: 'x == y'\ntext: 'it''s'"))

    def place(*loc: str | int, at_key: bool = False, offset: int | None = None) -> tuple[int, int]:
        problem = loaded.problem(("items", 0, *loc), "wrong", at_key=at_key, offset=offset)
        assert (problem.path, problem.message, problem.owner) == (PATH, "wrong", "one")
        return problem.line, problem.column

    assert place("by", 1) == (4, 13)
    assert place("by", 7) == (4, 9)
    assert place("by", at_key=True) == (4, 5)
    assert place("hits") == (5, 5)
    assert place("hits", "where") == (7, 14)
    assert place("hits", "where", "deeper") == (7, 14)
    assert place("hits", "where", offset=5) == (7, 20)
    assert place("hits", "count", offset=4) == (6, 18)
    assert place("text", offset=3) == (8, 11)  # an escape: the file's characters differ
    assert place() == (3, 5)
    assert place("nothing") == (3, 5)


def test_a_later_fault_may_name_its_owner() -> None:
    loaded = load("items: [{id: a}]\non: x\n")
    assert str(loaded.problem(("on",), "bad", "mend it")) == "a/b.yaml:2:5: bad (mend it)"
    assert loaded.problem(("items", 0), "bad", owner="me").owner == "me"
    assert str(loaded.problem((), "bad")) == "a/b.yaml:1:1: bad"
