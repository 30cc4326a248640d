"""A rule set over recorded events, from the first record to the report.

Owns the run: one engine, one piece. State crosses every midnight (windows, detectors, duplicates,
numbers out of service), so days are not run beside each other: reading and decoding are, on a core
of their own, while the engine judges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from monitor.backtest.build import build
from monitor.backtest.labels import Case
from monitor.backtest.report import Read, Report
from monitor.backtest.tally import Tally
from monitor.clock import Clock
from monitor.decisions import Decision
from monitor.delivery.routes import Router
from monitor.engine import AT_ONCE, Engine
from monitor.errors import UsageError
from monitor.events.ahead import ReadAhead
from monitor.people.teams import Teams
from monitor.replay import Past, replay_engine
from monitor.site import Site
from monitor.source.base import Source
from monitor.windows.watermark import NEVER


@dataclass(frozen=True, slots=True)
class Range:
    """What is counted, in ms; what comes before it only fills windows."""

    since_ms: int | None = None
    until_ms: int | None = None


class Bench:
    """One rule set at work on a source; :meth:`report` when it is read to its end."""

    def __init__(
        self,
        site: Site,
        source: Source,
        clock: Clock,
        *,
        counted: Range | None = None,
        past: Past | None = None,
        tell: Callable[[Decision], None] | None = None,
    ) -> None:
        """``source``: not started; ``tell``: hears of each decision, too."""
        counted = counted or Range()
        self.site = site
        self.counted = counted
        self.source = source = ReadAhead(source, clock)
        self.tally = Tally(
            Router(site.config.delivery, telephony=False, packs=site.packs_of_rules),
            since_ms=counted.since_ms,
            until_ms=counted.until_ms,
        )
        self._tell = tell
        self._clock = clock
        self._first_ms: int | None = None
        self.engine: Engine = replay_engine(
            site,
            source,
            self._decided,
            past=past,
            at_once=AT_ONCE,
            on_tick=self._ticked,
            decisions_only=True,
        )
        configured = site.places
        self.tally.route_by(Teams(lambda: configured, lambda: self.engine.places).of)
        source.decoder = lambda: self.engine.judges.decoder
        self._began_s = clock.monotonic_s()

    def start(self, since_ms: int | None) -> None:
        """Begin reading; ``since_ms``: broker time, None: from the beginning."""
        self._began_s = self._clock.monotonic_s()
        self.source.start({}, since_ms)

    def step(self) -> bool:
        """Read and judge some; False at the end, when all is judged."""
        if not self.source.exhausted():
            self.engine.step()
            return True
        self.engine.finish()
        self.tally.finish(self.engine.judged)
        return False

    def close(self) -> None:
        """Stop reading; calling it twice is fine."""
        self.source.close()

    @property
    def events(self) -> int:
        """Accepted so far."""
        return sum(n for (_, became), n in self.engine.stats.events.items() if became == "accepted")

    @property
    def records(self) -> int:
        """Read so far, whatever became of them."""
        return sum(self.engine.stats.records.values())

    def span(self) -> tuple[int, int]:
        """What the report is about, in ms.

        Raises:
            UsageError: nothing was judged, or nothing within the range.
        """
        if self._first_ms is None or self.engine.judged == NEVER:
            raise UsageError("there is no event in what was read")
        counted = self.counted
        from_ms = self._first_ms if counted.since_ms is None else counted.since_ms
        to_ms = self.engine.judged if counted.until_ms is None else counted.until_ms
        to_ms = min(to_ms, self.engine.judged)
        if to_ms <= from_ms:
            raise UsageError("no event lies between --since and --until")
        return from_ms, to_ms

    def report(
        self,
        rules: str = "",
        *,
        cases: Sequence[Case] = (),
        zone: tzinfo | None = None,
        span: tuple[int, int] | None = None,
    ) -> Report:
        """What came of it; ``rules`` says what was tested, ``span`` what is looked at."""
        stats = self.engine.stats
        became = {
            what: sum(n for (_, each), n in stats.events.items() if each == what)
            for what in ("accepted", "duplicate")
        }
        read = Read(
            events=became["accepted"],
            duplicates=became["duplicate"],
            late=stats.late,
            refused=dict(sorted(stats.rejects.items())),
            seconds=self._clock.monotonic_s() - self._began_s,
            numbers=sum(self.engine.judges.desk.counts().values()),
            rules=rules,
            hash=self.site.hash,
        )
        return build(
            self.tally, read, self.site.rules, span=span or self.span(), zone=zone, cases=cases
        )

    def _decided(self, decision: Decision) -> None:
        self.tally.tell(decision)
        if self._tell is not None:
            self._tell(decision)

    def _ticked(self, tick: int) -> None:
        if self._first_ms is None:
            self._first_ms = tick - self.engine.pace.tick_ms
