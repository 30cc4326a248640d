"""Catalogue entries to prometheus_client's families.

Owns the translation only: a row that does not have exactly the labels of its catalogue entry is a
programming error here, so no metric can drift from ``catalogue.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from prometheus_client.core import Metric

from monitor.exporter.catalogue import Kind, MetricSpec
from monitor.stats import Timing

Key = TypeVar("Key", bound=str | tuple[str, ...])


class Rows:
    """The samples of one metric at one scrape."""

    def __init__(self, spec: MetricSpec) -> None:
        self.spec = spec
        self.metric = Metric(spec.name.removesuffix("_total"), spec.help, spec.kind.value)

    def add(self, value: float, *labels: str) -> Rows:
        """Add one sample; ``labels`` in the order of the catalogue.

        Raises:
            ValueError: not as many values as the catalogue has labels.
        """
        pairs = dict(zip(self.spec.labels, labels, strict=True))
        self.metric.add_sample(self.spec.name, pairs, value)
        return self

    def add_scoped(self, value: float, *labels: str, scope: Iterable[tuple[str, str]]) -> Rows:
        """As :meth:`add`, with the scope's own dimensions as further labels."""
        pairs = dict(zip(self.spec.labels, labels, strict=True))
        pairs.update(scope)
        self.metric.add_sample(self.spec.name, pairs, value)
        return self


def single(spec: MetricSpec, value: float) -> Metric:
    """A metric without labels."""
    return Rows(spec).add(value).metric


def counted(
    spec: MetricSpec,
    totals: Mapping[Key, int],
    known: Iterable[Key] = (),
) -> Metric:
    """A counter from totals by label values.

    ``known`` label values start at 0: a series that is born at 1 hides its first event from
    ``rate()`` and ``increase()``.
    """
    # One C call under the interpreter lock: the writer may add a key meanwhile.
    copied = dict(totals)
    rows = Rows(spec)
    for key in sorted({*known, *copied}, key=_labels):
        rows.add(copied.get(key, 0), *_labels(key))
    return rows.metric


def histogram(spec: MetricSpec, timing: Timing) -> Metric:
    """A histogram in seconds; the total is the sum of the buckets read, so it always agrees."""
    if spec.kind is not Kind.HISTOGRAM:
        msg = f"{spec.name} is not a histogram"
        raise ValueError(msg)
    metric = Metric(spec.name, spec.help, spec.kind.value)
    counts = list(timing.counts)
    below = 0
    for bound, count in zip((*map(str, timing.buckets_s), "+Inf"), counts, strict=True):
        below += count
        metric.add_sample(f"{spec.name}_bucket", {"le": bound}, below)
    metric.add_sample(f"{spec.name}_count", {}, below)
    metric.add_sample(f"{spec.name}_sum", {}, timing.sum_s)
    return metric


def _labels(key: str | tuple[str, ...]) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else key
