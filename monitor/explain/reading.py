"""The log that an alert's records are read back from, for whoever asks.

Owns the choice of the log, and the answer to those who ask the daemon itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Final

from monitor.archive.source import ArchiveSource, archive_of
from monitor.assembly import open_source
from monitor.clock import SystemClock
from monitor.decisions import Alert
from monitor.explain.explain import explain
from monitor.explain.gather import gather
from monitor.explain.parts import parts_of, rule_of, with_records
from monitor.explain.question import ask
from monitor.replay import past_of
from monitor.site import Site
from monitor.source.base import Source
from monitor.source.bounded import BoundedSource
from monitor.source.files import FileSource
from monitor.source.settings import ArchivedSettings, FilesSettings, KafkaSettings
from monitor.store.store import Store

_PARTS_READ: Final = 200
_PARTS_MAX: Final = 5
"""Of what a rule on rules rests on; reading each takes its time."""


def log_of(site: Site, files: Sequence[str] = ()) -> Source:
    """The log as far as it goes now; ``files``: these instead. Not started."""
    settings = site.config.source
    folder = archive_of(files)
    if folder is not None:
        return ArchiveSource(folder)
    if not files and isinstance(settings, ArchivedSettings):
        return open_source(site.config, SystemClock())
    if not files and isinstance(settings, KafkaSettings):
        return BoundedSource(open_source(site.config, SystemClock()))
    paths = tuple(files) if files else getattr(settings, "paths", ())
    return FileSource(FilesSettings(kind="files", paths=paths), SystemClock())


class Reading:
    """Reads the records behind an alert, beside a running daemon."""

    def __init__(self, site: Callable[[], Site]) -> None:
        """``site``: as it is when somebody asks."""
        self._site = site

    def __call__(self, alert: Alert, records: int, whole_customers: bool) -> list[dict[str, Any]]:  # noqa: FBT001 - the interface's own call
        """As ``monitor explain --json`` says it; of a rule on rules, each of what it rests on.

        Raises:
            UsageError: the alert's rule is another one now, or has no records of its own.
            SourceError: the log cannot be read.
            StoreError: the store cannot.
        """
        site = self._site()
        rule = rule_of(site, alert)
        with closing(Store.open(site.config.store, SystemClock(), daemon=False)) as store:
            past = past_of(store, tick_ms=site.config.time.tick, inputs=False)
            asked = [alert]
            if rule is not None and rule.parts:
                known = {
                    name: store.history.alerts(rule=name, limit=_PARTS_READ) for name in rule.parts
                }
                parts = parts_of(alert, rule, known.__getitem__)[:_PARTS_MAX]
                asked = with_records(site, parts)
        found = []
        for each in asked:
            question = ask(site, each)
            gathered = gather(site, question, log_of(site), past)
            told = explain(question, gathered, records=records, whole_customers=whole_customers)
            found.append(told.to_json())
        return found
