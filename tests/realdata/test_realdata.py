"""Replays of published data sets give what a plain computation over the tables gives."""

from __future__ import annotations

import os
from calendar import monthrange
from pathlib import Path

import pytest

from tests.realdata import figures as shown
from tests.realdata import oracle, replays
from tests.realdata.replays import Figures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.untraced]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = replays.missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    if missing:
        pytest.skip(missing)
    return tmp_path_factory.mktemp("realdata")


@pytest.fixture(scope="module")
def telephone(folder: Path) -> Figures:
    return replays.telephone(folder)


@pytest.fixture(scope="module")
def bank(folder: Path) -> Figures:
    return replays.bank(folder)


def differences(ours: Figures, theirs: Figures) -> list[str]:
    return [
        f"{key}: {ours.get(key)}, not {theirs.get(key)}"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    ]


def test_every_figure_of_the_telephone_records(telephone: Figures) -> None:
    moments = {at for at, *_ in telephone}
    assert len(moments) > 1_000
    assert "2016-09-30T18:30:00Z" in moments  # a month is judged at its very end
    assert differences(telephone, oracle.telephone(moments)) == []


def test_odd_spellings_are_one_number(telephone: Figures) -> None:
    # "(08214175)358", "97424 22395" and "1408371942" as published.
    scopes = {part for _, name, _, scope in telephone if name == "redials" for part in scope}
    assert {"+918214175358", "+919742422395", "+911408371942"} <= scopes
    assert all(part.startswith("+91") and part[1:].isdigit() for part in scopes)


def test_the_banks_figures_on_every_evening(bank: Figures) -> None:
    evenings = {key: value for key, value in bank.items() if oracle.is_evening(key[0])}
    moments = {at for at, *_ in evenings}
    assert len(moments) > 1_000
    assert differences(evenings, oracle.bank(moments)) == []


def test_the_banks_months_are_whole_at_their_end(bank: Figures) -> None:
    # A calendar month is judged at midnight in Lisbon, 23:00 UTC in summer, with all its days.
    months = oracle.bank_months()
    assert (months[0], months[-1], len(months)) == ((2008, 5), (2010, 11), 30)
    ends = {(y, m): shown.month_end(bank, y, m) for y, m in months[:-1]}
    last = {at: f"{y}-{m:02}-{monthrange(y, m)[1]}T22:00:00Z" for (y, m), at in ends.items()}
    expected = oracle.bank(last.values())
    for at, evening in last.items():
        ours = {key[1:]: value for key, value in bank.items() if key[0] == at}
        theirs = {key[1:]: value for key, value in expected.items() if key[0] == evening}
        month = [key for key in theirs if key[1] == "month@Europe/Lisbon"]
        assert len(month) >= 3
        assert {key: ours.get(key) for key in month} == {key: theirs[key] for key in month}


def test_the_page_shows_these_figures(telephone: Figures, bank: Figures) -> None:
    page = shown.PAGE.read_text(encoding="utf-8")
    page = shown.fill(page, "telephone", shown.telephone(telephone))
    page = shown.fill(page, "bank", shown.bank(bank, oracle.bank_months()))
    assert page == shown.PAGE.read_text(encoding="utf-8"), "run: python -m tests.realdata.figures"
