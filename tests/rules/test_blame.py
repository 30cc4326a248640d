"""Who spoils a number: both halves have to be there, and pairs come and go."""

from __future__ import annotations

import pytest

from monitor.rules.blame import CALLS_MIN, OTHERS_MIN, PAIR, Blame, Blamed
from monitor.rules.scopes import SEPARATOR
from tests.rules.fakes import FakeSource, FakeView, rule

GOOD, BAD = (1, 20), (18, 20)
ABOVE = {"crit": {"above": "30%"}}


def blaming(figures: dict[tuple[str, str], tuple[int, int]], **changes: object) -> Blame:
    """The rule's blame after a step with these figures by number and agent."""
    view = FakeView(by=PAIR)
    view.set({SEPARATOR.join(pair): figure for pair, figure in figures.items()})
    action = {"suspend": {"ttl": "30m", "blame": "agent"}}
    made = rule(action=action, **({"levels": ABOVE} | changes))
    found = Blame.of(made, FakeSource({"30m": view}, by=PAIR))
    assert found is not None
    found.step()
    return found


def spoilt(others: int) -> dict[tuple[str, str], tuple[int, int]]:
    """A number that agent b spoils, who is bad on so many others."""
    figures = {("n", "a"): GOOD, ("n", "b"): BAD, ("n", "c"): GOOD}
    return figures | {(f"o{index}", "b"): BAD for index in range(others)}


def test_an_agent_who_is_bad_on_others_too_is_to_blame() -> None:
    found = blaming(spoilt(OTHERS_MIN)).who("n", "30m")
    assert found == Blamed(
        "b", "agent b is bad on 3 other numbers; with others n is good (2 of 40)"
    )


@pytest.mark.parametrize(
    "figures",
    [
        spoilt(OTHERS_MIN - 1),
        spoilt(3) | {("n", "a"): BAD},
        {
            pair: figure
            for pair, figure in spoilt(3).items()
            if pair not in {("n", "a"), ("n", "c")}
        },
        spoilt(3) | {("n", "a"): (0, CALLS_MIN - 1), ("n", "c"): (0, 0)},
        spoilt(2) | {("o9", "b"): (CALLS_MIN - 1, CALLS_MIN - 1)},
        {},
    ],
    ids=["two others", "bad with others", "nobody else", "too few others", "too few calls", "none"],
)
def test_otherwise_it_is_the_number(figures: dict[tuple[str, str], tuple[int, int]]) -> None:
    assert blaming(figures).who("n", "30m") is None


def test_bad_may_lie_below() -> None:
    figures = {pair: (of - hits, of) for pair, (hits, of) in spoilt(3).items()}
    found = blaming(figures, levels={"crit": {"below": "60%"}}).who("n", "30m")
    assert found is not None
    assert found.agent == "b"


def test_pairs_that_are_gone_count_no_more_and_their_ids_may_be_others() -> None:
    found = blaming(spoilt(3))
    view = found._view
    key = view.keys.find(SEPARATOR.join(("o0", "b")))
    assert key is not None
    view.keys.release([key])
    found.forget([key, 999])
    assert found.who("n", "30m") is None
    assert isinstance(view, FakeView)
    view.set({SEPARATOR.join(("o8", "b")): (17, 20)})
    assert view.keys.find(SEPARATOR.join(("o8", "b"))) == key
    found.step()
    assert found.who("n", "30m") is not None


def test_after_a_restart_all_pairs_are_known() -> None:
    found = blaming(spoilt(3))
    other = Blame(rule(levels=ABOVE).levels.crit, {"30m": found._view})  # type: ignore[arg-type]
    other.restore()
    assert other.who("n", "30m") == found.who("n", "30m")
