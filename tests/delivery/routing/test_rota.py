"""Whose turn it is, over handovers, clock changes and overrides."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.delivery.routing.rota import Rota
from monitor.delivery.routing.settings import Rotation
from tests.delivery.routing.scene import Scene, at

WEEK = {"people": ["zhang", "li", "wang"], "begins": "2026-11-30", "tz": "Asia/Shanghai"}
BERLIN = {"people": ["zhang", "li"], "every": "day", "begins": "2026-10-24", "tz": "Europe/Berlin"}


def rota(**given: Any) -> Rota:
    return Rota(Rotation.model_validate(given))


@pytest.mark.parametrize(
    ("moment", "person"),
    [
        ("2026-11-30 08:59", "wang"),  # the turn before the first one
        ("2026-11-30 09:00", "zhang"),
        ("2026-12-07 08:59", "zhang"),
        ("2026-12-07 09:00", "li"),
        ("2026-12-14 09:00", "wang"),
        ("2026-12-21 09:00", "zhang"),
        ("2026-11-23 09:00", "wang"),
        ("2026-11-16 09:00", "li"),
    ],
)
def test_weekly_turns(moment: str, person: str) -> None:
    assert rota(**WEEK).person(at(moment)) == person


@pytest.mark.parametrize(
    ("moment", "fold", "person"),
    [
        ("2026-10-24 02:30", 0, "zhang"),
        ("2026-10-25 02:29", 0, "zhang"),
        ("2026-10-25 02:30", 0, "li"),  # clocks show it twice: the first time counts
        ("2026-10-25 02:10", 1, "li"),  # and nobody is called back
        ("2026-10-25 02:30", 1, "li"),
        ("2026-10-26 02:29", 0, "li"),
        ("2026-10-26 02:30", 0, "zhang"),
    ],
)
def test_a_handover_that_clocks_show_twice(moment: str, fold: int, person: str) -> None:
    found = rota(**BERLIN, handover="02:30").person(at(moment, "Europe/Berlin", fold))
    assert found == person


@pytest.mark.parametrize(
    ("moment", "person"),
    [("2027-03-28 01:59", "zhang"), ("2027-03-28 03:30", "li"), ("2027-03-28 12:00", "li")],
)
def test_a_handover_that_clocks_jump_over(moment: str, person: str) -> None:
    turns = rota(**(BERLIN | {"begins": "2027-03-27"}), handover="02:30")
    assert turns.person(at(moment, "Europe/Berlin")) == person


def test_a_turn_has_its_local_hours_when_clocks_change() -> None:
    turn = rota(**BERLIN).at(at("2026-10-25 04:00", "Europe/Berlin"))
    assert turn.person == "zhang"
    assert turn.begins_ms == at("2026-10-24 09:00", "Europe/Berlin")
    assert turn.ends_ms == at("2026-10-25 09:00", "Europe/Berlin")
    assert turn.ends_ms - turn.begins_ms == 25 * 3_600_000


def test_overrides_take_shifts_and_the_later_one_counts() -> None:
    overrides = [
        {"from": "2026-12-01", "until": "2026-12-04", "person": "li"},
        {"from": "2026-12-03", "until": "2026-12-04", "person": "wang"},
    ]
    turns = rota(**WEEK, overrides=overrides)
    for moment, person in (
        ("2026-12-01 08:59", "zhang"),
        ("2026-12-01 09:00", "li"),
        ("2026-12-03 09:00", "wang"),
        ("2026-12-04 08:59", "wang"),
        ("2026-12-04 09:00", "zhang"),
    ):
        assert turns.person(at(moment)) == person
    turn = turns.at(at("2026-12-02 12:00"))
    assert turn == ("li", at("2026-12-01 09:00"), at("2026-12-03 09:00"), True)


def test_somebody_who_takes_every_turn_has_no_end_in_sight() -> None:
    turn = rota(**(WEEK | {"people": ["zhang"]})).at(at("2026-12-02 12:00"))
    assert turn.ends_ms - turn.begins_ms > 600 * 86_400_000


def test_whoever_is_on_duty_is_told_and_the_end_goes_to_whoever_heard() -> None:
    scene = Scene(
        start="2026-12-07 08:50",
        rotations={"floor": WEEK},
        routing=[{"name": "all", "to": ["floor"], "repeat": {"every": "20m"}}],
    )
    first = scene.fire()
    scene.until("2026-12-07 09:11")
    scene.end(first)
    scene.until("2026-12-07 09:12")
    assert scene.heard() == [
        "08:50 zhang alerts 1",
        "09:10 li repeat 1",
        "09:11 zhang alerts 1",
        "09:11 li alerts 1",
    ]
