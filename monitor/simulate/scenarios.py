"""What a scenario plants, and how its traffic is delivered.

Owns the recipes. Healthy traffic lies clearly below the thresholds of ``rules/telemarketing`` and
planted trouble clearly above, so that "these numbers are suspended and no others" can be asserted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from monitor.simulate.centre import Centre
from monitor.simulate.truth import Planted, Rates

HOUR_MS = 3_600_000
MINUTE_MS = 60_000

BAD_NUMBER = Rates(answer=0.38, hangup=0.75, complaint=0.0002, score=3.4)
FLAGGED = Rates(answer=0.10, hangup=0.20, complaint=0.0002, blocked=0.5)
BAD_AGENT = Rates(answer=0.45, hangup=0.60, complaint=0.015, score=2.8)
COMPLAINED = Rates(answer=0.42, hangup=0.21, complaint=0.03, score=3.8)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How records get from where they happen to where they are read."""

    jitter_ms: int = 800
    """Every record takes up to so long: disorder within the usual tolerance of a second."""
    late_share: float = 0.0
    """Records that take ``late_ms`` instead."""
    late_ms: tuple[int, int] = (2_000, 5 * MINUTE_MS)
    too_late_share: float = 0.0
    too_late_ms: tuple[int, int] = (15 * MINUTE_MS, 20 * MINUTE_MS)
    duplicate_share: float = 0.0
    """Records that are delivered once more, up to ``duplicate_ms`` after."""
    duplicate_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run of a scenario does."""

    planted: list[Planted] = field(default_factory=list)
    should_suspend: list[str] = field(default_factory=list)
    may_suspend: list[str] = field(default_factory=list)
    silences: list[tuple[int, int]] = field(default_factory=list)
    delivery: Delivery = Delivery(duplicate_share=0.001)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A recipe by name, with the length and rate it is meant for."""

    title: str
    make: Callable[[Centre, int, int], Plan]
    """From the centre, the start and the end, ms."""
    duration_ms: int = 2 * HOUR_MS
    rate: float = 50.0
    around_the_clock: bool = False
    """Nights and lunch hours are as busy as the rest."""


def _normal(centre: Centre, start: int, end: int) -> Plan:  # noqa: ARG001 - nothing is planted
    return Plan()


def _bad_numbers(centre: Centre, start: int, end: int) -> list[Planted]:
    """One number in a hundred, at least two: each of the first campaigns gets one, then a next.

    Never more of a campaign than one in twenty, so that the guards of its pool do not stand in
    the way; and each with a share of its campaign's calls that shows within half an hour.
    """
    campaigns, numbers = len(centre.campaigns), len(centre.numbers)
    most = campaigns * max(1, numbers // campaigns // 20)
    count = min(max(2, numbers // 100), most)
    span = end - start
    each = -(-count // campaigns)
    return [
        Planted(
            kind="number",
            # Numbers are dealt to the campaigns in turn, so these lie in different ones.
            name=centre.numbers[index],
            from_ms=start + span * (10 + 20 * index // count) // 100,
            until_ms=end,
            rates=BAD_NUMBER,
            share=0.1 / each,
        )
        for index in range(count)
    ]


def _number_going_bad(centre: Centre, start: int, end: int) -> Plan:
    planted = _bad_numbers(centre, start, end)
    return Plan(planted=planted, should_suspend=[item.name for item in planted])


def _complaint_wave(centre: Centre, start: int, end: int) -> Plan:
    name = centre.campaigns[0]
    wave = Planted("campaign", name, start + (end - start) // 4, end, COMPLAINED)
    return Plan(planted=[wave], may_suspend=centre.pools()[name])


def _bad_agent(centre: Centre, start: int, end: int) -> Plan:
    return Plan(planted=[Planted("agent", centre.agents[0], start, end, BAD_AGENT)])


def _flagged_number(centre: Centre, start: int, end: int) -> Plan:
    span, numbers = end - start, len(centre.numbers)
    count = min(3, len(centre.campaigns), numbers)
    planted = [
        Planted(
            kind="number",
            name=centre.numbers[index],
            from_ms=start + span * (2 + index) // 10,
            until_ms=end if index else start + span * 6 // 10,
            rates=FLAGGED,
            flagged_by=("carrier", "handset vendor", "reputation service")[index],
            # The first is cleared again and comes back, the others stay out.
            cleared_ms=None if index else start + span * 6 // 10,
        )
        for index in range(count)
    ]
    return Plan(planted=planted, should_suspend=[item.name for item in planted])


def _quiet_night(centre: Centre, start: int, end: int) -> Plan:  # noqa: ARG001 - all are asleep
    span = end - start
    return Plan(silences=[(start + span * 3 // 10, start + span * 85 // 100)])


def _late_and_duplicate(centre: Centre, start: int, end: int) -> Plan:
    planted = _bad_numbers(centre, start, end)
    trouble = Delivery(late_share=0.1, too_late_share=0.002, duplicate_share=0.05)
    return Plan(planted=planted, should_suspend=[item.name for item in planted], delivery=trouble)


DEMO_HISTORY_MS = 2 * HOUR_MS + 30 * MINUTE_MS
"""The demonstration's past, long enough for the windows of four hours; then it goes live."""
DEMO_EVERY_MS = 15 * MINUTE_MS


def demo_plan(centre: Centre, start: int, end: int) -> Plan:
    """One agent bad all along, a number going bad every quarter of an hour, flags, a wave.

    A flag falls twenty seconds after going live, so that something happens at once for certain;
    two numbers have gone bad shortly before.
    """
    live = start + DEMO_HISTORY_MS
    planted = [Planted("agent", centre.agents[0], start, end, BAD_AGENT)]
    number, numbers = 0, len(centre.numbers)

    def plant(begin: int, length: int, rates: Rates, flagged_by: str = "") -> None:
        nonlocal number
        name, until = centre.numbers[number % numbers], min(begin + length, end)
        cleared = until if flagged_by and until < end else None
        share = None if flagged_by else 0.2
        planted.append(Planted("number", name, begin, until, rates, flagged_by, cleared, share))
        number += 1

    for begin in (live - 9 * MINUTE_MS, live - 6 * MINUTE_MS):
        plant(begin, 30 * MINUTE_MS, BAD_NUMBER)
    plant(live + 20_000, 10 * MINUTE_MS, FLAGGED, "carrier")
    for step in range(1 - DEMO_HISTORY_MS // DEMO_EVERY_MS, (end - live) // DEMO_EVERY_MS):
        if step:
            plant(live + step * DEMO_EVERY_MS, DEMO_EVERY_MS, BAD_NUMBER)
    for begin in range(live + 40 * MINUTE_MS, end, 60 * MINUTE_MS):
        plant(begin, 20 * MINUTE_MS, FLAGGED, "handset vendor")
    wave = centre.campaigns[len(centre.campaigns) - 1]
    for begin in range(live + 5 * MINUTE_MS, end, 3 * HOUR_MS):
        until = min(begin + 40 * MINUTE_MS, end)
        planted.append(Planted("campaign", wave, begin, until, COMPLAINED))
    bad = list(dict.fromkeys(item.name for item in planted if item.kind == "number"))
    return Plan(planted=planted, should_suspend=bad, may_suspend=centre.pools()[wave])


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "normal-day": Scenario("a working day, nothing wrong", _normal, 12 * HOUR_MS, 10.0),
        "number-going-bad": Scenario("customers hang up on some numbers", _number_going_bad),
        "complaint-wave": Scenario("a whole campaign is complained about", _complaint_wave),
        "bad-agent": Scenario("one agent is hung up on, on every number", _bad_agent),
        "flagged-number": Scenario("numbers are flagged; one is cleared", _flagged_number),
        "quiet-night": Scenario(
            "nobody works for half of the time", _quiet_night, 12 * HOUR_MS, 5.0
        ),
        "late-and-duplicate": Scenario("bad numbers, seen late and twice", _late_and_duplicate),
        "demo": Scenario(
            "a bit of everything", demo_plan, 24 * HOUR_MS, 8.0, around_the_clock=True
        ),
    }
)
"""By name, in the order they are listed."""
