"""Windowed figures as metrics: which scopes may be seen, the cap on series, and their text.

Owns the two privacy rules of the exporter: a scope with a private dimension is never shown, and
neither is a pair of dimensions (its keys have no bound that a metrics store could bear). Owns the
text of their series too: there are a hundred thousand of them, so no object is made for one, and
polars writes them without the interpreter's lock, which the engine wants meanwhile (ADR 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from prometheus_client.core import Metric

from monitor.exporter import catalogue as names
from monitor.exporter.catalogue import MetricSpec
from monitor.exporter.families import Rows, single
from monitor.snapshot import Float64, IndicatorFigures, Snapshot, cut

SERIES_PER_KEY = {"ratio": 3, "mean": 3, "count": 2}
"""Value, hits, of; a count has no denominator."""
_OTHER = pl.Series([names.OTHER])
_IN_BUCKET = f',{names.BUCKET}="{names.OTHER}"'


@dataclass(frozen=True, slots=True)
class Shown:
    """One indicator × scope × window, and how many of its keys are shown."""

    figures: IndicatorFigures
    keys: int
    bucket: tuple[float, float] | None
    """Hits and of of the keys that are not watched one by one; it comes with the first series."""

    @property
    def dropped(self) -> int:
        """Keys that a cap left out, the snapshot's or the exporter's."""
        return self.figures.dropped + len(self.figures.names) - self.keys


@dataclass(slots=True)
class Choice:
    """What a scrape shows of a snapshot's figures."""

    shown: list[Shown] = field(default_factory=list)
    series: int = 0
    cut: int = 0


def exportable(by: tuple[str, ...], scopes: Iterable[str]) -> bool:
    """A single dimension that is configured and may be a label."""
    return len(by) == 1 and by[0] in names.LABEL_DIMENSIONS and by[0] in scopes


def narrowed(snapshot: Snapshot, keys_max: int) -> tuple[IndicatorFigures, ...]:
    """The figures, at most ``keys_max`` keys of each, the worst kept: boards are shown more."""
    infos = {info.id: info for info in snapshot.indicators}
    return tuple(
        each if len(each.names) <= keys_max else cut(each, infos[each.indicator], keys_max)
        for each in snapshot.figures
    )


def choose(figures: Iterable[IndicatorFigures], scopes: Iterable[str], series_max: int) -> Choice:
    """The figures of the exported scopes, at most ``series_max`` series, in a stable order.

    The cap keeps whole keys; those left out are counted per indicator and in all.
    """
    choice, allowed = Choice(), frozenset(scopes)
    for each in figures:
        if not exportable(each.by, allowed):
            continue
        per_key = SERIES_PER_KEY[each.kind]
        room = max(0, series_max - choice.series) // per_key
        bucket = each.other if room else None
        shown = Shown(each, min(len(each.names), room - (bucket is not None)), bucket)
        choice.shown.append(shown)
        choice.series += (shown.keys + (bucket is not None)) * per_key
        choice.cut += (shown.dropped + (bucket is not each.other)) * per_key
    return choice


def collect(
    snapshot: Snapshot, scopes: Iterable[str], series_max: int, keys_max: int
) -> Iterator[Metric]:
    """What is said about the figures; they themselves are :func:`text`."""
    choice = choose(narrowed(snapshot, keys_max), scopes, series_max)
    covered, dropped = Rows(names.INDICATOR_COVERED), Rows(names.INDICATOR_KEYS_DROPPED)
    for shown in choice.shown:
        figures = shown.figures
        shared = (figures.indicator, figures.window, figures.by[0])
        covered.add(float(figures.covered), *shared)
        dropped.add(shown.dropped, *shared)
    yield covered.metric
    yield dropped.metric
    yield single(names.SCRAPE_SERIES, choice.series)
    yield single(names.SCRAPE_DROPPED, choice.cut)


def text(choice: Choice) -> bytes:
    """The series of the figures, whole families, as both text formats write gauges."""
    families: dict[str, _Family] = {
        spec.name: _Family(spec)
        for spec in (
            names.INDICATOR_RATIO,
            names.INDICATOR_VALUE,
            names.INDICATOR_HITS,
            names.INDICATOR_OF,
        )
    }
    labels: dict[int, pl.Series] = {}
    for shown in choice.shown:
        figures = shown.figures
        # Scopes share their names between indicators, so they are escaped once.
        keys = labels.get(id(figures.names))
        if keys is None:
            keys = labels[id(figures.names)] = _escaped(pl.Series(figures.names, dtype=pl.String))
        for spec, values in _columns(figures):
            families[spec.name].add(figures, keys[: shown.keys], values[: shown.keys])
        if shown.bucket is not None:
            for spec, values in _columns(_alone(figures, shown.bucket)):
                families[spec.name].add(figures, _OTHER, values, more=_IN_BUCKET)
    return b"".join(part for family in families.values() for part in family.text())


def _columns(figures: IndicatorFigures) -> list[tuple[MetricSpec, Float64]]:
    value = names.INDICATOR_RATIO if figures.kind == "ratio" else names.INDICATOR_VALUE
    columns = [(value, figures.values), (names.INDICATOR_HITS, figures.hits)]
    return columns + ([] if figures.kind == "count" else [(names.INDICATOR_OF, figures.of)])


def _alone(figures: IndicatorFigures, bucket: tuple[float, float]) -> IndicatorFigures:
    """The bucket as the only key."""
    hits, of = (np.array([value]) for value in bucket)
    return replace(figures, names=(names.OTHER,), hits=hits, of=of)


class _Family:
    """One metric's text, a part for each indicator × scope × window."""

    def __init__(self, spec: MetricSpec) -> None:
        self._spec = spec
        self._parts: list[bytes] = []

    def add(
        self, figures: IndicatorFigures, keys: pl.Series, values: Float64, more: str = ""
    ) -> None:
        """A line for each key whose value is not NaN; ``more``: further labels of all of them."""
        known = ~np.isnan(values)
        if not known.all():
            keys, values = keys.filter(pl.Series(known)), values[known]
        if not len(values):
            return
        scope = figures.by[0]
        told = {"indicator": figures.indicator, "window": figures.window, "scope": scope}
        pairs = ",".join(f'{label}="{_escape(value)}"' for label, value in told.items()) + more
        head = pl.lit(f'{self._spec.name}{{{pairs},{scope}="')
        frame = pl.DataFrame({"key": keys, "value": values})
        lines = pl.concat_str(head, "key", pl.lit('"} '), pl.col("value").cast(pl.String))
        written: str = frame.select(lines.str.join("\n")).item()
        self._parts += (written.encode(), b"\n")

    def text(self) -> Iterator[bytes]:
        """The family with its head; nothing where it has no series."""
        if self._parts:
            name, told = self._spec.name, self._spec.help
            yield f"# HELP {name} {told}\n# TYPE {name} {self._spec.kind.value}\n".encode()
            yield from self._parts


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _escaped(values: pl.Series) -> pl.Series:
    """The same of a column."""
    column = values.str.replace_all("\\", r"\\", literal=True)
    return column.str.replace_all("\n", r"\n", literal=True).str.replace_all(
        '"', r"\"", literal=True
    )
