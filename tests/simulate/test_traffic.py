"""What was planted is measured in the records, by DuckDB and not by us."""

from __future__ import annotations

from math import sqrt

import numpy as np
import polars as pl
import pytest

from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.shift import busy_s, profile
from monitor.simulate.simulation import simulate
from monitor.simulate.truth import HEALTHY
from tests.simulate.made import MINUTE_MS, START_MS, made, run


def within(found: float, stated: float, of: int, sigmas: float = 4.5) -> bool:
    """Whether a share of ``of`` trials may be a draw from ``stated``."""
    return abs(found - stated) <= sigmas * sqrt(stated * (1 - stated) / of)


BY_NUMBER = "SELECT number, count(*), avg(short::int) FROM answered"


def test_healthy_numbers_lie_clearly_below_the_thresholds() -> None:
    rows = run("normal-day").ask(f"{BY_NUMBER} GROUP BY 1")
    assert len(rows) == 40
    assert all(of >= 80 for _, of, _ in rows)
    assert max(share for _, _, share in rows) < 0.30
    total = sum(of for _, of, _ in rows)
    hangups = sum(of * share for _, of, share in rows) / total
    assert within(hangups, HEALTHY.hangup, total)
    ((calls, answered),) = run("normal-day").ask(
        "SELECT count(*), avg((outcome = 'answered')::int) FROM calls"
    )
    assert within(answered, HEALTHY.answer, calls)


@pytest.mark.parametrize("scenario", ["number-going-bad", "late-and-duplicate"])
def test_planted_numbers_are_as_bad_as_stated_from_when_it_is_stated(scenario: str) -> None:
    done = run(scenario)
    truth = done.simulation.truth
    assert len(truth.planted) == 2
    assert truth.should_suspend == [item.name for item in truth.planted]
    for item in truth.planted:
        ours = f"{BY_NUMBER} WHERE number = '{item.name}'"
        ((_, of, bad),) = done.ask(f"{ours} AND s >= {item.from_ms} GROUP BY 1")
        assert of >= 100, "enough to be found out within the scenario"
        assert within(bad, item.rates.hangup, of)
        ((_, of, good),) = done.ask(f"{ours} AND s < {item.from_ms} GROUP BY 1")
        assert within(good, HEALTHY.hangup, of)
    others = done.ask(f"{BY_NUMBER} WHERE number NOT IN {tuple(truth.should_suspend)} GROUP BY 1")
    assert max(share for _, _, share in others) < 0.32


def test_two_thousand_numbers_have_planted_ones_that_can_be_found() -> None:
    simulation = made("number-going-bad", rate=56.0, numbers=2_000)
    planted = simulation.truth.planted
    assert len({item.name for item in planted}) == 20
    pools = simulation.truth.pools
    for members in pools.values():
        ours = [item for item in planted if item.name in members]
        assert len(ours) <= len(members) // 20
        calls_per_h = 56.0 * 3_600 / 3.1 / len(pools)
        assert all((item.share or 0) * calls_per_h * item.rates.answer > 80 for item in ours)


def test_a_wave_is_over_the_whole_campaign_and_no_other() -> None:
    done = run("complaint-wave", rate=30.0)
    (wave,) = done.simulation.truth.planted
    assert done.simulation.truth.should_suspend == []
    assert done.simulation.truth.may_suspend == done.simulation.truth.pools[wave.name]
    counting = "category IN ('unsolicited', 'content')"
    rows = done.ask(
        f"SELECT campaign, count(*), count(c.call_id) FROM calls LEFT JOIN (SELECT DISTINCT call_id"
        f" FROM events WHERE type = 'complaint.filed' AND {counting}) c USING (call_id)"
        f" WHERE epoch_ms(started_at) BETWEEN {wave.from_ms} AND {wave.until_ms - 20 * MINUTE_MS}"
        " GROUP BY 1"
    )
    rates = {campaign: (hits / of, of) for campaign, of, hits in rows}
    found, of = rates.pop(wave.name)
    # A few of the last calls' complaints come after the end.
    assert within(found, wave.rates.complaint * 0.95, of)
    assert all(rate < 0.004 for rate, _ in rates.values())
    late = done.ask(
        "SELECT min(f.t - c.t), count(*) FROM events f JOIN calls c USING (call_id)"
        " WHERE f.type = 'complaint.filed'"
    )
    assert late[0][0] >= MINUTE_MS


def test_feedback_has_no_owner_of_its_own() -> None:
    done = run("complaint-wave", rate=30.0)
    ((rows, owned),) = done.ask(
        "SELECT count(*), count(coalesce(number, agent, team, campaign)) FROM events"
        " WHERE type IN ('complaint.filed', 'call.rated')"
    )
    assert rows > 100
    assert owned == 0


def test_one_bad_agent_spoils_no_number() -> None:
    done = run("bad-agent")
    (item,) = done.simulation.truth.planted
    ((_, of, bad),) = done.ask(
        "SELECT agent, count(*), avg(short::int) FROM answered"
        f" WHERE agent = '{item.name}' GROUP BY 1"
    )
    assert within(bad, item.rates.hangup, of)
    assert max(share for _, _, share in done.ask(f"{BY_NUMBER} GROUP BY 1")) < 0.30
    assert done.simulation.truth.should_suspend == []


def test_flags_come_when_stated_and_the_number_goes_unanswered() -> None:
    done = run("flagged-number")
    truth = done.simulation.truth
    told = done.ask(
        "SELECT type, number, t, \"by\", campaign FROM events WHERE type LIKE 'number.%'"
    )
    stated = [("number.flagged", p.name, p.from_ms, p.flagged_by, None) for p in truth.planted]
    first = truth.planted[0]
    assert first.cleared_ms is not None
    stated.append(("number.cleared", first.name, first.cleared_ms, first.flagged_by, None))
    assert sorted(told) == sorted(stated)
    assert [item.cleared_ms for item in truth.planted[1:]] == [None] * (len(truth.planted) - 1)
    item = truth.planted[1]
    ((of, answered, blocked),) = done.ask(
        "SELECT count(*), avg((outcome = 'answered')::int), avg((outcome = 'blocked')::int)"
        f" FROM calls WHERE number = '{item.name}' AND epoch_ms(started_at) >= {item.from_ms}"
    )
    assert within(answered, item.rates.answer, of)
    assert within(blocked, (1 - item.rates.answer) * item.rates.blocked, of)


def test_nobody_works_in_a_silence() -> None:
    done = run("quiet-night", duration_ms=180 * MINUTE_MS)
    ((begin, end),) = done.simulation.truth.silences
    ((started,),) = done.ask(
        f"SELECT count(*) FROM calls WHERE epoch_ms(started_at) BETWEEN {begin} AND {end}"
    )
    assert started == 0
    quiet = f"t BETWEEN {begin + 40 * MINUTE_MS} AND {end - 1}"
    assert done.ask(f"SELECT count(*) FROM events WHERE {quiet}") == [(0,)]
    ((before, after),) = done.ask(
        f"SELECT sum((t < {begin})::int), sum((t >= {end})::int) FROM calls"
    )
    assert min(before, after) > 500
    # All have signed out.
    states = f"events WHERE type = 'agent.state' AND t < {end}"
    assert set(done.ask(f"SELECT arg_max(state, t) FROM {states} GROUP BY agent")) == {("offline",)}


def test_an_agent_makes_one_call_at_a_time() -> None:
    overlaps = run("normal-day").ask(
        "SELECT count(*) FROM (SELECT t + wrap_s * 1000 AS free,"
        " lead(s) OVER (PARTITION BY agent ORDER BY s) AS next FROM answered) WHERE next < free"
    )
    assert overlaps == [(0,)]


def test_agents_spend_about_six_tenths_in_effective_talk() -> None:
    end = START_MS + 60 * MINUTE_MS
    ((talk, signed_in),) = run("normal-day").ask(
        "SELECT (SELECT sum(talk_s) FROM answered WHERE talk_s >= 120 AND need_captured),"
        " (SELECT sum(d) / 1000 FROM (SELECT state,"
        f" lead(t, 1, {end}) OVER (PARTITION BY agent ORDER BY t) - t AS d"
        " FROM events WHERE type = 'agent.state') WHERE state <> 'offline')"
    )
    assert 0.52 < talk / signed_in < 0.68


def test_efficiency_and_experience_are_on_target() -> None:
    done = run("normal-day")
    ((logged, score),) = done.ask(
        "SELECT (SELECT sum(auto::int) FROM events WHERE type = 'followup.logged')"
        " / (SELECT count(*) FROM calls), (SELECT avg(score) FROM events WHERE type = 'call.rated')"
    )
    assert 0.93 < logged < 0.98
    assert 4.3 < score < 4.6


def test_the_first_minutes_are_like_the_others() -> None:
    # Without a warm-up the first calls to end would all be short ones.
    first, rest = (
        run("normal-day").ask(f"SELECT count(*), avg(short::int) FROM answered WHERE t {span}")[0]
        for span in (f"< {START_MS + 5 * MINUTE_MS}", f">= {START_MS + 5 * MINUTE_MS}")
    )
    assert within(first[1], rest[1], first[0], 3.5)


def test_nobody_is_called_more_often_than_allowed() -> None:
    most = run("number-going-bad").ask(
        "SELECT max(n) FROM (SELECT count(*) AS n FROM calls GROUP BY number, customer)"
    )
    assert most[0][0] <= 2


def test_preheated_customers_read_an_sms_before() -> None:
    later = START_MS + 30 * MINUTE_MS
    ((preheated, warmed),) = run("normal-day").ask(
        "WITH read AS (SELECT customer, min(t) AS t FROM events WHERE type = 'sms.consented'"
        " GROUP BY 1) SELECT count(*), sum((read.t < epoch_ms(started_at))::int) FROM calls"
        f" LEFT JOIN read USING (customer) WHERE sms_preheated AND calls.t > {later}"
    )
    assert preheated > 100
    assert warmed / preheated > 0.9  # the others read it before the start


def test_the_organisation_is_a_tree() -> None:
    done = run("normal-day")
    for inner, outer in (
        ("agent", '"group"'),
        ('"group"', "team"),
        ("agent", "campaign"),
        ("number", "campaign"),
    ):
        most = done.ask(
            f"SELECT max(n) FROM (SELECT count(DISTINCT {outer}) AS n FROM calls GROUP BY {inner})"
        )
        assert most == [(1,)]


def test_a_day_has_a_shape() -> None:
    hours = np.arange(24) * 3_600_000 + START_MS  # from nine in the morning on
    busy = profile(hours)
    assert busy.argmax() in {1, 6}
    assert busy[13] < 0.05, "22 h"
    assert busy[3] < busy[1], "lunch"
    assert 90 < busy_s() < 120


def test_every_scenario_names_itself() -> None:
    assert all(scenario.title for scenario in SCENARIOS.values())
    planned = {name: made(name).truth for name in SCENARIOS}
    for name, truth in planned.items():
        assert truth.scenario == name
        known = {number for pool in truth.pools.values() for number in pool}
        assert set(truth.should_suspend) | set(truth.may_suspend) <= known


def test_two_runs_of_one_seed_share_no_ids() -> None:
    """Live runs into one topic: the second is new traffic, not copies of the first."""

    def ids(start_ms: int, column: str) -> set[str]:
        made = simulate("normal-day", start_ms=start_ms, duration_ms=600_000, rate=20)
        lines = pl.concat(list(made.chunks()))["line"]
        return set(lines.str.json_path_match(f"$.{column}").drop_nulls())

    for column in ("id", "call_id"):
        first, second = ids(START_MS, column), ids(START_MS + 1, column)
        assert len(first) > 100
        assert not first & second, column
        assert first == ids(START_MS, column), "the same start gives the same"
