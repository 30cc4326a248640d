"""The facts of a decision as plain values, which is all that a template gets.

Owns their names and forms (docs/messages.md lists them), and that customers are masked and nothing
in them is mark-up, wherever it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from monitor.decisions import (
    Alert,
    Command,
    Decision,
    Figures,
    Listing,
    Notice,
    Order,
    Refusal,
    Scope,
    derive_id,
)
from monitor.delivery.messages import sparkline
from monitor.delivery.messages.background import About
from monitor.delivery.messages.sentences import sentence
from monitor.delivery.messages.words import duration, word
from monitor.delivery.people import Digest, masked
from monitor.delivery.remarks import Remark
from monitor.logs import mask_customer
from monitor.numbers.guards import FAILURES

Clean = Callable[[str], str]
RECORDS_MAX = 5
DIGEST_LINES_MAX = 20
NEWEST_MAX = 10
"""Of a digest, those that are shown one by one."""
TEXT_MAX = 1_000
"""Characters of one value; what comes in events may be long."""
_STAND_INS = str.maketrans("<>[]*`&#", "＜＞［］∗ˋ＆＃")
_CONTROLS = dict.fromkeys([*range(32), 127, *range(0x2028, 0x202F), *range(0x2066, 0x206A)], " ")
"""Line breaks too, and what turns the direction of writing round."""


def plain(text: str) -> str:
    """One line without control characters."""
    return text.translate(_CONTROLS)[:TEXT_MAX]


def unmarked(text: str) -> str:
    """Without what chats read as mark-up: a name in an event must not call ``<at id=all>``.

    Look-alikes stand in, as the three chats know no way of quoting that all of them obey.
    """
    return plain(text).translate(_STAND_INS)


@dataclass(frozen=True, slots=True)
class Teller:
    """How one receiver is told."""

    language: str
    zone: tzinfo | None
    console: str | None
    """Address of the console, without a slash at its end; None: no links."""
    clean: Clean

    def alert(self, alert: Alert, about: About, remark: Remark | None) -> dict[str, Any]:
        """Of an alert."""
        shown = masked(alert)
        language, clean = self.language, self.clean
        title = about.title.get(language) or next(iter(about.title.values()), "") or alert.rule
        what = shown.message.get(language) or next(iter(shown.message.values()), "")
        url = self._page(alert)
        trend = () if remark is None else remark.trend
        return {
            "kind": "alert",
            "told": "",
            "id": alert.id,
            "episode": alert.episode,
            "rule": alert.rule,
            "title": clean(title),
            "level": alert.level,
            "state": alert.state,
            "reason": alert.reason,
            "names": clean(_names(shown.scope)),
            "scope": [{"name": name, "value": clean(value)} for name, value in shown.scope],
            "what": clean(what),
            **_figures(alert.figures),
            "bound": clean(about.bound.get(language, "")),
            "since": self.time(alert.since_ms),
            "at": self.time(alert.at_ms),
            "lasted": duration(alert.at_ms - alert.since_ms, language),
            "trend": sparkline.blocks(trend),
            "trend_svg": sparkline.svg(trend),
            "common": "" if remark is None else clean(_common(remark, language)),
            "bad": 0 if remark is None else remark.bad,
            "others": 0 if remark is None else remark.others,
            "records": _places(remark, clean),
            "done": [self._done(each) for each in about.done],
            "runbook": plain(about.runbook),
            "url": url,
            "acknowledge_url": url and f"{url}?do=acknowledge",
        }

    def notice(self, decision: Command | Refusal | Order | Listing) -> dict[str, Any]:
        """Of anything else that was decided."""
        common = {
            "id": decision.id,
            "told": "",
            "at": self.time(decision.at_ms),
            "url": self._page(decision),
        }
        clean = self.clean
        match decision:
            case Command() | Refusal():
                found = {"kind": "command" if isinstance(decision, Command) else "refusal"}
                found |= self._done(decision)
            case Order():
                found = {
                    "kind": "order",
                    "action": decision.action,
                    "customer": clean(mask_customer(decision.customer)),
                    "rule": decision.rule,
                }
            case Listing():
                found = {
                    "kind": "listing",
                    "action": decision.action,
                    "customer": clean(mask_customer(decision.customer)),
                    "reason": decision.reason,
                    "by": clean(decision.by),
                }
        return common | found

    def digest(self, digest: Digest) -> dict[str, Any]:
        """Of several that are told as one."""
        rows = sorted(digest.counts.items(), key=lambda row: (-row[1], row[0]))
        return {
            "kind": "digest",
            "id": digest.id,
            "why": digest.why,
            "level": "" if _is_over(digest) else digest.level or "",
            "count": digest.count,
            "from": self.time(digest.from_ms),
            "to": self.time(digest.to_ms),
            "rows": [
                {"what": what, "rule": rule, "level": level, "count": count}
                for (what, rule, level), count in rows[:DIGEST_LINES_MAX]
            ],
            "more": sum(count for _, count in rows[DIGEST_LINES_MAX:]),
            "newest": self._newest(digest),
            "url": "" if self.console is None else f"{self.console}/console/alerts",
        }

    def _newest(self, digest: Digest) -> list[dict[str, str]]:
        """Some of them, none that says the same as a later one."""
        found: dict[tuple[str, str], str] = {}
        for each in reversed(digest.newest):
            found.setdefault((self._line(each), self._page(each)), self.time(each.at_ms))
            if len(found) == NEWEST_MAX:
                break
        return [
            {"at": at, "what": self.clean(what), "url": url} for (what, url), at in found.items()
        ]

    def test(self, receiver: str, now_ms: int) -> dict[str, Any]:
        """Of a message that says no more than that it came."""
        url = "" if self.console is None else f"{self.console}/console/"
        return {
            "kind": "test",
            "id": derive_id("test", receiver, now_ms),
            "receiver": receiver,
            "at": self.time(now_ms),
            "url": url,
        }

    def _page(self, decision: Decision) -> str:
        """Where the console has the episode; empty where there is none."""
        if self.console is None or not isinstance(decision, Alert | Command | Refusal):
            return ""
        return decision.episode and f"{self.console}/console/alerts/{decision.episode}"

    def time(self, ms: int) -> str:
        """``2026-11-22 09:04:00 +08:00``, in the receiver's zone."""
        moment = datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(self.zone)
        text = moment.isoformat(" ", "seconds")
        return f"{text[:19]} {text[19:]}"

    def _sentence(self, kept: str) -> str:
        """What a guard or telephony said, in the reader's language and zone."""
        return sentence(kept, self.language, self._moment)

    def _moment(self, stamp: str) -> str:
        return self.time(int(datetime.fromisoformat(stamp).timestamp() * 1000))

    def _done(self, decision: Command | Refusal) -> dict[str, Any]:
        clean = self.clean
        if isinstance(decision, Refusal):
            return {
                "action": "refuse",
                "number": clean(decision.number),
                "rule": decision.rule,
                "reason": decision.guard,
                "detail": clean(self._sentence(decision.detail)),
                "pool": clean(decision.pool),
                "failed": decision.guard in FAILURES,
                "until": "",
                "replacement": "",
            }
        return {
            "action": decision.action,
            "number": clean(decision.number),
            "rule": decision.rule,
            "reason": decision.reason,
            "detail": "",
            "pool": "",
            "failed": False,
            "until": "" if decision.until_ms is None else self.time(decision.until_ms),
            "replacement": clean(decision.replacement or ""),
        }

    def _line(self, decision: Decision) -> str:
        """One line of a digest."""
        match decision:
            case Alert():
                texts = masked(decision).message
                said = texts.get(self.language) or next(iter(texts.values()), "")
                return said or f"{decision.rule} {_names(masked(decision).scope)}"
            case Order():
                return f"{word(decision.action, self.language)} {mask_customer(decision.customer)}"
            case Listing():
                said = word(f"do-not-call {decision.action}", self.language)
                return f"{said} {mask_customer(decision.customer)}"
            case Command():
                return f"{word(f'command {decision.action}', self.language)} {decision.number}"
            case Refusal():
                why = self._sentence(decision.detail) or word(decision.guard, self.language)
                whose = decision.number or decision.pool
                return f"{whose}: {why}" if whose else why
            case Notice():
                return " ".join(self._line(alert) for alert in decision.shown)


def _is_over(digest: Digest) -> bool:
    """Nothing in it fires."""
    return all(what == "alert resolved" for what, _, _ in digest.counts)


def _names(scope: Scope) -> str:
    return " ".join(value for _, value in scope)


def _common(remark: Remark, language: str) -> str:
    named = [replace(each, dimension=word(each.dimension, language)) for each in remark.named]
    return replace(remark, named=tuple(named)).text(language)


def _places(remark: Remark | None, clean: Clean) -> list[str]:
    return [] if remark is None else [clean(place) for place in remark.records[:RECORDS_MAX]]


def _figures(figures: Figures) -> Mapping[str, str]:
    return {
        "value": _value(figures),
        "hits": f"{figures.hits:.10g}",
        "of": f"{figures.of:.10g}",
        "window": figures.window,
        "figure": figures.kind,
    }


def _value(figures: Figures) -> str:
    value = figures.value
    if value is None:
        return ""
    if figures.kind != "ratio":
        return f"{value:.4g}"
    return f"{value:.2%}" if abs(value) < 0.05 else f"{value:.1%}"
