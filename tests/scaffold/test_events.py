"""Events made from conditions: whatever is guessed is what the engine's own parser says it is."""

from __future__ import annotations

import pytest

from monitor.indicators.expression import parse_where
from monitor.scaffold.events import Values, that_fail, that_pass
from monitor.scaffold.story import flow


@pytest.mark.parametrize(
    ("where", "passes", "fails"),
    [
        ("outcome == 'answered'", {"outcome": "answered"}, {"outcome": "no_answer"}),
        ("outcome != 'answered'", {"outcome": "no_answer"}, {"outcome": "answered"}),
        ("talk_s < 30", {"talk_s": 29}, {"talk_s": 30}),
        ("talk_s < 0.5", {"talk_s": 0.25}, {"talk_s": 0.5}),
        ("talk_s >= 120", {"talk_s": 120}, {"talk_s": 119}),
        ("talk_s > 120", {"talk_s": 121}, {"talk_s": 120}),
        ("need_captured", {"need_captured": True}, {"need_captured": False}),
        ("not need_captured", {"need_captured": False}, {"need_captured": True}),
        ("outcome in ['busy', 'failed']", {"outcome": "busy"}, {"outcome": "answered"}),
        ("campaign == 'x'", {"campaign": "x"}, {"campaign": "x-other"}),
        ("campaign is null", {}, {"campaign": "campaign-7"}),
        ("talk_s is not null", {"talk_s": 1}, {}),
        (
            "outcome == 'answered' and talk_s < 6",
            {"outcome": "answered", "talk_s": 5},
            {"outcome": "no_answer"},
        ),
        (
            "outcome == 'busy' or talk_s < 6",
            {"outcome": "busy"},
            {"outcome": "answered", "talk_s": 6},
        ),
    ],
)
def test_what_passes_and_what_does_not(where: str, passes: Values, fails: Values) -> None:
    node = parse_where(where, ["call.ended"])
    assert that_pass(node) == passes
    assert that_pass(node, holds=False) == fails


@pytest.mark.parametrize(
    "where",
    ["talk_s + ring_s < 5", "hour(time, 'Asia/Shanghai') < 9", "talk_s < 5 and talk_s > 9"],
)
def test_what_is_not_understood_is_not_guessed(where: str) -> None:
    assert that_pass(parse_where(where, ["call.ended"])) is None


def test_a_miss_is_still_one_of_those_below_the_line() -> None:
    of = parse_where("outcome == 'answered'", ["call.ended"])
    hits = parse_where("outcome == 'answered' and talk_s < 6", ["call.ended"])
    assert that_fail(of, hits) == {"outcome": "answered", "talk_s": 6}
    assert that_fail(of, of) is None
    assert that_pass(None) == {}
    assert that_pass(None, holds=False) is None


def test_values_are_written_as_yaml_reads_them() -> None:
    written = flow({"at": "5s", "a": "on", "n": "+86", "b": True, "f": 0.25, "t": "x.y", "z": "3d"})
    assert written == '{at: 5s, a: "on", n: "+86", b: true, f: 0.25, t: x.y, z: 3d}'
