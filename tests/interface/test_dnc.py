"""The do-not-call list over HTTP: who sees what, and what is left for the daemon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.decisions import ListAction
from monitor.events.settings import EventSettings
from monitor.logs import mask_customer
from monitor.snapshot import Board
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from monitor.web import dnc_api, requested
from monitor.web.application import API, Part
from monitor.web.office import Office
from tests.interface.serving import Served, serving
from tests.store.made import CUSTOMER, listing

NOW = 1_763_776_800_000
PATH = "/api/v1/do-not-call"
OTHER = "+8613912345699"


@contextmanager
def office(root: Path) -> Iterator[tuple[Served, Store]]:
    settings = StoreSettings(path=root / "monitor.db")
    clock = ManualClock(NOW)
    desk = Office(Board(), settings, "CN", clock)
    parts = (
        Part(dnc_api.router, PATH, {"office": desk, "events": EventSettings()}),
        Part(requested.router, f"{API}/requests"),
    )
    with Store.open(settings, clock) as store, serving(*parts) as served:
        store.record(Recording([listing(), listing(customer="=HYPERLINK(1)", reason="person")]))
        yield served, store
    desk.close()


def post(served: Served, what: str, role: str, **body: Any) -> Any:
    return served.ask(f"{PATH}/{what}", role, "POST", json={"why": "asked", **body})


@pytest.mark.parametrize("customer", [CUSTOMER, "c-123456", "zhang-san"])
def test_a_customer_in_a_path_that_is_nobodys_is_not_written_down(
    tmp_path: Path, customer: str
) -> None:
    with office(tmp_path) as (served, _), capture_logs() as said:
        answer = served.ask(f"{PATH}/{customer}/remove", "operator", "POST", json={})
        assert answer.status_code == 404
    (deed,) = [each for each in said if each["event"] == "web_action"]
    assert deed["action"] == f"POST {PATH}/{mask_customer(customer)}/remove"
    assert customer not in str(deed)


def test_the_list_is_masked_unless_an_admin_asks(tmp_path: Path) -> None:
    with office(tmp_path) as (served, _):
        page = served.ask(PATH).json()
        assert page["count"] == 2
        assert [entry["customer"] for entry in page["entries"]] == ["+8613…78", "=H…"]
        assert page["next"] is None
        assert served.ask(f"{PATH}?customers=true").status_code == 403
        assert served.ask(f"{PATH}?after=x").status_code == 403
        first = served.ask(f"{PATH}?customers=true&limit=1", "admin").json()
        assert first["entries"][0]["customer"] == first["next"] == CUSTOMER
        rest = served.ask(PATH, "admin", params={"after": first["next"], "customers": True}).json()
        assert [entry["customer"] for entry in rest["entries"]] == ["=HYPERLINK(1)"]


def test_asking_about_customers_in_any_spelling(tmp_path: Path) -> None:
    with office(tmp_path) as (served, _):
        asked = {"customers": ["139 1234 5678", OTHER]}
        answer = served.ask(f"{PATH}/check", method="POST", json=asked)
        assert answer.json() == {"listed": [True, False]}


def test_customers_are_left_for_the_daemon(tmp_path: Path) -> None:
    with office(tmp_path) as (served, store):
        answer = post(served, "add", "operator", customers=["139 1234 5699"], **{"for": "1d"})
        assert answer.status_code == 202
        (claimed,) = store.requests.claim(60_000)
        action = claimed.action
        assert isinstance(action, ListAction)
        assert action.customers == (OTHER,)
        assert (action.who, action.source, action.why) == ("a-operator", "api", "asked")
        assert action.until_ms == NOW + 86_400_000
        place = answer.headers["location"]
        assert served.ask(place).json()["status"] == "taken"
        added = listing(60_000, customer=OTHER, request=action.id)
        store.record(Recording([added], judged_to_ms=60_000))
        assert served.ask(place).json()["words"].startswith("done: 1 of 1 changed")


def test_the_same_request_again_counts_once(tmp_path: Path) -> None:
    with office(tmp_path) as (served, store):
        key = {"Idempotency-Key": "k"}
        for _ in range(2):
            body = {"why": "asked", "customers": [OTHER]}
            answer = served.ask(f"{PATH}/add", "operator", "POST", json=body, headers=key)
            assert answer.status_code == 202
        other = served.ask(
            f"{PATH}/add", "operator", "POST", json=body | {"why": "else"}, headers=key
        )
        assert other.status_code == 409
        assert store.requests.waiting() == 1


@pytest.mark.parametrize(
    ("what", "role", "body", "status"),
    [
        ("add", "viewer", {"customers": [OTHER]}, 403),
        ("remove", "operator", {"customers": [OTHER]}, 403),
        ("remove", "admin", {"customers": [OTHER], "for": "1d"}, 422),
        ("remove", "admin", {"customers": [OTHER]}, 202),
        ("add", "operator", {"customers": []}, 422),
        ("add", "operator", {"customers": ["x"] * 201}, 422),
        ("add", "operator", {"customers": [" "]}, 422),
        ("add", "operator", {"customers": ["a\nb"]}, 422),
    ],
)
def test_who_may_ask_for_what(
    tmp_path: Path, what: str, role: str, body: dict[str, Any], status: int
) -> None:
    with office(tmp_path) as (served, _):
        answer = post(served, what, role, **body)
        assert answer.status_code == status
        assert OTHER not in answer.text


def test_an_export_is_for_admins_and_no_formula(tmp_path: Path) -> None:
    with office(tmp_path) as (served, _):
        assert served.ask(f"{PATH}/export", "operator").status_code == 403
        plain = served.ask(f"{PATH}/export", "admin")
        assert plain.text == f"{CUSTOMER}\n=HYPERLINK(1)\n"
        table = served.ask(f"{PATH}/export?form=csv", "admin")
        head, first, second = table.text.splitlines()
        assert head == "customer,since,until,reason,source,by"
        assert first.startswith(f"{CUSTOMER},")
        assert second.startswith("'=HYPERLINK(1),")
