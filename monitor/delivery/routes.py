"""Which receivers a decision goes to.

Owns the plan only, a pure function of decision and settings: the outbox keeps it, the worker
carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import UnionType

from monitor.decisions import (
    Alert,
    Command,
    Decision,
    Listing,
    Notice,
    Order,
    Refusal,
    derive_id,
    scope_text,
)
from monitor.delivery.receivers import PeopleReceiver
from monitor.delivery.routing.plan import Plan
from monitor.delivery.settings import (
    LOG,
    TELEPHONY,
    AlertmanagerReceiver,
    DeliverySettings,
    LogReceiver,
)
from monitor.people.matchers import labels_of
from monitor.store.outbox import PlannedDelivery
from monitor.store.routed import RECEIVER

_TOLD = Alert | Command | Refusal
"""What a receiver whose queue is full is told of as one; an order is carried out, one by one."""


class Router:
    """Routes of one configuration; immutable."""

    def __init__(
        self,
        settings: DeliverySettings,
        *,
        telephony: bool,
        systems: Callable[[Command], tuple[str, ...]] = lambda _command: (TELEPHONY,),
        packs: Mapping[str, str] | None = None,
    ) -> None:
        """``telephony``: whether commands have a system to go to; ``systems``: which those are.

        ``packs``: by rule.
        """
        self._default = tuple(settings.default)
        self._commands = tuple(settings.commands)
        self._orders = tuple(settings.orders)
        self._do_not_call = tuple(settings.do_not_call)
        self._refusals = settings.refusals
        self._routes = {name: tuple(route.receivers) for name, route in settings.routes.items()}
        self._systems = systems if telephony else lambda _command: ()
        self._waiting_max = settings.waiting_max
        # An Alertmanager is told again and again what fires, but of a refusal only once.
        self._folds: dict[str, type | UnionType] = {
            name: Alert if isinstance(receiver, AlertmanagerReceiver) else _TOLD
            for name, receiver in settings.known_receivers().items()
        }
        self.people = Plan(
            people=settings.people,
            rotations=settings.rotations,
            routing=settings.routing,
            inhibit=settings.inhibit,
            flapping=settings.flapping,
            at_most=settings.at_most,
            legacy=self._routes,
            default=self._default,
            pages=settings.refusals,
            stateful=frozenset(
                name
                for name, receiver in settings.known_receivers().items()
                if isinstance(receiver, AlertmanagerReceiver)
            ),
            languages={
                name: receiver.language
                for name, receiver in settings.known_receivers().items()
                if isinstance(receiver, PeopleReceiver)
            },
            silent=frozenset(
                name
                for name, receiver in settings.known_receivers().items()
                if isinstance(receiver, LogReceiver)
            ),
            packs=packs,
        )
        """Who hears of alerts where `delivery.routing` is used."""
        self.routes = frozenset(self._routes)
        """Names that rules may use; an unknown or empty one means the default receivers."""

    def plan(self, decision: Decision) -> list[PlannedDelivery]:
        """The deliveries of one decision, each receiver once, in the settings' order.

        What a shadow rule decides is for the log alone.
        """
        key = order_key(decision)
        names = dict.fromkeys(self.receivers(decision))
        return [
            PlannedDelivery(decision.id, receiver, key, self._folds_at(receiver, decision))
            for receiver in names
        ]

    def plan_all(self, decisions: Sequence[Decision]) -> list[PlannedDelivery]:
        """The plans of several decisions, in order."""
        return [delivery for decision in decisions for delivery in self.plan(decision)]

    def _folds_at(self, receiver: str, decision: Decision) -> int | None:
        folds = receiver in self._folds and isinstance(decision, self._folds[receiver])
        return self._waiting_max if folds else None

    def receivers(self, decision: Decision) -> tuple[str, ...]:  # noqa: PLR0911 - one a kind
        """Names of the receivers of a decision; one may be named twice."""
        match decision:
            case Alert(shadow=True) | Command(shadow=True) | Order(shadow=True):
                return (LOG,)
            case Alert() | Refusal() if self.people.on:
                return (RECEIVER,)  # routing leaves out whom a page tells of an alert
            case Alert():
                return self._told(decision)
            case Command():
                return (*self._systems(decision), *self._commands)
            case Order():
                return self._orders
            case Listing():
                return self._do_not_call
            case Notice():
                return ()  # made by the delivery side, with its receivers
            case Refusal():
                return self._routes.get(decision.route or self._refusals, self._default)

    def _told(self, alert: Alert) -> tuple[str, ...]:
        """Of an alert; where a page stands for it, all who are not sent that, and the log."""
        told = self._routes.get(alert.route, self._default)
        if not alert.inhibited_by:
            return told
        page = self._routes.get(alert.route or self._refusals, self._default)
        return (LOG, *(name for name in told if name not in page))

    def showing(self, alert: Alert, now_ms: int, team: str = "") -> tuple[str, ...]:
        """Names of the receivers that are to show an alert now, whoever else is told of it."""
        if not self.people.on or alert.shadow:
            return self.receivers(alert)
        labels = labels_of(alert, team=team, pack=self.people.packs.get(alert.rule, ""))
        return tuple(
            name
            for route in self.people.taking(labels, now_ms)
            for name in self.people.stateful(route.to, alert.level, now_ms)
        )


def order_key(decision: Decision) -> str:
    """Decisions of one key reach a receiver in the order they were made.

    An alert's key is its rule and scope, so that an episode's end is never overtaken by the next
    one's beginning; hashed, as scopes may name customers.
    """
    if isinstance(decision, Alert):
        return derive_id(decision.rule, scope_text(decision.scope))
    if isinstance(decision, Order):
        return derive_id("order", decision.customer)
    if isinstance(decision, Listing):
        return derive_id("do_not_call", decision.customer)
    if isinstance(decision, Notice):
        return decision.id
    return decision.number
