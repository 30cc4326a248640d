"""A whole campaign of forty numbers goes wrong under `config.yaml` and the telemarketing pack.

What docs/numbers.md says of it ("With the shipped configuration") is what is measured here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from monitor.numbers.lifecycle import IN_SERVICE
from monitor.site import Site, load_site
from tests.docs.markdown import ROOT
from tests.numbers.scene import HOUR, MINUTE, SECOND, Scene, numbers

FORTY = numbers(40)
ACTS = "number-hangup"
MOST_OUT = 4
"""floor(10 % of 40), by ``max_fraction``."""
K = 8
"""floor(20 % of 40), by ``brake_above``."""


@cache
def shipped() -> Site:
    return load_site(ROOT / "config.yaml")


def measured(begins: Callable[[int], int]) -> Scene:
    """A call a minute of each number; from ``begins(index)`` on four of five are hung up on."""
    made = Scene(shipped())
    for index, number in enumerate(FORTY):
        for call, at in enumerate(range(0, 150 * MINUTE, MINUTE)):
            bad = at >= begins(index) and call % 5 != 0
            talk_s = 5 if bad else 60
            made.call(at + 20 * SECOND, number, bad=bad, outcome="answered", talk_s=talk_s)
    return made.run()


def test_a_sudden_wave_takes_no_number_out_and_is_one_page() -> None:
    made = measured(lambda _index: HOUR)
    assert made.commands() == []
    (page,) = made.refusals()
    assert (page.guard, page.pool) == ("brake", "a")
    assert f"more than {K}" in page.detail
    crit = [each for each in made.alerts(ACTS) if each.level == "crit"]
    assert len({each.scope for each in crit}) == len(FORTY)
    assert all(each.inhibited_by == page.id for each in crit)


def test_a_slow_wave_takes_four_out_before_the_brake_holds() -> None:
    made = measured(lambda index: HOUR + index * 2 * MINUTE)
    assert [each.number for each in made.commands()] == FORTY[:MOST_OUT]
    refused = [each.guard for each in made.refusals()]
    assert refused == ["max_fraction"] * (K - MOST_OUT) + ["brake"]
    out = [number for number in FORTY if made.desk.state(number) not in IN_SERVICE]
    assert len(out) <= MOST_OUT


def test_three_numbers_that_go_bad_among_forty_are_no_wave() -> None:
    made = measured(lambda index: HOUR if index < 3 else 10 * HOUR)
    assert {each.number for each in made.commands()} == set(FORTY[:3])
    assert made.refusals() == []
