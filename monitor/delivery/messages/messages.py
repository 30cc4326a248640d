"""Decisions as messages of one receiver: the facts of each, through its templates.

Owns which template a decision takes, and that people hear of it even where a site's own template is
wrong: then the one that ships is taken, and the log says so once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import structlog

from monitor.decisions import Alert, Command, Decision, Listing, Notice, Order, Refusal
from monitor.delivery.messages import sparkline
from monitor.delivery.messages.background import Background, NoBackground
from monitor.delivery.messages.facts import Clean, Teller, plain, unmarked
from monitor.delivery.messages.templates import LANGUAGES, Form, Templates, parted
from monitor.delivery.people import Digest
from monitor.delivery.receivers import PeopleReceiver
from monitor.delivery.remarks import NoRemarks, Remarks
from monitor.errors import ConfigError

log = structlog.get_logger(__name__)

Tone = Literal["bad", "worrying", "good", "plain"]
_CLEAN: dict[Form, Clean] = {"txt": plain, "md": unmarked, "html": plain}
_OPEN = {"zh": "查看", "en": "Open"}
_ACKNOWLEDGE = {"zh": "确认", "en": "Acknowledge"}
_SHIPPED = Templates()


class Link(NamedTuple):
    """A way into the console."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Message:
    """What one receiver is told of one decision."""

    id: str
    """Of the decision; the same whenever it is told again."""
    episode: str
    """Of an alert; messages of one episode belong together. Else empty."""
    title: str
    body: str
    """Below the title."""
    tone: Tone
    links: tuple[Link, ...] = ()
    """The one to press first stands first."""
    trend: tuple[float | None, ...] = ()
    page: str = ""
    """The same as HTML, where that was asked for."""

    @property
    def text(self) -> str:
        """Title and body together."""
        return f"{self.title}\n{self.body}".strip()


@dataclass(frozen=True, slots=True)
class Sources:
    """Where everything that messages tell comes from; one for all receivers."""

    templates: Templates = field(default_factory=Templates)
    remarks: Remarks = field(default_factory=NoRemarks)
    background: Background = field(default_factory=NoBackground)
    console: str | None = None
    """Address of the console, without a slash at its end; None: messages hold no links."""
    zone: str | None = None
    """Of times, for receivers that have none of their own; None: the daemon's."""


class Messages:
    """The messages of one receiver; its delivery thread uses it."""

    def __init__(self, settings: PeopleReceiver, sources: Sources) -> None:
        self._language = settings.language
        zone = settings.zone or sources.zone
        self._zone = None if zone is None else ZoneInfo(zone)
        self._sources = sources
        self._told_of: set[str] = set()

    def of(self, decision: Decision, form: Form, *, page: bool = False) -> Message:
        """The message of one decision; may wait a moment for what is said of an alert besides.

        ``page``: as HTML too.
        """
        asked = _Asked(self._language, form, page)
        if isinstance(decision, Notice):
            return self.digest(Digest.told(decision), form, page=page)
        if isinstance(decision, Alert):
            return self._alert(decision, asked, decision.id, "")
        return self._notice(decision, asked, decision.id, "")

    def digest(self, digest: Digest, form: Form, *, page: bool = False) -> Message:
        """The message of several that are told as one; one alone stays itself."""
        known = digest.language.partition("-")[0]
        asked = _Asked(known if known in LANGUAGES else self._language, form, page)
        first = digest.newest[-1] if digest.newest else None
        if digest.count == 1 and isinstance(first, Alert):
            return self._alert(
                first, asked, digest.id, "" if digest.why == "alerts" else digest.why
            )
        if digest.count == 1 and isinstance(first, Refusal):
            return self._notice(
                first, asked, digest.id, "" if digest.why == "alerts" else digest.why
            )
        return self._message("digest", asked, _tone_of(digest), lambda t: t.digest(digest))

    def test(self, receiver: str, now_ms: int, form: Form, *, page: bool = False) -> Message:
        """A message that says no more than that it came."""
        asked = _Asked(self._language, form, page)
        return self._message("test", asked, "plain", lambda t: t.test(receiver, now_ms))

    def _alert(self, alert: Alert, asked: _Asked, name: str, why: str) -> Message:
        """``name``: the message's id; ``why``: it is told, where it is not simply news."""
        about = self._sources.background.of(alert)
        remark = self._sources.remarks.about(alert)
        return self._message(
            "alert",
            asked,
            _tone(alert),
            lambda teller: teller.alert(alert, about, remark) | {"id": name, "told": why},
            trend=() if remark is None else remark.trend,
        )

    def _notice(
        self, decision: Command | Refusal | Order | Listing, asked: _Asked, name: str, why: str
    ) -> Message:
        """As :meth:`_alert`, of anything else."""
        tone: Tone = "worrying" if isinstance(decision, Refusal) else "plain"
        return self._message(
            "notice", asked, tone, lambda t: t.notice(decision) | {"id": name, "told": why}
        )

    def _message(
        self,
        kind: str,
        asked: _Asked,
        tone: Tone,
        told: Callable[[Teller], dict[str, Any]],
        *,
        trend: tuple[float | None, ...] = (),
    ) -> Message:
        def rendered(form: Form) -> tuple[dict[str, Any], str]:
            console = self._sources.console
            facts = told(Teller(asked.language, self._zone, console, _CLEAN[form]))
            return facts, self._rendered(kind, asked.language, form, facts)

        facts, text = rendered(asked.form)
        title, body = parted(text)
        links = [
            Link(labels[asked.language], facts[name])
            for name, labels in (("acknowledge_url", _ACKNOWLEDGE), ("url", _OPEN))
            if facts.get(name) and not (name == "acknowledge_url" and tone == "good")
        ]
        return Message(
            facts["id"],
            facts.get("episode", ""),
            title,
            body,
            tone,
            tuple(links),
            trend,
            rendered("html")[1].strip() if asked.page else "",
        )

    def _rendered(self, kind: str, language: str, form: Form, facts: Mapping[str, Any]) -> str:
        try:
            return self._sources.templates.render(kind, language, form, facts)
        except ConfigError as error:
            if kind not in self._told_of:
                self._told_of.add(kind)
                log.error("template_failed", detail=str(error))  # noqa: TRY400 - said in full
            return _SHIPPED.render(kind, language, form, facts)


class _Asked(NamedTuple):
    """How a message is wanted."""

    language: str
    form: Form
    page: bool


def drawn(message: Message) -> bytes:
    """The trend as a PNG; empty where there is none."""
    return sparkline.png(message.trend)


def _tone(alert: Alert) -> Tone:
    if alert.state == "resolved":
        return "good"
    return "bad" if alert.level == "crit" else "worrying"


def _tone_of(digest: Digest) -> Tone:
    if all(what == "alert resolved" for what, _, _ in digest.counts):
        return "good"
    return "bad" if digest.level == "crit" else "worrying"
