"""Alerts as JSON: what is said of one, in a list and by itself.

Owns the models and how they are filled in; which alerts, and who may see them, is ``alerts_api``'s.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from monitor.decisions import Alert, Decision, iso
from monitor.store.handled import Act, Handling, InboxRow
from monitor.web.access import Caller
from monitor.web.application import words_for
from monitor.web.customers import masked, masked_scope
from monitor.web.hearing import Telling
from monitor.web.tables import Tables

_TOLD: Final = (
    "episode", "rule", "level", "state", "reason", "since", "at", "value", "hits", "of", "window",
    "evidence", "shadow",
)  # fmt: skip


class Handled(BaseModel):
    """How an alert stands with people."""

    acknowledged_by: str | None = Field(description="Who knows of it; null: nobody said so")
    acknowledged: str | None = Field(description="When")
    holds: bool = Field(description="It is known at its present level")
    note: str = Field(description="What was said with it")
    assigned_to: str | None = Field(description="Who has it; null: nobody")


class AlertRow(BaseModel):
    """An episode, as of its latest transition."""

    episode: str = Field(description="Its id for people")
    rule: str = Field(description="The rule that fires")
    indicator: str = Field(description="What the rule looks at; empty for one on events")
    area: str = Field(description="The side of the business it is on")
    level: Literal["warn", "crit"] = Field(description="How bad")
    state: Literal["firing", "resolved"] = Field(description="Whether it goes on")
    reason: str = Field(description="Why the latest transition was taken")
    scope: dict[str, str] = Field(description="Whom it is about: dimensions and their values")
    team: str = Field(description="Whose it is; empty: no one team's")
    since: str = Field(description="When it began")
    at: str = Field(description="The tick of its latest transition")
    value: float | None = Field(description="The figure that the rule judged")
    hits: float = Field(description="Above the line")
    of: float = Field(description="Below the line")
    window: str = Field(description="Over which window; empty for an event")
    kind: Literal["ratio", "mean", "count"] = Field(description="How the value is to be written")
    evidence: dict[str, Any] = Field(
        description="How sure the rule is: `method`, `score`, and what is `needed`"
    )
    message: dict[str, str] = Field(description="What the rule says, by language")
    shadow: bool = Field(description="Its rule only tries: nobody is told")
    handled: Handled = Field(description="What people did about it")
    yours: bool = Field(description="Whether the caller may act on it")
    silenced_until: str | None = Field(
        description="Nobody is told of it until then, as people said; null: it is not silenced"
    )


class Inbox(BaseModel):
    """A page of alerts, the newest first."""

    alerts: list[AlertRow] = Field(description="One row an episode")
    firing: dict[str, int] = Field(description="How many fire now, by level")
    next: str | None = Field(description="For `cursor`, where there are more")


class AlertWhole(AlertRow):
    """One alert with what came of it."""

    course: list[dict[str, Any]] = Field(description="Its transitions, the oldest first")
    commands: list[dict[str, Any]] = Field(description="What was done about numbers for it")
    refusals: list[dict[str, Any]] = Field(description="What a guard did not let through")
    acts: list[dict[str, Any]] = Field(description="What people did, the newest first")
    told: list[Telling] = Field(
        description="Who was told, or why nobody was, the oldest first; kept with `store.retention`"
    )
    runbook: str = Field(description="What to do about it, as its rule says: text, or an address")


class Explained(BaseModel):
    """What can be said of one rule's alert: docs/explain.md."""

    rule: str = Field(description="Whose alert it is")
    bad: int = Field(description="How many records are bad")
    rest: int = Field(description="How many others there are")
    complete: bool | None = Field(
        description="The log still says what the alert said; null: rows alone cannot tell"
    )
    common: list[dict[str, Any]] = Field(
        description="What the bad ones have in common, by dimension"
    )
    records: list[dict[str, Any]] = Field(description="The bad ones, the newest first")


class Records(BaseModel):
    """The records behind an alert, and what they have in common."""

    explanations: list[Explained] = Field(description="One; of a rule on rules one for each part")


def alert_row(
    row: InboxRow, tables: Tables | None, caller: Caller, *, full: bool
) -> dict[str, Any]:
    """A row of the inbox as JSON."""
    alert = row.alert
    team = row.team or ("" if tables is None else tables.team(alert.scope))
    indicator = "" if tables is None else tables.indicator_of.get(alert.rule, "")
    info = None if tables is None else tables.infos.get(indicator)
    told = alert.to_json()
    scope, message = told["scope"], told["message"]
    if not full:
        scope, message = masked(scope, message)
    return {name: told[name] for name in _TOLD} | {
        "indicator": indicator,
        "area": "" if info is None else info.area,
        "kind": alert.figures.kind,
        "scope": scope,
        "team": team,
        "message": message,
        "handled": _handled(row.handling, alert, caller),
        "yours": caller.acts_on(team),
    }


def act_row(act: Act, caller: Caller) -> dict[str, Any]:
    """What somebody did, as JSON."""
    details = {
        name: words_for(caller, value) if isinstance(value, str) else value
        for name, value in act.details.items()
        if name in {"note", "to", "reason"}
    }
    return {"at": iso(act.at_ms), "who": act.who, "what": act.what, **details}


def transition(alert: Alert) -> dict[str, Any]:
    """One transition of an episode as JSON."""
    told = alert.to_json()
    names = ("at", "state", "level", "reason", "value", "hits", "of", "evidence")
    return {name: told[name] for name in names}


def undone(decision: Decision, caller: Caller, *, full: bool) -> dict[str, Any]:
    """A refusal, or an order to another system, as JSON."""
    told = decision.to_json()
    if not full and "scope" in told:
        told["scope"] = masked_scope(told["scope"])
    if "detail" in told:
        told["detail"] = words_for(caller, told["detail"])
    return told


def _handled(handling: Handling, alert: Alert, caller: Caller) -> dict[str, Any]:
    when = handling.acknowledged_ms
    return {
        "acknowledged_by": handling.acknowledged_by,
        "acknowledged": None if when is None else iso(when),
        "holds": handling.covers(alert.level),
        "note": words_for(caller, handling.note),
        "assigned_to": handling.assigned_to,
    }
