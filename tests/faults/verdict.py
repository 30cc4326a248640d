"""What must hold after any seed, in full (docs/reliability.md, "Simulation").

Owns the comparison; every fault of the daemon is one line of text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from monitor.decisions import Alert, Command, Decision, NumberChange
from monitor.delivery.routes import Router, order_key
from monitor.recorder import (
    journaled_end,
    journaled_floors,
    journaled_inputs,
    journaled_refusals,
)
from monitor.replay import Past
from monitor.store.codec import decode, encode, from_text, kind_of
from monitor.store.schema import CHANGES, DECISIONS, OUTBOX
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.faults.reference import Expected, with_journal
from tests.faults.schedule import Played
from tests.faults.world import World


@dataclass
class Kept:
    """What the store holds at the end."""

    decisions: list[Decision]
    changes: list[NumberChange]
    states: dict[tuple[str, str], str]
    """State of each delivery, by decision and receiver."""
    past: Past
    firing: list[str]


def violations(played: Played, exact: Expected | None) -> tuple[list[str], int]:
    """All that is wrong (nothing: the seed has passed), and how much was decided."""
    world = played.world
    kept = _kept(world)
    found = [*played.stuck, *world.auditor.offences]
    expected = exact
    if expected is None and world.kind == "live":
        expected, _engine = with_journal(world.site, world.log, kept.past)
    if expected is not None:
        found += _compared("decisions", expected.decisions, kept.decisions, kept.past.judged_to)
        found += _compared("changes", expected.changes, kept.changes, kept.past.judged_to)
    found += _deliveries(world, kept)
    found += _topic(world, kept)
    firing = _firing(kept.decisions)
    if sorted(kept.firing) != firing:
        found.append(f"firing episodes: {sorted(kept.firing)} kept, {firing} decided")
    world.auditor.close()
    return found, len(kept.decisions)


def _kept(world: World) -> Kept:
    settings: StoreSettings = world.settings
    with Store.open(settings, world.clock) as store:
        with store._database.read() as connection:
            rows = connection.execute(
                select(DECISIONS.c.kind, DECISIONS.c.body).order_by(DECISIONS.c.seq)
            )
            decisions = [decode(row.kind, row.body) for row in rows]
            bodies = connection.scalars(select(CHANGES.c.body).order_by(CHANGES.c.seq))
            changes = [from_text(body, NumberChange) for body in bodies]
            outbox = connection.execute(
                select(OUTBOX.c.decision, OUTBOX.c.receiver, OUTBOX.c.state)
            )
            states = {(row.decision, row.receiver): row.state for row in outbox}
        tick_ms = world.site.config.time.tick
        entries = store.journal.read()
        past = Past(
            inputs=tuple(journaled_inputs(entries, tick_ms=tick_ms)),
            floors=tuple(journaled_floors(store.journal.floors())),
            refused=tuple(journaled_refusals(entries)),
            judged_to=journaled_end(store.journal.judged_to_ms(), tick_ms=tick_ms),
        )
        firing = [episode.alert.episode for episode in store.episodes.firing()]
    return Kept(decisions, changes, states, past, firing)


def _compared(
    what: str,
    expected: Sequence[Decision] | Sequence[NumberChange],
    kept: Sequence[Decision] | Sequence[NumberChange],
    judged_to: int,
) -> Iterator[str]:
    """The same, with the same ids, in the same order."""
    wanted = [(row.id, _text(row)) for row in expected if row.at_ms <= judged_to]
    found = [(row.id, _text(row)) for row in kept]
    if found == wanted:
        return
    by_id = dict(found)
    missing = [text for name, text in wanted if name not in by_id]
    extra = [text for name, text in found if name not in dict(wanted)]
    differ = [
        f"{by_id[name]} instead of {text}" for name, text in wanted if by_id.get(name, text) != text
    ]
    yield from (f"{what}: missing {text}" for text in missing)
    yield from (f"{what}: not in the undisturbed run {text}" for text in extra)
    yield from (f"{what}: {text}" for text in differ)
    if not missing and not extra and not differ:
        yield f"{what}: the same in another order"


def _text(row: Decision | NumberChange) -> str:
    if not isinstance(row, NumberChange):
        row = decode(kind_of(row), encode(row))  # as it is after a night in the store
    return str(row.to_json())


def _deliveries(world: World, kept: Kept) -> Iterator[str]:
    """Everyone got everything, in order, the same at each repeat."""
    plan = Router(world.site.config.delivery, telephony=True)
    texts = {decision.id: str(decision.to_json()) for decision in kept.decisions}
    for decision in kept.decisions:
        for receiver in plan.receivers(decision):
            state = kept.states.get((decision.id, receiver))
            if state != "sent" and not (state == "stale" and receiver == "telephony"):
                yield f"{decision.id} for {receiver} ended as {state}"
            elif receiver in world.heard and not any(
                arrived == decision.id for arrived, _ in world.heard[receiver].arrivals
            ):
                yield f"{receiver} never got {decision.id}, which stands as {state}"
    for name, heard in world.heard.items():
        for arrived, text in heard.arrivals:
            if texts.get(arrived) != text:
                yield f"{name} got {text}, which was not decided so"
        first = list(dict.fromkeys(arrived for arrived, _ in heard.arrivals))
        yield from _order(name, kept.decisions, first)


def _topic(world: World, kept: Kept) -> Iterator[str]:
    """Each command stands once on its topic, those of a number in order."""
    ids = [sent.id for sent in world.exchange.commands]
    if len(ids) != len(set(ids)):
        yield f"repeated on the topic: {sorted({i for i in ids if ids.count(i) > 1})}"
    commands = {d.id: d for d in kept.decisions if isinstance(d, Command)}
    for sent in world.exchange.commands:
        if sent.id not in commands or commands[sent.id].number != sent.number:
            yield f"on the topic and not decided: {sent}"
    for decision_id in commands:
        state = kept.states.get((decision_id, "telephony"))
        if (state == "sent") != (decision_id in ids):
            yield f"{decision_id} stands as {state}, on the topic: {decision_id in ids}"
    yield from _order("the topic", kept.decisions, list(dict.fromkeys(ids)))


def _order(name: str, decisions: Sequence[Decision], arrived: Sequence[str]) -> Iterator[str]:
    by_id = {decision.id: (place, decision) for place, decision in enumerate(decisions)}
    last: dict[str, int] = {}
    for decision_id in arrived:
        if decision_id not in by_id:
            continue  # said elsewhere
        place, decision = by_id[decision_id]
        key = order_key(decision)
        if place < last.get(key, -1):
            yield f"{name} got {decision_id} after what was decided later about the same"
        last[key] = max(place, last.get(key, -1))


def _firing(decisions: Sequence[Decision]) -> list[str]:
    last = {alert.episode: alert.state for alert in decisions if isinstance(alert, Alert)}
    return sorted(episode for episode, state in last.items() if state == "firing")
