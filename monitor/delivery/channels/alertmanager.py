"""Alert episodes as alerts of a Prometheus Alertmanager (API v2).

Owns the translation. Alertmanager knows alerts by their labels and forgets them unless they are
posted again, so what is sent is always the episode's *present state* from the store, never the
transition: a restart, or transitions that come late, cannot bring an old state back.

``severity`` is a label, as routes and inhibitions are written by it; so each level of an episode is
an alert of its own there. A post ends the level that was left in the same request, and ``endsAt``
of a firing alert is never more than ``resolved_for`` away: nothing fires on without us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import httpx
import msgspec

from monitor.clock import Clock
from monitor.decisions import Alert, Level, Refusal, iso
from monitor.delivery.channels.base import Channel
from monitor.delivery.people import CUSTOMER, masked
from monitor.delivery.remarks import NoRemarks, Remark, Remarks
from monitor.delivery.settings import AlertmanagerReceiver
from monitor.posting import client, post
from monitor.store.episodes import Episode
from monitor.store.outbox import Delivery

_SEVERITY: dict[Level, str] = {"warn": "warning", "crit": "critical"}
ALERTS_PER_POST = 500
_TEST_MS = 60_000


class EpisodeReader(Protocol):
    """What is needed of ``monitor.store.episodes.Episodes``."""

    def find(self, episode: str) -> Episode | None:
        """One episode."""
        ...

    def current(self, *, resolved_since_ms: int) -> list[Episode]:
        """Episodes that go on, or ended since."""
        ...


class AlertmanagerChannel(Channel):
    """Keeps one Alertmanager at the state of the store."""

    def __init__(
        self,
        settings: AlertmanagerReceiver,
        *,
        episodes: EpisodeReader,
        routed: Callable[[Alert], bool],
        clock: Clock,
        http: httpx.Client | None = None,
        remarks: Remarks | None = None,
    ) -> None:
        """``routed``: whether an alert's route leads here."""
        self._remarks = remarks or NoRemarks()
        self.repost_ms = settings.repost
        self._url = settings.url.get_secret_value().rstrip("/") + "/api/v2/alerts"
        self._lapse_ms = settings.resolved_for
        self._generator = settings.generator_url
        self._episodes = episodes
        self._routed = routed
        self._clock = clock
        self._http = client(settings.timeout) if http is None else http

    def send(self, delivery: Delivery) -> None:
        """Post the present state of the alert's episode, or a refusal.

        Raises:
            DeliveryError: see :func:`monitor.posting.classify`.
        """
        match delivery.decision:
            case Alert() as alert:
                episode = self._episodes.find(alert.episode)
                if episode is not None:
                    self._remarks.about(episode.alert)
                    self._post(self._alerts(episode, levels_left_since_ms=None))
            case Refusal() as refusal:
                self._post([_refusal(refusal, self._clock.now_ms(), self._lapse_ms)])
            case _:
                pass  # a command is no state that could be over

    def repost(self) -> None:
        """Post what fires, and for a while what has ended.

        Raises:
            DeliveryError: see :func:`monitor.posting.classify`.
        """
        since_ms = self._clock.now_ms() - self._lapse_ms
        found = [
            alert
            for episode in self._episodes.current(resolved_since_ms=since_ms)
            if not episode.alert.shadow and self._routed(episode.alert)
            for alert in self._alerts(episode, levels_left_since_ms=since_ms)
        ]
        for start in range(0, len(found), ALERTS_PER_POST):
            self._post(found[start : start + ALERTS_PER_POST])

    def test(self, receiver: str) -> str:
        """Post an alert that is over in a minute.

        Raises:
            DeliveryError: see :func:`monitor.posting.classify`.
        """
        now_ms = self._clock.now_ms()
        labels = {"alertname": "monitor_test", "severity": "info", "receiver": receiver}
        alert = {
            "labels": labels,
            "annotations": {"message_en": "This is a test.", "message_zh": "这是一条测试。"},
            "startsAt": iso(now_ms),
            "endsAt": iso(now_ms + _TEST_MS),
        }
        self._post([alert])
        return "it was taken; the alert is over in a minute"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _post(self, alerts: Sequence[dict[str, Any]]) -> None:
        post(self._http, self._url, msgspec.json.encode(alerts), {}, clock=self._clock)

    def _alerts(
        self, episode: Episode, *, levels_left_since_ms: int | None
    ) -> list[dict[str, Any]]:
        """The alert of the present level, and that of the level left (since then; None: ever)."""
        now_ms, alert = self._clock.now_ms(), episode.alert
        end_ms = now_ms + self._lapse_ms if episode.firing else min(alert.at_ms, now_ms)
        made = [self._alert(alert, alert.level, end_ms)]
        left = episode.previous_level
        if left is not None and (
            levels_left_since_ms is None or episode.level_recorded_ms >= levels_left_since_ms
        ):
            made.append(self._alert(alert, left, min(episode.level_since_ms, now_ms)))
        return made

    def _alert(self, alert: Alert, level: Level, end_ms: int) -> dict[str, Any]:
        made: dict[str, Any] = {
            "labels": labels_of(alert, level),
            "annotations": annotations_of(alert, self._remarks.known(alert)),
            "startsAt": iso(alert.since_ms),
            "endsAt": iso(max(alert.since_ms, end_ms)),  # Alertmanager refuses an end before it
        }
        if self._generator is not None:
            made["generatorURL"] = self._generator.replace("{episode}", alert.episode)
        return made


def labels_of(alert: Alert, level: Level) -> dict[str, str]:
    """The identity of an episode's level: rule, severity, scope.

    Two customers may look the same once masked; there the episode's id keeps them apart.
    """
    made = {"alertname": alert.rule, "severity": _SEVERITY[level], **dict(masked(alert).scope)}
    if CUSTOMER in made:
        made["episode"] = alert.episode
    return made


def annotations_of(alert: Alert, remark: Remark | None = None) -> dict[str, str]:
    """What people read; it may change while the alert fires."""
    shown = masked(alert)
    made = {f"message_{language}": text for language, text in shown.message.items()}
    value = shown.figures.value
    if remark is not None and remark.named:
        made |= {f"common_{language}": remark.text(language) for language in ("en", "zh")}
    return made | {
        "value": "" if value is None else f"{value:.6g}",
        "hits": f"{shown.figures.hits:.10g}",
        "of": f"{shown.figures.of:.10g}",
        "window": shown.figures.window,
        "reason": shown.reason,
        "episode": shown.episode,
    }


def _refusal(refusal: Refusal, now_ms: int, lapse_ms: int) -> dict[str, Any]:
    """A refusal is an event, not a state: it fires for a while and lapses."""
    return {
        "labels": {
            "alertname": "suspension_refused",
            "severity": _SEVERITY["warn"],
            "guard": refusal.guard,
            "pool": refusal.pool,
            "rule": refusal.rule,
        },
        "annotations": {"number": refusal.number, "detail": refusal.detail},
        "startsAt": iso(min(refusal.at_ms, now_ms)),
        "endsAt": iso(now_ms + lapse_ms),
    }
