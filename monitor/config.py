"""``config.yaml`` as a whole.

Owns how the parts are put together; each part's own settings stand in its package. An empty file is
a valid configuration: every part has defaults that run. Packs are ``monitor.site``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from monitor.archive.settings import ArchiveSettings
from monitor.delivery.settings import DeliverySettings
from monitor.dnc.book import Feeding
from monitor.events.settings import EventSettings
from monitor.exporter.settings import ExporterSettings
from monitor.ingest.settings import IngestSettings
from monitor.mapping.settings import MappingSettings
from monitor.numbers.settings import NumbersSettings, PoolsSettings
from monitor.scorecards.settings import ScorecardSettings
from monitor.source.settings import FilesSettings, SourceSettings
from monitor.store.settings import StoreSettings
from monitor.telephony.settings import TelephonySettings
from monitor.units import DurationMs
from monitor.web.settings import WebSettings
from monitor.windows.limits import WindowLimits
from monitor.windows.watermark import TimeSettings

DEFAULT_PATH = Path("config.yaml")
_RESTART_ONLY = (
    "source",
    "time",
    "mappings",
    "events",
    "telephony",
    "store",
    "dead_letters",
    "archive",
    "exporter",
    "web",
    "scorecards",
    "ingest",
    "limits",
)
"""Sections that only a restart can change."""
_ROUTING = frozenset(
    {
        "routes",
        "default",
        "commands",
        "refusals",
        "people",
        "rotations",
        "routing",
        "inhibit",
        "flapping",
        "at_most",
    }
)
"""Of ``delivery:``, what a reload takes over: who hears of what, not how it is sent."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TimeSection(_Section):
    """``time:``: the tolerances of event time (docs/semantics.md)."""

    tick: DurationMs = Field(5_000, ge=100, le=60_000)
    """Rules are judged at aligned multiples of it."""
    out_of_order: DurationMs = Field(1_000, le=3_600_000)
    """How far records of one partition may be out of order without being late."""
    lateness: DurationMs = Field(600_000, le=86_400_000)
    """Records later than this are dead letters."""
    max_ahead: DurationMs = Field(30_000, le=86_400_000)
    """Records further ahead of the clock are dead letters."""
    idle_after: DurationMs = Field(2_000, ge=100, le=3_600_000)
    """A partition at its end and silent for so long is not waited for."""
    scope_day: DurationMs = Field(28_800_000, ge=3_600_000, le=86_400_000)
    """A day of one scope's work, for ``false_alarms: 1 per 30 scope-days``."""

    def tolerances(self) -> TimeSettings:
        """What ``monitor.windows.watermark`` works with."""
        return TimeSettings(self.out_of_order, self.lateness, self.max_ahead, self.idle_after)


class LimitsSection(_Section):
    """``limits:``: what bounds memory; each limit has a metric."""

    keys_per_scope: int = Field(200_000, ge=100, le=10_000_000)
    """Rows of any further key are counted together, and not judged."""
    pairs_per_measure: int = Field(1_000_000, ge=100, le=50_000_000)
    """(key, value) pairs of one ``distinct``."""
    entities_per_measure: int = Field(100_000, ge=100, le=10_000_000)
    """Agents whose state one ``seconds_in`` follows, customers of one ``population``,
    conversations of one ``response``."""
    ids: int = Field(5_000_000, ge=1_000, le=100_000_000)
    """Event ids remembered against duplicates."""
    pending_rows: int = Field(1_000_000, ge=10_000, le=50_000_000)
    """Rows read and not yet due; past half of it partitions that are far ahead wait, past all of it
    all but the slowest."""


class CheckpointSection(_Section):
    """``checkpoint:``: how much a restart reads again."""

    every: DurationMs = Field(5_000, ge=1_000, le=3_600_000)


class LogsSection(_Section):
    """``logs:``."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class DeadLettersSection(_Section):
    """``dead_letters:``: the topic that refused records go to, byte for byte."""

    topic: str | None = Field("monitor.dead-letters", pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    """With a Kafka source; null, or without Kafka: the file of ``events.dead_letters``."""


class DoNotCallSection(_Section):
    """``do_not_call:``: customers nobody may call, beyond those who opted out in events."""

    files: tuple[Path, ...] = ()
    """One customer a line, first on it; read at the start and by a reload. Conditions ask with
    ``do_not_call``."""
    from_events: tuple[Literal["opted_out", "unsolicited", "refused"], ...] = ()
    """What puts customers on our own list: `sms.opted_out`, a `complaint.filed` of category
    `unsolicited`, `refused` in a call, follow-up or message. People's own entries always count."""
    consent_ends: bool = True
    """Whether a later `sms.consented` takes off whom `opted_out` or `refused` put on."""
    entries_max: int = Field(1_000_000, ge=1_000, le=5_000_000)
    """Customers on our own list; for further ones there is no room."""

    @property
    def feeding(self) -> Feeding:
        """What ``monitor.dnc`` works with."""
        return Feeding(frozenset(self.from_events), self.consent_ends, self.entries_max)


class PackOverride(_Section):
    """Single values over a pack's own, by id."""

    indicators: dict[str, dict[str, Any]] = {}
    rules: dict[str, dict[str, Any]] = {}


class Config(_Section):
    """The whole of ``config.yaml``."""

    version: Literal[1] = 1
    source: SourceSettings = FilesSettings(kind="files", paths=("var/events/*.jsonl",), follow=True)
    time: TimeSection = TimeSection()
    mappings: MappingSettings = MappingSettings()
    events: EventSettings = EventSettings()
    packs: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")], ...] = (
        "telemarketing",
    )
    """Folders under ``rules_dir``."""
    rules_dir: Path | None = None
    """Where packs lie; None: ``rules/`` beside the configuration, else the shipped ones."""
    override: PackOverride = PackOverride()
    pools: PoolsSettings = PoolsSettings()
    numbers: NumbersSettings = NumbersSettings()
    telephony: TelephonySettings = Field(default_factory=TelephonySettings)
    delivery: DeliverySettings = DeliverySettings()
    store: StoreSettings = StoreSettings()
    checkpoint: CheckpointSection = CheckpointSection()
    dead_letters: DeadLettersSection = DeadLettersSection()
    do_not_call: DoNotCallSection = DoNotCallSection()
    archive: ArchiveSettings = ArchiveSettings()
    exporter: ExporterSettings = ExporterSettings()
    web: WebSettings = WebSettings()
    scorecards: ScorecardSettings = ScorecardSettings()
    ingest: IngestSettings = IngestSettings()
    limits: LimitsSection = LimitsSection()
    logs: LogsSection = LogsSection()

    def only_by_restart(self, new: Config) -> list[str]:
        """Names of what differs in ``new`` and that a running daemon cannot take over."""
        changed = [name for name in _RESTART_ONLY if getattr(self, name) != getattr(new, name)]
        parts = set(DeliverySettings.model_fields) - _ROUTING
        old_delivery, new_delivery = self.delivery, new.delivery
        return changed + [
            f"delivery.{name}"
            for name in sorted(parts)
            if getattr(old_delivery, name) != getattr(new_delivery, name)
        ]

    @property
    def windows(self) -> WindowLimits:
        """What ``monitor.windows`` is bounded by."""
        return WindowLimits(
            keys_max=self.limits.keys_per_scope,
            pairs_max=self.limits.pairs_per_measure,
            entities_max=self.limits.entities_per_measure,
            lateness_ms=self.time.lateness,
        )
