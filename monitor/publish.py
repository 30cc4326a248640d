"""The engine's state as the picture that people look at.

Owns the translation into ``monitor.snapshot``. Runs in the engine's thread, between steps, and
keeps none of the engine's own arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.engine import Engine
from monitor.events.catalogue import EVENT_TYPES
from monitor.exporter.settings import ExporterSettings
from monitor.indicators.model import Indicator
from monitor.snapshot import (
    AgentPlace,
    CheckpointStanding,
    IndicatorFigures,
    IndicatorInfo,
    KeyCount,
    Living,
    PartitionStanding,
    Queue,
    Snapshot,
    Table,
    Unready,
    capture,
)
from monitor.windows.watermark import NEVER


@dataclass(slots=True)
class Around:
    """What the picture shows that the engine does not know."""

    config_hash: str = ""
    queues: Sequence[Queue] = ()
    deliveries: Mapping[tuple[str, str], int] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    acks_ignored: Mapping[str, int] = field(default_factory=dict)
    checkpoint: CheckpointStanding | None = None
    unready: Sequence[Unready] = ()
    agents: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Group and team by agent, from the organisation table."""
    keys_max: int = 0
    """Most keys of a figure, and agents, that interfaces show, where that is more than the exporter
    does: it cuts for itself."""


class Shots:
    """The figures of the last tick, taken once however often they are published."""

    def __init__(self) -> None:
        self._of: tuple[object, ...] = ()
        self._taken: tuple[IndicatorFigures, ...] = ()

    def take(
        self,
        engine: Engine,
        infos: Mapping[str, IndicatorInfo],
        settings: ExporterSettings,
        keys_max: int,
    ) -> tuple[IndicatorFigures, ...]:
        """Single scopes that are exported; pairs would show who is called."""
        of = (engine.judges, engine.judged, settings, keys_max)
        if of != self._of:
            views = [
                view
                for view in engine.judges.indicators.views()
                if len(view.by) == 1 and view.by[0] in settings.scopes
            ]
            living = {id(view.keys): Living(view.keys) for view in views}
            self._taken = tuple(
                capture(
                    view,
                    infos[view.indicator.id],
                    tick=engine.judged,
                    keys_max=keys_max,
                    living=living[id(view.keys)],
                )
                for view in views
            )
            self._of = of
        return self._taken


def picture(
    engine: Engine,
    indicators: Sequence[Indicator],
    settings: ExporterSettings,
    *,
    around: Around,
    shots: Shots,
    pending_limit: int,
) -> Snapshot:
    """What the daemon looks like now."""
    judges = engine.judges
    _total(engine)
    rules = judges.rules.states()
    infos = {indicator.id: _info(indicator) for indicator in indicators}
    judged = engine.judged != NEVER
    pending = Queue("pending_rows", len(engine.pending), pending_limit)
    places = {**engine.places, **around.agents}
    return Snapshot(
        wall_ms=engine.clock.now_ms(),
        stats=engine.stats,
        at_ms=None if engine.watermarks.engine == NEVER else engine.watermarks.engine,
        tick_ms=engine.judged if judged else None,
        indicators=tuple(infos.values()),
        figures=shots.take(engine, infos, settings, max(settings.keys_max, around.keys_max))
        if judged
        else (),
        rules=rules.rules,
        alerts=rules.alerts,
        numbers=judges.desk.counts(),
        standing=tuple(judges.desk.standing()[: settings.rows_max]),
        incidents=tuple(judges.desk.held_up()[: settings.rows_max]),
        frozen=judges.desk.frozen,
        partitions=tuple(_partitions(engine)),
        queues=(pending, *around.queues),
        tables=tuple(around.tables),
        deliveries=dict(around.deliveries),
        acks_ignored={"unknown": judges.desk.unknown_acks, **around.acks_ignored},
        dead_letters_lost=engine.dead_letters.lost,
        keys=_keys(engine),
        agents=tuple(
            AgentPlace(agent, group, team)
            for agent, (group, team) in sorted(places.items())[
                : max(settings.rows_max, around.keys_max)
            ]
        ),
        checkpoint=around.checkpoint,
        unready=tuple(around.unready),
        config_hash=around.config_hash,
    )


def _total(engine: Engine) -> None:
    """Bring up to date the totals that the parts keep themselves."""
    stats, indicators = engine.stats, engine.judges.indicators
    stats.key_overflow = Counter(
        {("+".join(by), table): n for (by, table), n in indicators.overflowed().items()}
    )
    stats.unknown_types = sum(n for (name, _), n in stats.events.items() if name not in EVENT_TYPES)


def _info(indicator: Indicator) -> IndicatorInfo:
    return IndicatorInfo(
        id=indicator.id,
        kind=indicator.figure,
        better=indicator.better,
        title={str(language): text for language, text in indicator.title.items()},
        of_class=indicator.class_ or "",
        area=indicator.area or "",
        target=None if indicator.target is None else float(indicator.target),
    )


def _keys(engine: Engine) -> dict[str, KeyCount]:
    return {
        "+".join(by): KeyCount(len(table), table.limit)
        for by, table in engine.judges.indicators.key_tables().items()
    }


def _partitions(engine: Engine) -> list[PartitionStanding]:
    left_out = set(engine.watermarks.left_out())
    standings: list[PartitionStanding] = []
    for partition, standing in sorted(engine.source.standings().items()):
        watermark = engine.watermarks.watermark(partition)
        standings.append(
            PartitionStanding(
                topic=partition.topic,
                partition=partition.number,
                position=standing.position,
                end=standing.end,
                watermark_ms=None if watermark == NEVER else watermark,
                idle=partition in left_out,
            )
        )
    return standings
