"""How full each bounded thing is, for the picture; docs/operating.md says what happens then.

Owns the list. A limit and the behaviour there belong to the module that has the table or queue.
"""

from __future__ import annotations

from collections.abc import Mapping

from monitor.events.do_not_call import ENTRIES_MAX
from monitor.recorder import BACKLOG_MAX
from monitor.rules.belonging import MEMBERS_MAX
from monitor.rules.event_rule import MARKS_MAX
from monitor.rules.past import SCOPES_MAX
from monitor.running.parts import Parts
from monitor.snapshot import Queue, Table
from monitor.source.files import FILES_MAX
from monitor.source.settings import FilesSettings


def tables(parts: Parts) -> tuple[Table, ...]:
    """The tables of the engine and its source; of several alike, the fullest."""
    engine, config, stats = parts.engine, parts.site.config, parts.stats
    indicators, desk = engine.judges.indicators, engine.judges.desk
    owners, (marks, forgotten) = config.events.owners, engine.judges.rules.marks()
    known, customers = desk.book, engine.customers
    references = engine.judges.rules.references
    members, samples, unsampled = references.fill()
    found = [
        Table("ids", len(engine.dedup), config.limits.ids, stats.dedup_uncertain),
        Table("numbers", len(known), config.numbers.numbers_max, known.overflowed),
        Table("owners", engine.owners.owners_held, owners.numbers),
        Table("customers", customers.held, config.events.customers.remembered, customers.forgotten),
        Table("do_not_call", len(parts.site.do_not_call), ENTRIES_MAX),
        Table(
            "do_not_call_own", len(engine.book), config.do_not_call.entries_max, engine.book.refused
        ),
        Table("calls", engine.owners.calls_held, owners.calls),
        Table("places", len(engine.places), engine.pace.max_places),
        Table("marks", marks, MARKS_MAX, forgotten),
        Table("members", members, MEMBERS_MAX),
        Table("past", samples, SCOPES_MAX, unsampled),
    ]
    found += [Table(name, *fill) for name, fill in indicators.fullest().items()]
    if isinstance(config.source, FilesSettings):
        found.append(Table("files", len(engine.source.standings()), FILES_MAX))
    return tuple(found)


def queues(parts: Parts, deliveries: Mapping[tuple[str, str], int]) -> tuple[Queue, ...]:
    """What waits for a database, a broker, a receiver or the engine.

    ``deliveries``: the outbox's by receiver and state.

    Raises:
        StoreError: the store cannot be read.
    """
    outbox, requests = parts.store.outbox, parts.store.requests
    since_ms = outbox.waiting().oldest_ms
    waiting: dict[str, int] = {}
    for (receiver, state), count in deliveries.items():
        if state in {"queued", "retry", "sending"}:
            waiting[receiver] = waiting.get(receiver, 0) + count
    found = [
        Queue("store", parts.recorder.behind, BACKLOG_MAX),
        Queue(
            "outbox",
            max(waiting.values(), default=0),
            parts.site.config.delivery.waiting_max,
            since_ms,
        ),
        Queue("requests", requests.waiting(), requests.limit),
    ]
    held = parts.engine.dead_letters.waiting()
    return (*found, *([] if held is None else [Queue("dead_letters", *held)]))
