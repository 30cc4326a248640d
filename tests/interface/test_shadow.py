"""Reports of rules in shadow over HTTP: counts, cases, customers, how often they are made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.decisions import Alert, Command
from monitor.snapshot import Board
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from monitor.web import shadow_api
from monitor.web.application import API
from monitor.web.office import Office
from monitor.web.problems import ProblemError
from tests.interface.reading import CUSTOMER, NOW, NUMBER, Site, alert, site_at
from tests.shadow.made import FIGURES, SITE

AT = f"{API}/shadow"
HOUR = 3_600_000
TRIED = alert("trial", NUMBER, begun_ms=NOW - 30 * HOUR, shadow=True)
YOUNG = alert(
    "trial", (("number", "+862150000001"), ("customer", CUSTOMER)), level="warn",
    begun_ms=NOW - HOUR, shadow=True,
)  # fmt: skip
WOULD = Command(
    TRIED.at_ms, "a" * 32, "suspend", NUMBER[0][1], NOW, "admitted", "trial", TRIED.episode,
    TRIED.figures, TRIED.evidence, shadow=True,
)  # fmt: skip
REAL = alert("real", NUMBER, begun_ms=NOW - 28 * HOUR)
DONE = Command(
    REAL.at_ms, "b" * 32, "suspend", NUMBER[0][1], NOW, "admitted", "real", REAL.episode,
    REAL.figures, REAL.evidence,
)  # fmt: skip
ALL: tuple[Alert | Command, ...] = (TRIED, WOULD, REAL, DONE, YOUNG)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_at(tmp_path_factory.mktemp("shadow"), rate="100000/1m") as made:
        made.record(*ALL)
        yield made


def test_all_rules_in_shadow_with_counts_and_no_cases(site: Site) -> None:
    found = site.ask(AT).json()["reports"]
    assert [row["rule"] for row in found] == [rule.id for rule in SITE if rule.shadow]
    (trial,) = [row for row in found if row["rule"] == "trial"]
    assert (trial["episodes"], trial["suspensions"], trial["scopes"]) == (2, 1, 2)
    assert (trial["by_level"], trial["open"], trial["nothing"]) == ({"warn": 1, "crit": 1}, 1, 0)
    assert trial["followed"] == {"suspended": 1, "alerted": 1}
    assert all("cases" not in row for row in found)
    assert CUSTOMER not in site.ask(AT, "admin").text


def test_one_rule_with_its_cases_and_customers_masked(site: Site) -> None:
    answer = site.ask(f"{AT}/trial", "operator")
    young, old = answer.json()["cases"]
    assert CUSTOMER not in answer.text
    assert young["scope"] == {"number": "+862150000001", "customer": "+8613…78"}
    assert (young["open"], young["after"], young["suspends"]) == (True, [], False)
    assert (old["suspends"], old["kind"], old["episode"]) == (True, "ratio", TRIED.episode)
    assert {each["what"]: each["after_s"] for each in old["after"]} == {
        "suspended": 7_200, "alerted": 7_200,
    }  # fmt: skip


def test_customers_in_full_are_for_admins(site: Site) -> None:
    assert site.ask(f"{AT}/trial?customers=true", "operator").status_code == 403
    assert CUSTOMER in site.ask(f"{AT}/trial?customers=true", "admin").text
    assert CUSTOMER not in site.ask(f"{AT}/trial", "admin").text
    told = site.ask("/api/v1/audit?limit=10", "admin").json()
    read = [each for each in told["entries"] if each["action"] == "read customers in full"]
    assert [each["target"] for each in read] == ["trial"]


def test_how_far_back_and_how_long_after(site: Site) -> None:
    found = site.ask(f"{AT}/trial?days=1").json()
    assert [case["episode"] for case in found["cases"]] == [YOUNG.episode]
    assert site.ask(f"{AT}/trial?after_hours=1").json()["followed"] == {}
    for wrong in ("days=0", "days=32", "after_hours=0", "after_hours=169"):
        assert site.ask(f"{AT}?{wrong}").status_code == 422


def test_a_rule_that_acts_has_a_report_and_one_that_is_not_there_has_none(site: Site) -> None:
    assert site.ask(f"{AT}/real").json()["status"] == "active"
    assert site.ask(f"{AT}/none").status_code == 404


# --- made one at a time, kept for a minute ------------------------------------------------------


class Asked:
    """An office that counts what it is asked."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock(NOW)
        settings = StoreSettings(path=path / "monitor.db")
        with Store.open(settings, self.clock):
            pass
        self._office = Office(Board(), settings, "CN", self.clock)
        self.count, self.asked = 0, asyncio.Event()
        self.close = self._office.close

    async def ask(self, work: Any) -> Any:
        self.count += 1
        self.asked.set()
        return await self._office.ask(work)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Any]:
    made = Asked(tmp_path)
    yield made
    made.close()


def made_of(rules: Any = SITE) -> shadow_api.Shadows:
    return shadow_api.Shadows(lambda: (rules, FIGURES))


def test_many_who_ask_at_once_are_answered_by_one_reading(office: Any) -> None:
    async def ask() -> None:
        shadows = made_of()
        await asyncio.gather(*(shadows.all(office, 7, 24) for _ in range(5)))
        await shadows.one(office, "trial", 7, 24)
        assert office.count == 1
        office.clock.advance(shadow_api.KEPT_MS)
        await shadows.one(office, "trial", 7, 24)
        assert office.count == 2

    asyncio.run(ask())


def test_rules_that_were_read_again_are_asked_about_anew(office: Any) -> None:
    site = [SITE]

    async def ask() -> None:
        shadows = shadow_api.Shadows(lambda: (site[0], FIGURES))
        before = len(await shadows.all(office, 7, 24))
        site[0] = SITE[:1]
        assert (before, len(await shadows.all(office, 7, 24))) == (3, 1)

    asyncio.run(ask())


def test_so_many_answers_are_kept(office: Any) -> None:
    async def ask() -> None:
        shadows = made_of()
        for days in range(1, shadow_api.KEPT_MAX + 2):
            await shadows.all(office, days, 24)
        await shadows.all(office, 2, 24)
        assert office.count == shadow_api.KEPT_MAX + 1
        await shadows.all(office, 1, 24)
        assert office.count == shadow_api.KEPT_MAX + 2

    asyncio.run(ask())


def test_who_leaves_is_not_followed_by_a_second_reading(office: Any) -> None:
    async def ask() -> None:
        shadows = made_of()
        gone = asyncio.ensure_future(shadows.all(office, 7, 24))
        await office.asked.wait()
        gone.cancel()
        await shadows.all(office, 7, 24)
        assert gone.cancelled()
        assert office.count == 1

    asyncio.run(ask())


def test_where_nobody_says_which_rules_there_are(office: Any) -> None:
    with pytest.raises(ProblemError) as raised:
        asyncio.run(shadow_api.Shadows(None).all(office, 7, 24))
    assert raised.value.status == 503
