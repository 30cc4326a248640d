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
    bucket = figures.other if room else None
    shown = min(len(figures.names), room - (bucket is not None))
    dropped = figures.dropped + len(figures.names) - shown
    families.series += (shown + (bucket is not None)) * per_key
    families.cut += (dropped + (bucket is not figures.other)) * per_key

    scope = figures.by[0]
    shared = (figures.indicator, figures.window, scope)
    families.covered.add(float(figures.covered), *shared)
    families.dropped.add(dropped, *shared)
    _add_rows(families, figures, shared, shown)
    if bucket is not None:
        _add_bucket(families, figures, shared, bucket)


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


def _add_bucket(
    families: _Families,
    figures: IndicatorFigures,
    shared: tuple[str, str, str],
    bucket: tuple[float, float],
) -> None:
    """The keys that are not watched one by one, as one; it comes with the scope's first series."""
    indicator, window, scope = shared
    hits, of = bucket
    labels = {"indicator": indicator, "window": window, "scope": scope, scope: names.OTHER}
    labels[names.BUCKET] = names.OTHER
    family = families.ratio if figures.kind == "ratio" else families.value
    if figures.kind == "count" or of:
        value = hits if figures.kind == "count" else hits / of
        family.metric.add_sample(family.spec.name, labels, value)
    families.hits.metric.add_sample(families.hits.spec.name, labels, hits)
    if figures.kind != "count":
        families.of.metric.add_sample(families.of.spec.name, labels, of)
