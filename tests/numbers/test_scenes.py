"""What a centre fears of a daemon that suspends numbers by itself, through the real engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.decisions import Alert, iso
from monitor.numbers.lifecycle import IN_SERVICE, State
from tests.numbers.scene import HOUR, MINUTE, SECOND, T0, Scene, numbers, rule, site_of

FORTY = numbers(40)
COMPLAINTS = rule(
    "number-complaint",
    indicator="complaint_rate",
    levels={"crit": {"above": "5%", "clear": "2%"}},
    evidence={"method": "raw", "min_of": 20},
    action={"suspend": {"ttl": "24h"}},
)
CAMPAIGN = rule(
    "campaign-complaint",
    indicator="complaint_rate",
    by="campaign",
    levels={"crit": {"above": "5%", "clear": "2%"}},
    evidence={"method": "raw", "min_of": 400},
    action=None,
)
GUARDS: dict[str, Any] = {
    "numbers": FORTY,
    "max_fraction": "50%",
    "min_left": 10,
    "brake_above": "20%",
    "brake_window": "2h",
}
K = 8
"""floor(20 % of 40): the ninth number that breaches within the window holds the brake."""


def campaign(tmp_path: Path, *rules: dict[str, Any], **guards: Any) -> Scene:
    """Forty numbers that call for three hours, and nobody complains."""
    site = site_of(
        tmp_path,
        [COMPLAINTS, *rules],
        numbers={"assume_applied": True, "rate": "1000/1h"},
        pools={"a": GUARDS | guards},
    )
    made = Scene(site)
    for number in FORTY:
        made.calls(MINUTE, 3 * HOUR, MINUTE, number)
    return made


def complain(made: Scene, number: str, at: int, times: int = 12) -> None:
    for index in range(times):
        made.event(at + index * SECOND, "complaint.filed", number=number, campaign="a")


def out_of(made: Scene) -> set[str]:
    return {number for number in FORTY if made.desk.state(number) not in IN_SERVICE}


def test_a_sudden_wave_over_a_campaign_suspends_at_most_k_and_is_one_page(tmp_path: Path) -> None:
    made = campaign(tmp_path)
    for number in FORTY:
        complain(made, number, HOUR)
    made.run()
    assert len(made.commands()) <= K
    (page,) = made.refusals()
    assert (page.guard, page.pool, page.number) == ("brake", "a", "")
    assert "of 40 numbers breach" in page.detail


def told(made: Scene) -> list[Alert]:
    """Alerts that go to people."""
    found = [each for each in made.decisions if isinstance(each, Alert)]
    return [each for each in found if not each.inhibited_by]


def test_in_a_sudden_wave_the_page_stands_for_the_alerts_of_all_numbers(tmp_path: Path) -> None:
    made = campaign(tmp_path)
    for number in FORTY:
        complain(made, number, HOUR)
    made.run()
    (page,) = made.refusals()
    alerts = [each for each in made.decisions if isinstance(each, Alert)]
    firing = [each for each in alerts if each.state == "firing"]
    assert {dict(each.scope)["number"] for each in firing} == set(FORTY), "decided and stored"
    assert {each.inhibited_by for each in alerts} == {page.id}
    assert [each.state for each in alerts].count("resolved") == 40, "nor of their ends"


def test_in_a_slow_wave_people_hear_of_those_that_are_suspended_and_of_the_wave(
    tmp_path: Path,
) -> None:
    made = campaign(tmp_path)
    for index, number in enumerate(FORTY):
        complain(made, number, HOUR + index * 2 * MINUTE)
    made.run()
    suspended = {command.number for command in made.commands()}
    fired = [dict(each.scope)["number"] for each in told(made) if each.state == "firing"]
    assert set(fired) == suspended == set(FORTY[:K])
    ended = [each for each in told(made) if each.state == "resolved"]
    assert len(ended) == K


def test_a_campaigns_own_alert_stands_for_those_of_its_numbers(tmp_path: Path) -> None:
    made = campaign(tmp_path, CAMPAIGN, brake_above=None, inhibited_by=["campaign-complaint"])
    for number in FORTY:
        complain(made, number, HOUR)
    made.run()
    (page,) = made.refusals()
    assert page.guard == "campaign"
    assert [each.rule for each in told(made)][:1] == ["campaign-complaint"]
    assert {each.rule for each in told(made)} == {"campaign-complaint"}


def test_whose_page_went_elsewhere_still_gets_the_alerts(tmp_path: Path) -> None:
    other = COMPLAINTS | {"id": "quality-complaint", "notify": {"route": "quality"}}
    made = campaign(tmp_path, other)
    for number in FORTY:
        complain(made, number, HOUR)
    made.run()
    (page,) = made.refusals()
    rules = {each.rule for each in told(made)}
    assert rules == {"quality-complaint" if page.rule == "number-complaint" else "number-complaint"}


def test_a_slow_wave_suspends_k_and_is_one_page(tmp_path: Path) -> None:
    made = campaign(tmp_path)
    for index, number in enumerate(FORTY):
        complain(made, number, HOUR + index * 2 * MINUTE)
    made.run()
    assert [command.number for command in made.commands()] == FORTY[:K]
    (page,) = made.refusals()
    assert page.guard == "brake"
    first = made.commands()[0]
    assert f"monitor numbers undo --pool a --since {iso(first.at_ms)}" in page.detail
    assert all(number in page.detail for number in FORTY[:K])


def test_the_wave_is_taken_back_in_one_command(tmp_path: Path) -> None:
    made = campaign(tmp_path)
    for index, number in enumerate(FORTY):
        complain(made, number, HOUR + index * 2 * MINUTE)
    made.order(HOUR + 90 * MINUTE, "undo", pool="a", since_ms=T0 + HOUR)
    made.run()
    assert [command.number for command in made.commands("resume")] == FORTY[:K]
    assert out_of(made) == set()


def test_batches_and_a_restart_make_no_difference(tmp_path: Path) -> None:
    made = campaign(tmp_path)
    for index, number in enumerate(FORTY):
        complain(made, number, HOUR + index * 2 * MINUTE)
    at_once = made.run().decisions
    assert made.run(batch=53).decisions == at_once
    assert made.run(restart_at=HOUR + 25 * MINUTE).decisions == at_once


def test_numbers_that_may_breach_are_part_of_the_wave(tmp_path: Path) -> None:
    """A rule that waits five minutes: the first that is sure meets a brake that holds already.

    It holds until no more than k of them are left that breach.
    """
    made = campaign(tmp_path)
    waits = COMPLAINTS | {"pending": {"for": "5m"}}
    made.site = site_of(
        tmp_path,
        [waits],
        numbers={"assume_applied": True, "rate": "1000/1h"},
        pools={"a": GUARDS},
    )
    for index, number in enumerate(FORTY):
        complain(made, number, HOUR + index * 15 * SECOND)
    made.run()
    assert [refusal.guard for refusal in made.refusals()] == ["brake"]
    assert len(made.commands()) <= K
    assert all(command.at_ms > T0 + 2 * HOUR for command in made.commands())


def test_a_breach_of_the_campaign_as_a_whole_suspends_none_from_then_on(tmp_path: Path) -> None:
    made = campaign(tmp_path, CAMPAIGN, inhibited_by=["campaign-complaint"], brake_above="100%")
    for number in FORTY[:30]:
        complain(made, number, HOUR)
    for number in FORTY[30:]:
        complain(made, number, HOUR + 30 * MINUTE)
    made.run()
    breach = next(alert for alert in made.alerts("campaign-complaint"))
    late = [command for command in made.commands() if command.at_ms >= breach.at_ms]
    assert late == []
    assert [refusal.guard for refusal in made.refusals()].count("campaign") == 1


# -- flags from outside ------------------------------------------------------------------------

FLAGGED = rule(
    "number-flagged",
    indicator=None,
    event={"on": "number.flagged", "until": "number.cleared"},
    window=None,
    evidence=None,
    levels={"crit": {}},
    action={"suspend": {"until": "cleared"}},
)


@pytest.mark.parametrize(
    ("wave", "pace", "told"),
    [
        (None, 0, 0),  # as shipped: a wave of the rule, and nobody is suspended for it
        ("100000/1h", 0, 0),  # more scopes at once than a rule tells of one by one
        ("100000/1h", 400, 10),  # a thousand of them one by one, a hundred a pool
    ],
)
def test_a_false_batch_of_two_thousand_flags_benches_no_pool_beyond_its_guards(
    tmp_path: Path, wave: str | None, pace: int, told: int
) -> None:
    listed = {f"p{index:02}": numbers(100, f"+86215{index:02}000") for index in range(20)}
    guards = {"max_fraction": "10%", "min_left": 85, "brake_above": "8%"}
    site = site_of(
        tmp_path,
        [FLAGGED | ({} if wave is None else {"wave": wave})],
        numbers={"assume_applied": True, "rate": "10000/1h"},
        pools={name: {"numbers": members} | guards for name, members in listed.items()},
    )
    made = Scene(site)
    everyone = [number for members in listed.values() for number in members]
    for index, number in enumerate(everyone):
        made.event(MINUTE + index * pace, "number.flagged", number=number, by="vendor")
    made.run()
    for members in listed.values():
        out = [number for number in members if made.desk.state(number) not in IN_SERVICE]
        assert len(out) <= 8
    assert [refusal.guard for refusal in made.refusals()] == ["brake"] * told


def test_a_flagged_number_does_not_come_back_by_a_ttl(tmp_path: Path) -> None:
    both = [COMPLAINTS | {"action": {"suspend": {"ttl": "30m"}}}, FLAGGED]
    made = Scene(site_of(tmp_path, both, numbers={"assume_applied": True}))
    number = FORTY[0]
    made.calls(MINUTE, HOUR, MINUTE, number)
    complain(made, number, 30 * MINUTE)
    made.event(32 * MINUTE, "number.flagged", number=number, by="carrier")
    made.event(30 * HOUR, "call.ended", number=FORTY[1], call_id="last")
    made.run()
    assert made.commands("resume") == []
    assert made.desk.state(number) is State.SUSPENDED
    made.event(29 * HOUR, "number.cleared", number=number, by="carrier")
    made.run()
    assert [command.reason for command in made.commands("resume")] == ["cleared"]


def test_a_small_pool_of_three_keeps_what_must_be_left(tmp_path: Path) -> None:
    three = FORTY[:3]
    pools = {"a": {"numbers": three, "max_fraction": "100%", "min_left": 2}}
    site = site_of(tmp_path, [COMPLAINTS], numbers={"assume_applied": True}, pools=pools)
    made = Scene(site)
    for number in three:
        made.calls(MINUTE, HOUR, MINUTE, number)
        complain(made, number, 40 * MINUTE)
    made.run()
    assert len(made.commands()) == 1
    assert {refusal.guard for refusal in made.refusals()} == {"min_left"}


# -- who is to blame ---------------------------------------------------------------------------

TWENTY = FORTY[:20]


def blaming(tmp_path: Path, blame: str, **more: Any) -> Scene:
    """Twenty numbers shared by a bad agent and good ones, and one that is bad with everybody."""
    mine = rule(
        "number-hangup",
        levels={"crit": {"above": "40%", "clear": "20%"}},
        evidence={"method": "raw", "min_of": 30},
        action={"suspend": {"ttl": "2h", "blame": blame}},
    )
    config: dict[str, Any] = {
        "numbers": {"assume_applied": True, "rate": "1000/1h"},
        "pools": {"a": {"numbers": FORTY, "max_fraction": "100%"} | more},
    }
    made = Scene(site_of(tmp_path, [mine], **config))
    for index, number in enumerate(TWENTY):
        made.calls(MINUTE, HOUR, MINUTE, number, share=1.0, agent="bad")
        made.calls(MINUTE + SECOND, HOUR, MINUTE, number, agent=f"good{index % 5}")
    for agent in ("bad", "good1", "good2"):
        made.calls(MINUTE, HOUR, MINUTE, FORTY[30], share=0.9, agent=agent)
    return made.run()


def test_one_bad_agent_across_twenty_numbers_is_named_and_the_numbers_are_spared(
    tmp_path: Path,
) -> None:
    made = blaming(tmp_path, "agent")
    assert [command.number for command in made.commands()] == [FORTY[30]]
    (page,) = made.refusals()
    assert (page.guard, page.number, page.rule) == ("agent", "", "number-hangup")
    assert page.detail.startswith("agent bad is bad on 2")
    assert "other numbers; with others" in page.detail


def test_they_are_no_wave_either(tmp_path: Path) -> None:
    made = blaming(tmp_path, "agent", brake_above="20%")
    assert [refusal.guard for refusal in made.refusals()] == ["agent"]


def test_without_it_the_numbers_rest_for_the_agent(tmp_path: Path) -> None:
    made = blaming(tmp_path, "number")
    assert {command.number for command in made.commands()} == {*TWENTY, FORTY[30]}


@pytest.mark.parametrize(("others", "spared"), [(2, False), (3, True)])
def test_an_agent_who_is_bad_on_two_other_numbers_may_as_well_be_the_number(
    tmp_path: Path, others: int, *, spared: bool
) -> None:
    mine = rule(
        levels={"crit": {"above": "40%"}},
        evidence={"method": "raw", "min_of": 25},
        action={"suspend": {"ttl": "2h", "blame": "agent"}},
    )
    made = Scene(site_of(tmp_path, [mine], numbers={"assume_applied": True}))
    for number in FORTY[1 : others + 1]:
        made.calls(MINUTE, 30 * MINUTE, MINUTE, number, share=1.0, agent="bad", campaign=number)
    made.calls(30 * MINUTE, HOUR, MINUTE, FORTY[0], share=1.0, agent="bad")
    made.calls(30 * MINUTE + SECOND, HOUR, MINUTE, FORTY[0], agent="good")
    made.run()
    assert (FORTY[0] not in {command.number for command in made.commands()}) is spared


def test_blame_is_the_same_in_any_batches_and_after_a_restart(tmp_path: Path) -> None:
    made = blaming(tmp_path, "agent")
    at_once = made.decisions
    assert made.run(batch=77).decisions == at_once
    assert made.run(restart_at=40 * MINUTE).decisions == at_once
