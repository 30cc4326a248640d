"""Who hears of what."""

from __future__ import annotations

import pytest

from monitor.decisions import Decision
from monitor.delivery.routes import Router, order_key
from monitor.delivery.settings import DeliverySettings
from monitor.store.outbox import PlannedDelivery
from tests.store.made import NUMBER, alert, command, listing, order, refusal

SETTINGS = DeliverySettings.model_validate(
    {
        "receivers": {
            "hook": {"type": "webhook", "url": "http://a"},
            "am": {"type": "alertmanager", "url": "http://b"},
            "crm": {"type": "kafka", "topic": "crm.commands"},
        },
        "orders": ["crm"],
        "routes": {
            "supervisors": {"receivers": ["log", "hook", "log"]},
            "operations": {"receivers": ["am"]},
        },
    }
)
ROUTER = Router(SETTINGS, telephony=True)


@pytest.mark.parametrize(
    ("decision", "receivers"),
    [
        (alert(route="supervisors"), ["log", "hook"]),
        (alert(route="supervisors", state="resolved"), ["log", "hook"]),
        (alert(route="operations"), ["am"]),
        (alert(route=""), ["log"]),
        (alert(route="unheard-of"), ["log"]),
        (alert(route="operations", shadow=True), ["log"]),
        (command(), ["telephony", "log"]),
        (command(action="resume"), ["telephony", "log"]),
        (command(shadow=True), ["log"]),
        (order(), ["crm"]),
        (order(shadow=True), ["log"]),
        (refusal(), ["am"]),
        (refusal(route="supervisors"), ["log", "hook"]),
        (refusal(route="unheard-of"), ["log"]),
    ],
)
def test_each_decision_goes_where_it_belongs(decision: Decision, receivers: list[str]) -> None:
    plan = ROUTER.plan(decision)
    assert [delivery.receiver for delivery in plan] == receivers
    assert {delivery.decision for delivery in plan} == {decision.id}
    assert {delivery.order_key for delivery in plan} == {order_key(decision)}


def test_without_telephony_commands_are_only_told() -> None:
    router = Router(SETTINGS, telephony=False)
    assert router.plan(command()) == [PlannedDelivery(command().id, "log", NUMBER, 100_000)]


@pytest.mark.parametrize(
    ("decision", "folds"),
    [
        (alert(route="supervisors"), {"log": True, "hook": True}),
        (alert(route="operations"), {"am": True}),
        (refusal(), {"am": False}),
        (refusal(route="supervisors"), {"log": True, "hook": True}),
        (command(), {"telephony": False, "log": True}),
    ],
)
def test_whom_it_is_enough_to_tell_of_many_at_once(
    decision: Decision, folds: dict[str, bool]
) -> None:
    """Telephony must have each command, and an Alertmanager hears of a refusal but once."""
    plan = ROUTER.plan(decision)
    assert {each.receiver: each.folds_at is not None for each in plan} == folds
    assert {each.folds_at for each in plan} <= {None, SETTINGS.waiting_max}


def test_a_router_knows_its_routes_and_plans_many() -> None:
    assert ROUTER.routes == {"supervisors", "operations"}
    decisions: list[Decision] = [alert(), command()]
    assert ROUTER.plan_all(decisions) == [*ROUTER.plan(alert()), *ROUTER.plan(command())]


def test_order_is_kept_per_number_and_per_rule_and_scope() -> None:
    assert order_key(command()) == order_key(command(90_000, action="resume")) == NUMBER
    assert order_key(refusal()) == NUMBER
    episode = order_key(alert(60_000))
    assert order_key(alert(600_000)) == episode
    assert order_key(alert(60_000, rule="another")) != episode
    assert order_key(alert(60_000, scope=(("number", "+861"),))) != episode
    assert NUMBER not in episode


def test_changes_of_the_list_go_where_it_is_kept_and_each_customer_in_order() -> None:
    settings = DeliverySettings.model_validate(
        {
            "receivers": {"dnc": {"type": "kafka", "topic": "dnc.updates"}},
            "do_not_call": ["dnc", "log"],
        }
    )
    assert settings.faults() == []
    router = Router(settings, telephony=True)
    added, removed = listing(), listing(70_000, action="remove")
    plans = router.plan_all([added, removed, listing(customer="c-1")])
    assert [plan.receiver for plan in plans] == ["dnc", "log"] * 3
    assert plans[0].order_key == plans[2].order_key != plans[4].order_key
    assert added.customer not in plans[0].order_key
    assert Router(DeliverySettings(), telephony=True).plan(added) == []


def test_what_a_page_stands_for_goes_to_the_log_and_to_whoever_does_not_get_that() -> None:
    settings = DeliverySettings.model_validate(
        {
            "receivers": {name: {"type": "webhook", "url": "http://x"} for name in ("a", "b")},
            "default": ["log", "a", "b"],
            "routes": {"night": {"receivers": ["b"]}, "office": {"receivers": ["a"]}},
            "refusals": "office",
        }
    )
    router = Router(settings, telephony=False)
    assert router.receivers(alert(route="night", inhibited_by="p")) == ("log",)
    # Without a route the page goes to those of refusals, and the alert to the default.
    assert set(router.receivers(alert(route="", inhibited_by="p"))) == {"log", "b"}
    assert router.receivers(alert(route="night")) == ("b",)
