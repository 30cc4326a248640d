"""From a site to concrete parts: the only place that knows which class a setting means.

Owns construction alone; order of start and stop is ``monitor.app.daemon``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import polars as pl

from monitor.archive.hashing import Hasher
from monitor.archive.source import ArchiveSource
from monitor.archive.tokens import Tokens
from monitor.archive.writer import Archiver
from monitor.clock import Clock
from monitor.config import Config
from monitor.decisions import Command
from monitor.delivery.routes import Router
from monitor.delivery.settings import KafkaReceiver
from monitor.engine import Engine, Judges
from monitor.errors import SourceError
from monitor.events.ahead import Decodes
from monitor.events.catalogue import DERIVED, polars_dtype
from monitor.events.customers import read_for
from monitor.events.decode import Decoder
from monitor.events.phones import is_e164, normalise
from monitor.events.rejects import DeadLetters, FileDeadLetters
from monitor.indicators.compile import IndicatorSet
from monitor.mapping.decoder import MappedDecoder
from monitor.mapping.mapper import Mapper
from monitor.numbers.desk import NumberDesk
from monitor.rules.evaluate import RuleBook
from monitor.site import Site
from monitor.source.base import Source
from monitor.source.files import FileSource
from monitor.source.kafka import KafkaSource
from monitor.source.settings import ArchivedSettings, FilesSettings, KafkaSettings
from monitor.stats import Stats
from monitor.telephony.base import CommandChannel
from monitor.telephony.dead_letters import KafkaDeadLetters
from monitor.telephony.kafka import KafkaCommandChannel
from monitor.telephony.open import Telephony, open_telephony
from monitor.telephony.settings import TelephonySettings


def build_judges(
    site: Site,
    *,
    covered_from: int,
    desk: NumberDesk | None = None,
    answers: bool = True,
    decisions_only: bool = False,
) -> Judges:
    """Decoder, indicators, rules and desk of a site.

    Args:
        site: configuration and packs.
        covered_from: see ``IndicatorSet``.
        desk: an existing one, which is given the settings; None: a new one.
        answers: telephony acknowledges; otherwise commands count as applied at once.
        decisions_only: nobody looks at figures; those that no rule does are not worked out.
    """
    config = site.config
    tick_ms = config.time.tick
    region = config.events.phones.region

    def as_in_events(number: str) -> str:
        return str(normalise(pl.Series([number]), region)[0])

    limits = config.windows.model_copy(update={"listed": _listed(config)})
    indicators = IndicatorSet(
        site.indicators, tick_ms=tick_ms, limits=limits, covered_from=covered_from
    )
    make_rules = partial(
        RuleBook,
        site.rules,
        tick_ms=tick_ms,
        scope_day_ms=config.time.scope_day,
        normalise=as_in_events,
    )
    rules = make_rules(indicators)
    if decisions_only:
        indicators = indicators.narrowed()
        rules = make_rules(indicators)
    # A rule that is gone altogether may have left numbers that wait to be cleared.
    types = indicators.types | rules.types | {"number.cleared"}
    wanted = indicators.fields | rules.fields
    feeding = config.do_not_call.feeding
    fields, more = read_for(wanted | feeding.fields)
    decoder = open_decoder(site, fields, types | more | feeding.types)
    numbers = config.numbers
    if not answers:
        numbers = numbers.model_copy(update={"assume_applied": True})
    if desk is None:
        desk = NumberDesk(
            config.pools, numbers, tick_ms=tick_ms, normalise=as_in_events, is_number=is_e164
        )
    else:
        desk.reconfigure(config.pools, numbers)
    return Judges(
        decoder,
        indicators,
        rules,
        desk,
        feeding=feeding,
        do_not_call=site.do_not_call if "do_not_call" in wanted else None,
        derived=wanted & frozenset(DERIVED),
    )


def open_decoder(site: Site, fields: frozenset[str], types: frozenset[str]) -> Decodes:
    """What reads the site's records, for these fields and types."""
    return MappedDecoder(Decoder(fields, types, site.config.events), _mappers(site))


def _mappers(site: Site) -> list[tuple[str, Mapper]]:
    """By topic, in the order of the configuration."""
    topics = site.config.mappings.topics
    return [(topic, site.mappings[name].mapper) for topic, name in topics.items()]


def _listed(config: Config) -> dict[str, frozenset[str]]:
    """By dimension, the names that stand in the configuration, as events carry them."""
    numbers = [number for pool in config.pools.pools.values() for number in pool.numbers]
    region, teams = config.events.phones.region, config.events.organisation
    return {
        "number": frozenset(normalise(pl.Series(numbers, dtype=pl.String), region).to_list()),
        "team": frozenset(teams),
        "group": frozenset(group for groups in teams.values() for group in groups),
        "agent": frozenset(
            agent for groups in teams.values() for agents in groups.values() for agent in agents
        ),
    }


def widen_pending(engine: Engine) -> None:
    """Give rows that wait to be judged the columns that the engine's judges look at, empty.

    Needed wherever the rows were read for other rules.
    """
    judges = engine.judges
    wanted = judges.indicators.fields | judges.rules.fields | judges.feeding.fields
    fields, _ = read_for(wanted)
    engine.pending.widen({field: polars_dtype(field) for field in sorted(fields)})


def open_source(config: Config, clock: Clock) -> Source:
    """The source that the configuration names; not started."""
    if isinstance(config.source, KafkaSettings):
        return KafkaSource(config.source, clock)
    if isinstance(config.source, ArchivedSettings):
        return ArchiveSource(config.source.path)
    return FileSource(config.source, clock)


def open_archiver(site: Site, clock: Clock, stats: Stats) -> Archiver | None:
    """What keeps the archive; None where there is to be none. Not started.

    Raises:
        SecretError: the key for customers is not where the configuration says, or is too short.
        SourceError: the folder holds an archive of another kind.
    """
    config = site.config
    folder, source = config.archive.path, config.source
    if folder is None or isinstance(source, ArchivedSettings):
        return None
    if isinstance(source, FilesSettings):  # two readers of one path each remember for themselves
        source = source.model_copy(update={"bookmarks": folder / "bookmarks"})
    elif source.lag_group is not None:
        source = source.model_copy(update={"lag_group": None})
    own = config.model_copy(update={"source": source})
    hasher = None
    if config.archive.customers == "hashed":
        tokens = Tokens(config.archive.secret(), config.events)
        hasher = Hasher(tokens, _mappers(site), config.events.limits)
    return Archiver(config.archive, lambda: open_source(own, clock), clock, stats, hasher)


def open_dead_letters(config: Config, clock: Clock) -> DeadLetters:
    """Where refused records go: beside the events they came with, unless a file is asked for."""
    if isinstance(config.source, KafkaSettings) and config.dead_letters.topic is not None:
        return KafkaDeadLetters(config.source, config.dead_letters.topic, clock)
    return FileDeadLetters(config.events.dead_letters)


def connect_topic(config: Config, clock: Clock, receiver: KafkaReceiver) -> CommandChannel:
    """What writes orders to the topic of a receiver; not connected.

    Raises:
        SourceError: it names no connection, and the source has none.
    """
    source = config.source if isinstance(config.source, KafkaSettings) else None
    connection = receiver.connection or source
    if connection is None:
        msg = f"delivery: topic {receiver.topic} needs a connection when the source is not Kafka"
        raise SourceError(msg)
    settings = TelephonySettings(
        kind="kafka", commands=receiver.topic, transactional_id=receiver.writer
    )
    settings = settings.model_copy(update={"send_timeout": receiver.timeout})
    return KafkaCommandChannel(settings, connection, clock)


def connect_telephony(config: Config, clock: Clock) -> Telephony:
    """The telephony system that the configuration names; not connected."""
    source = config.source if isinstance(config.source, KafkaSettings) else None
    return open_telephony(config.telephony, source, clock)


def open_router(
    site: Site, telephony: Telephony, systems: Callable[[Command], tuple[str, ...]]
) -> Router:
    """The routes of a site; ``systems``: of telephony, those that a command goes to."""
    return Router(
        site.config.delivery,
        telephony=bool(telephony.channels),
        systems=systems,
        packs=site.packs_of_rules,
    )
