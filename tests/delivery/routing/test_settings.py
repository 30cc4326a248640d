"""Faults in what `delivery:` says of people: file, line, column, and the mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.delivery.unheard import unheard
from monitor.errors import ConfigError
from monitor.site import load_site
from tests.delivery.routing.scene import settings_of

HEAD = """\
version: 1
delivery:
  receivers:
    ding: {type: webhook, url: "http://127.0.0.1/x"}
    crm: {type: kafka, topic: crm.commands}
  people:
    zhang: {receivers: [ding]}
"""


ROTA = "people: [zhang], begins: 2026-11-30"
COVER = "overrides: [{from: 2026-12-02, until: 2026-12-01, person: zhang}]"
STEPS = "escalate: [{after: 5m, to: [ding]}, {after: 5m, to: [ding]}]"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("routing: [{name: a, to: [lee]}]", "lee", "no person, rotation or receiver lee (one of: "),
        ("routing: [{name: a, to: [crm]}]", "crm", "crm takes orders only"),
        ("routing: [{name: default, to: []}]", "default", "default is a route of its own"),
        ("routing: [{name: a, to: []}, {name: aa, to: []}]", "", ""),
        ("routing: [{to: [], name: b}, {to: [], name: b}]", "b}]", "two routes are called b"),
        (f"routing: [{{name: a, to: [], {STEPS}}}]", "[{after", "steps come one after the other"),
        ("routing: [{name: a, to: [], otherwise: hold}]", "hold", "`hold` goes with hours"),
        ("routing: [{name: a, to: [], repeat: {every: 10s}}]", "10s", "greater than or equal"),
        ("routing: [{name: a, to: [], match: {Rule: x}}]", "Rule", "unknown key"),
        ("routing: [{name: a, to: [], grup_by: [team]}]", "grup_by", "group_by"),
        ("at_most: 0/1h", "0/1h", "nobody would ever be told"),
        (f"rotations: {{ding: {{{ROTA}, tz: UTC}}}}", "{people", "also the name of a receiver"),
        (
            "rotations: {f: {people: [lee], begins: 2026-11-30, tz: UTC}}",
            "lee",
            "there is no person lee (one of: zhang)",
        ),
        (f"rotations: {{f: {{{ROTA}, tz: Mars/Base}}}}", "Mars", "no time zone 'Mars/Base'"),
        (f"rotations: {{f: {{{ROTA}, tz: UTC, handover: '24:00'}}}}", "'24", "24:00 is 00:00"),
        (f"rotations: {{f: {{{ROTA}, tz: UTC, {COVER}}}}}", "2026-12-01", "ends before it begins"),
    ],
)
def test_a_fault_has_its_place(tmp_path: Path, text: str, place: str, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"{HEAD}  {text}\n")
    if not place:
        assert load_site(path).config.delivery.routing
        return
    with pytest.raises(ConfigError) as caught:
        load_site(path)
    (problem,) = caught.value.problems
    assert said in str(problem)
    assert problem.line == 8
    assert text[problem.column - 3 :].startswith(place), text[problem.column - 3 :]


def test_a_person_may_not_be_called_as_a_receiver_nor_a_receiver_as_routing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        HEAD.replace("    crm:", "    routing: {type: log}\n    crm:")
        + "    ding: {receivers: [dong], at_most: 0/1h}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_site(path)
    said = [problem.message for problem in caught.value.problems]
    assert said == [
        "routing is the name of a built-in receiver",
        "ding is also the name of a receiver",
        "there is no receiver dong",
        "nobody would ever be told",
    ]


LOGGED = "refusals, and the one page of a wave, that no route takes go by the route"
PAGED = {"routes": {"operations": {"receivers": ["ops"]}}}
EVERYTHING = {"name": "all", "to": ["zhang"]}
ALERTS: dict[str, Any] = EVERYTHING | {"match": {"kind": "alert"}}
DAY = {"tz": "UTC", "from": "09:00", "to": "18:00"}


@pytest.mark.parametrize(
    ("delivery", "said"),
    [
        ({}, []),  # without routes to people the log is what was asked for
        ({"routing": [EVERYTHING]}, []),
        ({"routing": [ALERTS]}, ["error routing"]),
        ({"routing": [ALERTS, EVERYTHING | {"name": "pages", "match": {"kind": "refusal"}}]}, []),
        (
            {"routing": [ALERTS], "routes": {"operations": {"receivers": ["log"]}}},
            ["error routes.operations"],
        ),
        ({"routing": [ALERTS], "refusals": "night", **PAGED}, ["error routing"]),
        ({"routing": [EVERYTHING], "default": ["log", "ops"]}, []),
        ({"routing": [EVERYTHING], **PAGED}, []),
        ({"routing": [EVERYTHING | {"match": {"level": "crit"}}], **PAGED}, ["warning routing"]),
        ({"routing": [EVERYTHING | {"hours": DAY}], **PAGED}, ["warning routing"]),
        ({"routing": [EVERYTHING | {"hours": DAY, "otherwise": "hold"}], **PAGED}, []),
        ({"routing": [EVERYTHING | {"to": []}], **PAGED}, ["warning routing"]),
        ({"routing": [EVERYTHING | {"hours": DAY}], "default": ["ops"]}, []),
    ],
)
def test_where_the_log_alone_would_hear_it_is_said(
    delivery: dict[str, Any], said: list[str]
) -> None:
    found = list(unheard(settings_of(**delivery)))
    assert [f"{each.severity} {'.'.join(map(str, each.fault.loc))}" for each in found] == said
    assert all((LOGGED in each.fault.message) == (each.severity == "error") for each in found)
