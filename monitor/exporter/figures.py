"""Windowed figures as metrics: which scopes may be seen, and the cap on series.

Owns the two privacy rules of the exporter: a scope with a private dimension is never shown, and
neither is a pair of dimensions (its keys have no bound that a metrics store could bear).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from prometheus_client.core import Metric

from monitor.exporter import catalogue as names
from monitor.exporter.families import Rows, single
from monitor.snapshot import IndicatorFigures, Snapshot

SERIES_PER_KEY = {"ratio": 3, "mean": 3, "count": 2}
"""Value, hits, of; a count has no denominator."""


@dataclass(slots=True)
class _Families:
    ratio: Rows
    value: Rows
    hits: Rows
    of: Rows
    covered: Rows
    dropped: Rows
    series: int = 0
    cut: int = 0


def exportable(by: tuple[str, ...], scopes: Iterable[str]) -> bool:
    """A single dimension that is configured and may be a label."""
    return len(by) == 1 and by[0] in names.LABEL_DIMENSIONS and by[0] in scopes


def collect(snapshot: Snapshot, scopes: Iterable[str], series_max: int) -> Iterator[Metric]:
    """All figures of the exported scopes, at most ``series_max`` series, in a stable order.

    The cap keeps whole keys; those left out are counted per indicator and in all.
    """
    families = _Families(
        ratio=Rows(names.INDICATOR_RATIO),
        value=Rows(names.INDICATOR_VALUE),
        hits=Rows(names.INDICATOR_HITS),
        of=Rows(names.INDICATOR_OF),
        covered=Rows(names.INDICATOR_COVERED),
        dropped=Rows(names.INDICATOR_KEYS_DROPPED),
    )
    allowed = frozenset(scopes)
    for figures in snapshot.figures:
        if exportable(figures.by, allowed):
            _add(families, figures, series_max)
    yield families.ratio.metric
    yield families.value.metric
    yield families.hits.metric
    yield families.of.metric
    yield families.covered.metric
    yield families.dropped.metric
    yield single(names.SCRAPE_SERIES, families.series)
    yield single(names.SCRAPE_DROPPED, families.cut)


def _add(families: _Families, figures: IndicatorFigures, series_max: int) -> None:
    per_key = SERIES_PER_KEY[figures.kind]
    room = max(0, series_max - families.series) // per_key
    shown = min(len(figures.names), room)
    dropped = figures.dropped + len(figures.names) - shown
    families.series += shown * per_key
    families.cut += dropped * per_key

    scope = figures.by[0]
    shared = (figures.indicator, figures.window, scope)
    families.covered.add(float(figures.covered), *shared)
    families.dropped.add(dropped, *shared)
    _add_rows(families, figures, shared, shown)


def _add_rows(
    families: _Families, figures: IndicatorFigures, shared: tuple[str, str, str], shown: int
) -> None:
    # The hot loop of a scrape: the sample's labels are built once and shared by its three series.
    indicator, window, scope = shared
    family = families.ratio if figures.kind == "ratio" else families.value
    value_of, hits_of, of_of = family.metric, families.hits.metric, families.of.metric
    value_name, hits_name = family.spec.name, families.hits.spec.name
    of_name = families.of.spec.name
    values = figures.values[:shown]
    known = (~np.isnan(values)).tolist()
    is_count = figures.kind == "count"
    rows = zip(
        figures.names[:shown],
        values.tolist(),
        known,
        figures.hits[:shown].tolist(),
        figures.of[:shown].tolist(),
        strict=True,
    )
    for name, value, is_known, hits, of in rows:
        labels = {"indicator": indicator, "window": window, "scope": scope, scope: name}
        if is_known:
            value_of.add_sample(value_name, labels, value)
        hits_of.add_sample(hits_name, labels, hits)
        if not is_count:
            of_of.add_sample(of_name, labels, of)
