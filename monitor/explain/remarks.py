"""Remarks on alerts, found out beside the engine from the records that came lately.

Owns a thread. The engine hands over the rows that it released, which costs it nothing, and never
waits; delivery asks about an alert just before it is sent, and waits for ``within_ms`` at most. No
decision depends on any of it, and nothing is written down: after a restart, in a replay and while
the daemon catches up alerts go without (docs/explain.md).
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

import polars as pl
import structlog

from monitor.clock import Clock
from monitor.decisions import Alert
from monitor.delivery.remarks import Remark, Shared
from monitor.errors import UsageError
from monitor.explain.chance import Common
from monitor.explain.explain import explain
from monitor.explain.gather import Gathered
from monitor.explain.held import Held
from monitor.explain.question import Question, Sides, ask
from monitor.site import Site
from monitor.source.base import Partition

log = structlog.get_logger(__name__)

LOADS_MAX: Final = 256
"""Handed over and not looked at yet; the oldest are let go."""
PER_MINUTE: Final = 30
"""Alerts looked into; the others go without, and ``monitor explain`` has them."""
KEPT_MAX: Final = 1_000
LEAST: Final = 5
"""Fewer bad records have nothing in common that could be told from chance."""
RECORDS: Final = 5
"""Of the bad ones, whose places are told."""
TREND_PARTS: Final = 12
_LOOKS_S: Final = 2.0


@dataclass(slots=True)
class _Job:
    alert: Alert
    over: threading.Event = field(default_factory=threading.Event)
    remark: Remark | None = None


class FreshRemarks:
    """Who delivery asks; see :class:`monitor.delivery.remarks.Remarks`."""

    def __init__(
        self, site: Callable[[], Site], clock: Clock, *, within_ms: int, held: Held | None = None
    ) -> None:
        """``site``: as it is configured now."""
        self._site = site
        self._clock = clock
        self._within_ms = within_ms
        self._held = held or Held()
        self.places: Callable[[], Sequence[Partition]] = tuple
        """The partitions that rows come from, by their ``src``."""
        self._loads: deque[pl.DataFrame] = deque(maxlen=LOADS_MAX)
        self._turn = threading.Condition()
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        """By the alert's id, those that are over too."""
        self._waiting: deque[_Job] = deque()
        self._begun_s: deque[float] = deque(maxlen=PER_MINUTE)
        self._overdue: _Job | None = None
        """Somebody waited for it in vain: until it is over nobody else begins to."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="remarks", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Who waits goes without; twice is fine."""
        with self._turn:
            self._stopping = True
            for job in self._waiting:
                job.over.set()
            self._turn.notify()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def offer(self, released: pl.DataFrame) -> None:
        """Rows that were released; the engine's thread calls it, and it never waits."""
        self._loads.append(released)

    def about(self, alert: Alert) -> Remark | None:
        """See :meth:`monitor.delivery.remarks.Remarks.about`."""
        if alert.state != "firing" or alert.shadow:
            return None
        job = self._job(alert)
        if job is None:
            return None
        if not self._clock.wait(job.over, self._within_ms / 1000):
            self._overdue = job
        return job.remark

    def known(self, alert: Alert) -> Remark | None:
        """See :meth:`monitor.delivery.remarks.Remarks.known`."""
        with self._turn:
            job = self._jobs.get(alert.id)
        return None if job is None else job.remark

    def _job(self, alert: Alert) -> _Job | None:
        now_s = self._clock.monotonic_s()
        with self._turn:
            known = self._jobs.get(alert.id)
            stuck = self._overdue is not None and not self._overdue.over.is_set()
            full = len(self._begun_s) == PER_MINUTE and now_s - self._begun_s[0] < 60
            if known is not None or self._stopping or stuck or full:
                return None if stuck else known
            job = self._jobs[alert.id] = _Job(alert)
            self._begun_s.append(now_s)
            self._waiting.append(job)
            while len(self._jobs) > KEPT_MAX:
                self._jobs.popitem(last=False)
            self._turn.notify()
        return job

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._waiting or self._stopping, _LOOKS_S)
                if self._stopping:
                    return
                jobs = list(self._waiting)
                self._waiting.clear()
            self.look(jobs)

    def look(self, jobs: list[_Job]) -> None:
        """Take in what was handed over, then see to ``jobs``."""
        site = self._site()
        try:
            self._held.look_at(site)
            while self._loads:
                self._held.add(self._loads.popleft())
            for job in jobs:
                job.remark = remark(site, job.alert, self._held, self.places)
                job.over.set()
        except Exception:
            # Nobody shall miss an alert for want of a remark.
            log.exception("remarks_failed")
        finally:
            for job in jobs:
                job.over.set()


def remark(
    site: Site, alert: Alert, held: Held, places: Callable[[], Sequence[Partition]] = tuple
) -> Remark | None:
    """What the bad ones among the rows held have in common; None where there is nothing to say.

    ``places``: the partitions that rows come from, by their ``src``.
    """
    try:
        question = ask(site, alert)
    except UsageError:
        return None
    sample = held.of(question)
    if sample is None:
        return None
    told = explain(question, Gathered(sample.rows, (), None), records=0)
    bad, rest = told.sides.bad, told.sides.rest
    if bad.height < LEAST or rest.is_empty():
        return None
    times = pl.concat([bad["time"], rest["time"]]).sort()
    return Remark(
        bad=bad.height,
        others=rest.height + bad.height * told.sides.nested,
        since_ms=times[0],
        sampled=sample.every > 1,
        named=tuple(_shared(each) for each in told.comparison.named),
        records=_positions(bad.tail(RECORDS), places),
        trend=_trend(question, told.sides),
    )


def _positions(newest: pl.DataFrame, places: Callable[[], Sequence[Partition]]) -> tuple[str, ...]:
    """``calls/3@1200``, the newest first; nothing where partitions are not known."""
    try:
        known = places()
        return tuple(
            f"{known[src].topic}/{known[src].number}@{offset}"
            for src, offset in reversed(newest.select("src", "offset").rows())
        )
    except (IndexError, RuntimeError):  # a partition came just now, on the engine's thread
        return ()


def _trend(question: Question, sides: Sides) -> tuple[float | None, ...]:
    """In equal parts of the time looked at: the share of bad rows, or how many there were.

    A share needs rows of the same scope to be one of; against everybody's there are only counts.
    """
    hi_ms = question.alert.at_ms
    lo_ms = max(question.lo_ms, int(sides.bad["time"][0]))
    if not question.everybody:
        lo_ms = max(question.lo_ms, min(lo_ms, int(sides.rest["time"][0])))
    length = max(1, -(-(hi_ms - lo_ms) // TREND_PARTS))
    bad, rest = [0] * TREND_PARTS, [0] * TREND_PARTS
    for counts, rows in ((bad, sides.bad), (rest, sides.rest)):
        for time in rows["time"].to_list():
            if lo_ms <= time <= hi_ms:
                counts[min(TREND_PARTS - 1, (time - lo_ms) // length)] += 1
    if question.everybody:
        return tuple(float(count) for count in bad)
    return tuple(
        hits / (hits + others) if hits + others else None
        for hits, others in zip(bad, rest, strict=True)
    )


def _shared(common: Common) -> Shared:
    return Shared(
        dimension=common.dimension,
        value=common.value,
        share=common.share,
        base_share=common.base_share,
        lift=common.lift if isfinite(common.lift) else None,
        chance=common.chance,
    )
