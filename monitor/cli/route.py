"""``monitor route``: who would hear of an alert or a refusal, when and why; nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, cast, get_args

import typer

from monitor.cli.declare import one_of, single
from monitor.cli.handling import alert_named, refusal_named
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import lines, stamp
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import Level
from monitor.delivery.routes import Router
from monitor.delivery.routing.plan import Plan
from monitor.delivery.routing.preview import Preview, in_words, preview
from monitor.delivery.routing.refusals import Refused
from monitor.errors import StoreError, UsageError
from monitor.logs import mask_customer
from monitor.numbers.guards import FAILURES, Guard
from monitor.people.matchers import labels_of
from monitor.site import Site
from monitor.store.routed import Told
from monitor.store.silenced import Silence
from monitor.store.store import Store

LEVELS = ("warn", "crit")


def route(
    alert: Annotated[
        str | None,
        typer.Argument(metavar="ALERT", help="Id of an alert or its episode, or how one begins."),
    ] = None,
    config: ConfigOption = None,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="ID", help="An alert that there might be.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="NAME=VALUE",
            help="What it would be about, such as team=T1; repeat for several.",
        ),
    ] = None,
    level: Annotated[
        str, typer.Option("--level", metavar="LEVEL", help="Of it: warn or crit.")
    ] = "crit",
    refusal: Annotated[
        str | None,
        typer.Option(
            "--refusal",
            metavar="GUARD",
            help="Not the alert but that its suspension is refused, by max_fraction for one, or"
            " that telephony does otherwise: telephony_silent, suspend_rejected, …",
        ),
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="When; now without it. As 2026-11-22T09:00, local unless it names a zone.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Who would hear of an alert or a refusal, when, and why each route would take it or not.

    Of one that there was it also says what became of it. Ends with status 1 where nobody would
    hear.
    """
    if (alert is None) == (rule is None):
        raise UsageError("name an alert, or say which rule: --rule ID --scope NAME=VALUE")
    if alert is not None and refusal is not None:
        raise UsageError("--refusal goes with --rule: a refusal that there was has an id")
    site = site_of(config)
    plan = Router(site.config.delivery, telephony=False, packs=site.packs_of_rules).people
    now_ms = SystemClock().now_ms() if at is None else int(at.timestamp() * 1000)
    told: Sequence[Told] = ()
    if alert is None:
        assert rule is not None  # noqa: S101 - asked above
        severity = cast("Level", one_of(level, LEVELS))
        labels = _labels(site, plan, rule, scope or [], severity)
        if refusal is not None:
            guard = one_of(refusal, get_args(Guard))
            severity = "crit" if guard in FAILURES or not labels.get("number") else severity
            labels |= {"kind": "refusal", "guard": guard, "level": severity}
            labels["route"] = labels["route"] or plan.pages
        silences = _silences(site, now_ms)
    else:
        with store_of(site) as store:
            labels = _labels_of(store, plan, alert)
            told = store.routing.told(labels["episode"])
            silences = store.silenced.standing(now_ms)
        severity = cast("Level", labels["level"])
    found = preview(plan, labels, severity, now_ms, silences)
    if as_json:
        shown = found.to_json()
        shown["labels"] = _masked(shown["labels"])
        shown["told"] = [_told(each) for each in told]
        say(json.dumps(shown, ensure_ascii=False))
    else:
        _show(found, told)
    raise typer.Exit(0 if found.anybody else 1)


def _labels_of(store: Store, plan: Plan, name: str) -> dict[str, str]:
    """Of an alert, or of a refusal, that there was."""
    refusal = refusal_named(store, name)
    if refusal is None:
        row = alert_named(store, name)
        return labels_of(row.alert, team=row.team, pack=plan.packs.get(row.alert.rule, ""))
    behind = store.handled.entry(refusal.episode) if refusal.episode else None
    alert, team = (None, "") if behind is None else (behind.alert, behind.team)
    return Refused.of(refusal, alert, team, plan).labels


def _labels(
    site: Site, plan: Plan, rule: str, scope: Sequence[str], level: Level
) -> dict[str, str]:
    known = {each.id: each for each in site.rules}
    one_of(rule, known)
    pairs = [pair.partition("=") for pair in scope]
    if not all(name and sign for name, sign, _ in pairs):
        raise UsageError("a scope is NAME=VALUE, such as team=T1")
    named = {name: value for name, _, value in pairs}
    own = {
        "kind": "alert",
        "rule": rule,
        "level": level,
        "route": known[rule].notify.route,
        "pack": plan.packs.get(rule, ""),
    }
    return own | {"team": "", "episode": ""} | named


def _silences(site: Site, now_ms: int) -> list[Silence]:
    try:
        with store_of(site) as store:
            return store.silenced.standing(now_ms)
    except StoreError:
        return []  # there is no store yet, so nobody silenced anything


def _show(found: Preview, told: Sequence[Told]) -> None:
    now_ms = SystemClock().now_ms()
    terminal = lines()
    named = ", ".join(
        f"{name}={value}"
        for name, value in _masked(found.labels).items()
        if value and (name, value) != ("kind", "alert")
    )
    terminal.print(f"{stamp(found.at_ms, now_ms=now_ms)} {named}")
    if found.silence is not None:
        until = stamp(found.silence.until_ms, now_ms=now_ms)
        why = f"{found.silence.by}: {found.silence.reason}"
        terminal.print(f"silenced until {until} by {why}; without that:")
    for each in found.said:
        terminal.print(f"{'●' if each.taken else '○'} {each.route} {each.why}")
        for when, to in each.heard:
            terminal.print(f"    {when}: {'; '.join(map(in_words, to)) or 'nobody'}")
    for telling in told:
        became = telling.cause or telling.state
        at = stamp(telling.at_ms, now_ms=now_ms)
        terminal.print(f"it was: {at} {telling.route}: {became}")


def _told(each: Told) -> dict[str, str | int]:
    return {
        "alert": each.decision,
        "route": each.route,
        "state": each.state,
        "cause": each.cause,
        "message": each.notice,
    }


def _masked(labels: object) -> dict[str, str]:
    named = cast("dict[str, str]", labels)
    return {
        name: mask_customer(text) if name == "customer" else text for name, text in named.items()
    }


app = single(
    "route",
    route,
    "route 3f9c2a",
    "route --rule number-hangup --scope number=+862150000007 --level crit",
    "route --rule number-hangup --scope number=+862150000007 --refusal telephony_silent",
    "route --rule idle-agent --scope agent=a-17,team=T1 --at 2026-11-22T22:00 --json",
)
