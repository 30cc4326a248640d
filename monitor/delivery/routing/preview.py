"""Who would hear of an alert at some time, and why each route would take it or not.

Owns the answer as values and as sentences; nothing is sent, and nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.decisions import Level, iso
from monitor.delivery.routing.plan import Plan, Target, Verdict
from monitor.people.matchers import misses
from monitor.store.silenced import Silence
from monitor.units import format_duration
from monitor.windows.hours import NEVER_AGAIN


@dataclass(frozen=True, slots=True)
class Said:
    """What one route says."""

    route: str
    taken: bool
    why: str
    """One sentence, without a full stop."""
    heard: tuple[tuple[str, tuple[Target, ...]], ...] = ()
    """When, and who, in order."""


@dataclass(frozen=True, slots=True)
class Preview:
    """All of it."""

    at_ms: int
    labels: Mapping[str, str]
    silence: Silence | None
    """What would hold it."""
    said: tuple[Said, ...]

    @property
    def anybody(self) -> bool:
        """Whether somebody would hear."""
        return self.silence is None and any(
            not target.silent for each in self.said for _, to in each.heard for target in to
        )

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        silence = self.silence
        return {
            "at": iso(self.at_ms),
            "labels": dict(self.labels),
            "silenced": None
            if silence is None
            else {"id": silence.id, "until": iso(silence.until_ms), "by": silence.by},
            "routes": [
                {
                    "route": each.route,
                    "taken": each.taken,
                    "why": each.why,
                    "heard": [
                        {"when": when, "to": [_target(target) for target in to]}
                        for when, to in each.heard
                    ],
                }
                for each in self.said
            ],
        }


def preview(
    plan: Plan, labels: Mapping[str, str], level: Level, now_ms: int, silences: Sequence[Silence]
) -> Preview:
    """What would come of an alert with these labels at ``now_ms`` (wall time)."""
    silence = next(
        (s for s in silences if s.until_ms > now_ms and not misses(s.matchers, labels)), None
    )
    said = tuple(_said(plan, each, labels, level, now_ms) for each in plan.verdicts(labels, now_ms))
    return Preview(now_ms, labels, silence, said)


def in_words(target: Target) -> str:
    """``zhang by ding-zhang, sms-zhang (floor's turn)``."""
    if target.silent:
        return f"nobody, {', '.join(target.receivers)} alone"
    if not target.person:
        return ", ".join(target.receivers)
    via = f" ({target.via}'s turn)" if target.via else ""
    return f"{target.person} by {', '.join(target.receivers)}{via}"


def _said(
    plan: Plan, verdict: Verdict, labels: Mapping[str, str], level: Level, now_ms: int
) -> Said:
    route = verdict.route
    if not verdict.taken:
        return Said(route.name, taken=False, why=_why_not(verdict, labels, now_ms))
    first_ms = now_ms
    when, why = "at once", "takes it"
    if route.wait_ms:
        wait = format_duration(route.wait_ms)
        when = f"after {wait}, with others alike in {', '.join(route.group_by) or 'nothing'}"
    if not verdict.in_hours and route.hours is not None:
        first_ms = route.hours.next_ms(now_ms)
        why = "takes it, and holds it until its hours begin"
        when = f"at {iso(first_ms)}"
    if not route.to:
        return Said(route.name, taken=True, why="takes it, and tells nobody")
    heard = [(when, tuple(plan.targets(route.to, level, first_ms)))]
    for step in route.steps:
        to = plan.targets(step.to, level, first_ms + step.after_ms)
        heard.append((f"{format_duration(step.after_ms)} later, unacknowledged", tuple(to)))
    if route.repeat is not None:
        every = format_duration(route.repeat.every)
        again = plan.targets(route.to, level, first_ms + route.repeat.every)
        heard.append((f"again after {every} without news, unacknowledged", tuple(again)))
    if verdict.in_hours and route.hours is not None and not route.holds:
        end_ms = route.hours.end_ms(now_ms)
        if end_ms < NEVER_AGAIN:
            then = plan.taking(labels, end_ms) if plan.anybody(labels, level, end_ms) else ()
            others = [each for after in then for each in plan.targets(after.to, level, end_ms)]
            heard.append((f"from {iso(end_ms)}, unacknowledged", tuple(others)))
    return Said(route.name, taken=True, why=why, heard=tuple(heard))


def _why_not(verdict: Verdict, labels: Mapping[str, str], now_ms: int) -> str:
    route = verdict.route
    if verdict.misses:
        named = [
            f"{name} is {labels.get(name) or 'not there'}, not {' or '.join(route.match[name])}"
            for name in verdict.misses
        ]
        return f"does not match: {'; '.join(named)}"
    if not verdict.looked_at:
        return "is not looked at: a route before it takes the alert"
    assert route.hours is not None  # noqa: S101 - nothing else is left that could be why
    return f"is out of its hours until {iso(route.hours.next_ms(now_ms))}"


def _target(target: Target) -> dict[str, Any]:
    return {
        "silent": target.silent,
        "person": target.person,
        "receivers": list(target.receivers),
        "rotation": target.via,
    }
