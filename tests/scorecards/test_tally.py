"""Sums of people and periods against DuckDB, and down to the records."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from monitor.clock import SystemClock
from monitor.errors import UsageError
from monitor.scorecards import tally as sums_module
from monitor.scorecards.figures import Figure
from monitor.scorecards.load import Card
from monitor.scorecards.periods import Period, last_periods, parse_period
from monitor.site import load_site
from monitor.source.files import FileSource
from monitor.source.settings import FilesSettings
from monitor.tally import Read, read, shown_records
from tests.scorecards.events import MARCH, event, floor, write
from tests.scorecards.made import ZONE, card
from tests.simulate.made import MINUTE_MS
from tests.simulate.made import run as simulated
from tests.simulate.made import write as lines

NONE = Figure(Fraction())
MONTHS = last_periods(parse_period("2026-04", ZONE), 2)
FIGURES: dict[str, Any] = {
    "calls": {"value": {"count": "call.ended", "where": "outcome == 'answered'"}},
    "talk": {"value": {"sum": "talk_s", "on": "call.ended"}},
    "amount": {"value": {"sum": "amount", "on": "deal.won"}},
    "csat": {"value": {"mean": "score", "on": "call.rated"}},
    "best": {"value": {"max": "amount", "on": "deal.won"}},
    "worst": {"value": {"min": "amount", "on": "deal.won"}},
    "buyers": {"value": {"distinct": "customer", "on": "deal.won"}},
    "both": {
        "value": {"distinct": "customer", "all": [{"on": "deal.won"}, {"on": "issue.opened"}]}
    },
    "short": {
        "hits": {"count": "call.ended", "where": "outcome == 'answered' and talk_s < 30"},
        "of": {"count": "call.ended", "where": "outcome == 'answered'"},
    },
}
SQL = """
select case when ms < {april} then 0 else 1 end period, agent,
  count(*) filter (type = 'call.ended' and outcome = 'answered') calls,
  coalesce(sum(talk_s), 0)::decimal(18, 4) talk,
  coalesce(sum(amount::decimal(18, 4)), 0) amount,
  sum(score)::bigint csat_hits, count(score) csat_of,
  max(amount::decimal(18, 4)) best, min(amount::decimal(18, 4)) worst,
  count(distinct customer) filter (type = 'deal.won') buyers,
  count(*) filter (type = 'call.ended' and outcome = 'answered' and talk_s < 30) short
from (select *, epoch_ms(time::timestamptz) ms
  from read_json('{path}', format = 'newline_delimited', columns = {{
    type: 'varchar', time: 'varchar', agent: 'varchar', customer: 'varchar', outcome: 'varchar',
    talk_s: 'double', amount: 'varchar', score: 'int'}}))
group by all order by all
"""


def made_card(**over: Any) -> Card:
    lines = [{"id": "pay", "formula": "1", "pays": True}]
    return card(**{"figures": FIGURES, "parameters": {}, "lines": lines, **over})


def tallied(
    path: Path, cards: list[Card], periods: list[Period] | None = None, whose: str | None = None
) -> Read:
    settings = FilesSettings(kind="files", paths=(str(path),))
    source = FileSource(settings, SystemClock())
    return read(load_site(None), source, cards, periods or MONTHS, whose=whose)


@pytest.fixture(scope="module")
def floor_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("floor") / "events.jsonl", floor(MARCH, 45))


def test_sums_are_those_of_duckdb(floor_file: Path) -> None:
    (found,) = tallied(floor_file, [made_card()]).sums
    rows = duckdb.connect().execute(SQL.format(april=MONTHS[1].start_ms, path=floor_file))
    heads = [each[0] for each in rows.description or ()]
    named = [dict(zip(heads, row, strict=True)) for row in rows.fetchall()]
    assert len(named) == 10
    for row in named:
        mine = found[row["period"]].people[row["agent"], ""].figures
        for name in ("calls", "talk", "amount", "best", "worst", "buyers"):
            assert mine[name].value == Fraction(str(row[name])), (name, row)
        assert (mine["csat"].hits, mine["csat"].of) == (row["csat_hits"], row["csat_of"])
        assert (mine["short"].hits, mine["short"].of) == (row["short"], row["calls"])


def test_an_intersection_is_of_the_same_period(floor_file: Path) -> None:
    (found,) = tallied(floor_file, [made_card()]).sums
    sql = """select agent, count(*) from (select agent, customer from read_json_auto('{path}')
      where epoch_ms(time::timestamptz) < {april} group by all
      having bool_or(type = 'deal.won') and bool_or(type = 'issue.opened')) group by all"""
    rows = (
        duckdb.connect().execute(sql.format(april=MONTHS[1].start_ms, path=floor_file)).fetchall()
    )
    assert {name: found[0].people[name, ""].figures["both"].value for name, _ in rows} == dict(rows)


def test_the_records_behind_a_figure_are_its_events(floor_file: Path) -> None:
    made = made_card()
    found = tallied(floor_file, [made], whose="amy")
    of = {name: shown_records(found, each, most=10**6) for name, each in made.formulas.items()}
    april = parse_period("2026-04", ZONE)
    march = found.sums[0][0].people["amy", ""].figures
    for name in ("calls", "amount", "csat", "buyers"):
        count = sum(each.people["amy", ""].figures[name].events for each in found.sums[0])
        assert of[name][0] == count == len(of[name][1])
    dated = [each for each in of["amount"][1] if each["time"] < "2026-03-31T16:00:00Z"]
    assert sum(Fraction(str(each["amount"])) for each in dated) == march["amount"].value
    first = of["amount"][1][0]
    with floor_file.open("rb") as file:
        file.seek(first["offset"])
        line = file.readline().decode()
    assert str(first["amount"]) in line
    assert "deal.won" in line
    assert first["customer"] == "…"
    assert april.days == 30
    assert shown_records(found, made.formulas["amount"], most=2)[1] == of["amount"][1][:2]


def test_the_edges_of_a_month_are_local_midnights(tmp_path: Path) -> None:
    moments = {-1: None, 0: 0, 31 * 86_400_000 - 1: 0, 31 * 86_400_000: 1}
    events = [
        event(n, "deal.won", MARCH + timedelta(milliseconds=ms), "amy", amount=1)
        for n, ms in enumerate(moments)
    ]
    (found,) = tallied(write(tmp_path / "e.jsonl", events), [made_card()]).sums
    assert [each.people["amy", ""].figures["amount"].value for each in found] == [2, 1]


def test_money_is_exact_where_floats_are_not(tmp_path: Path) -> None:
    amounts = ["0.1"] * 10 + ["99999999999.9999", "-0.0001", "1e10", "33.33"]
    events = [
        event(n, "deal.won", MARCH + timedelta(hours=9, seconds=n), "amy", amount=float(text))
        for n, text in enumerate(amounts)
    ]
    (found,) = tallied(write(tmp_path / "e.jsonl", events), [made_card()]).sums
    assert found[0].people["amy", ""].figures["amount"].value == sum(map(Fraction, amounts))


def test_who_changes_teams_is_in_the_last_one_or_split(tmp_path: Path) -> None:
    events = [
        event(1, "deal.won", MARCH + timedelta(days=1), "amy", amount=10),
        event(2, "deal.won", MARCH + timedelta(days=20), "amy", amount=20) | {"team": "blue"},
        event(3, "deal.won", MARCH + timedelta(days=40), "amy", amount=40),
    ]
    path = write(tmp_path / "e.jsonl", events)
    last, split = tallied(path, [made_card(), made_card(team_changes="split")]).sums
    amy = last[0].people["amy", ""]
    assert amy.figures["amount"].value == 30
    assert (amy.team, amy.teams) == ("blue", ("red", "blue"))
    found = {part: each.figures["amount"].value for part, each in split[0].people.items()}
    assert found == {("amy", "red"): 10, ("amy", "blue"): 20}
    assert last[1].people["amy", ""].team == "red"


def test_time_in_a_state_is_cut_at_the_edges_of_the_period(tmp_path: Path) -> None:
    # ready from an hour before March to two hours in it; then talking; ready, and heard no more.
    states = [(-3600, "ready"), (7200, "talking"), (9000, "ready")]
    events = [
        event(n, "agent.state", MARCH + timedelta(seconds=s), "amy", state=state)
        for n, (s, state) in enumerate(states)
    ] + [event(9, "deal.won", MARCH + timedelta(days=3), "amy", amount=1)]
    figures = {"ready": {"value": {"seconds_in": "agent.state", "where": "state == 'ready'"}}}
    (found,) = tallied(write(tmp_path / "e.jsonl", events), [made_card(figures=figures)]).sums
    ready = found[0].people["amy", ""].figures["ready"]
    assert ready.value == 7200 + 12 * 3600
    assert ready.events == 2
    assert not found[1].people


def test_what_was_refused_is_said(tmp_path: Path) -> None:
    late = event(2, "deal.won", MARCH + timedelta(days=1), "amy", amount=1)
    events = [
        event(1, "deal.won", MARCH + timedelta(days=2), "amy", amount=1),
        event(3, "deal.won", MARCH + timedelta(days=2, minutes=1), "amy", amount=1),
        late,
        event(4, "deal.won", MARCH + timedelta(days=2, minutes=2), "amy", amount="much"),
    ]
    (found,) = tallied(write(tmp_path / "e.jsonl", events), [made_card()]).sums
    told = " ".join(found[0].remarks)
    assert "records were refused, and are in no figure" in told
    assert "the log begins at 2026-03-02T16:00:00Z" in told


def test_an_empty_log_is_said(tmp_path: Path) -> None:
    (found,) = tallied(write(tmp_path / "e.jsonl", []), [made_card()], whose="amy").sums
    assert found[0].remarks == ["the log holds no record at all"]


def test_memory_has_bounds(floor_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums_module, "VALUES_MAX", 10)
    with pytest.raises(UsageError, match="more than 10 different values"):
        tallied(floor_file, [made_card()])
    monkeypatch.setattr(sums_module, "STATES_MAX", 1)
    tally = sums_module.Tally(
        made_card(
            figures={"ready": {"value": {"seconds_in": "agent.state", "where": "state == 'ready'"}}}
        ).formulas,
        MONTHS,
    )
    rows = pl.DataFrame(
        {
            "type": ["agent.state"] * 2, "time": [MONTHS[0].start_ms] * 2, "agent": ["amy"] * 2,
            "team": ["red"] * 2, "state": ["ready"] * 2,
        }
    )  # fmt: skip
    with pytest.raises(UsageError, match="more than 1 states"):
        tally.add(rows)


def test_a_simulated_call_centre_has_the_sums_of_duckdb(tmp_path: Path) -> None:
    figures: dict[str, Any] = {
        "calls": {"value": {"count": "call.ended"}},
        "talk": {"value": {"sum": "talk_s + wrap_s", "on": "call.ended"}},
        "reached": {"value": {"distinct": "customer", "on": "call.ended"}},
        "talking": {"value": {"seconds_in": "agent.state", "where": "state == 'talking'"}},
    }
    made = made_card(figures=figures)
    run = simulated("normal-day", duration_ms=20 * MINUTE_MS)
    path = lines(run.records, tmp_path / "events.jsonl")
    (sums,) = tallied(path, [made], [parse_period("2026-11-22", ZONE)]).sums[0]
    rows = run.ask(
        """select agent, count(*), sum(coalesce(talk_s::decimal(18, 4), 0) +
          coalesce(wrap_s::decimal(18, 4), 0)), count(distinct customer)
        from calls where agent is not null group by all"""
    )
    assert len(rows) > 10
    for agent, calls, talk, reached in rows:
        mine = sums.people[agent, ""].figures
        found = [mine.get(name, NONE).value for name in ("calls", "talk", "reached")]
        assert found == [calls, Fraction(str(talk)), reached]
    states = run.ask(
        """select agent, sum(ends - t) from (select agent, state, t, least(t + 43200000,
          lead(t, 1, (select max(t) from events)) over (partition by agent order by t)) ends
        from events where type = 'agent.state') where state = 'talking' group by all"""
    )
    spent = {agent: sums.people[agent, ""].figures["talking"].value for agent, _ in states}
    assert spent == {agent: Fraction(int(ms), 1000) for agent, ms in states}
