"""``monitor alerts ack|assign|silence|…``: what people do about alerts, from the command line.

Owns the command line only; ``monitor.people.desk`` does it. Nothing waits for the daemon: an act
takes effect in the store, and the daemon looks there before it tells anybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from monitor.cli.asking import who_asks
from monitor.cli.declare import duration, one_of, some_duration
from monitor.cli.live import sentence
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import console, document, plain_table, stamp
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import Refusal, iso
from monitor.errors import UsageError
from monitor.people.desk import PeopleDesk, UnknownError
from monitor.people.matchers import masked
from monitor.store.handled import Act, InboxRow, Wanted
from monitor.store.silenced import Silence
from monitor.store.store import Store

_T = TypeVar("_T")

AlertArgument = Annotated[
    str, typer.Argument(metavar="ALERT", help="Id of an alert or its episode, or how one begins.")
]
LimitOption = Annotated[
    int, typer.Option("--limit", metavar="N", min=1, max=1_000, help="At most so many.")
]


def alert_named(store: Store, begins: str) -> InboxRow:
    """The episode that is meant.

    Raises:
        UsageError: there is none, or more than one.
    """
    cleaned = begins.strip().lower()
    if len(cleaned) < 4 or not set(cleaned) <= set("0123456789abcdef"):
        msg = f"{begins!r} is no id: `monitor alerts inbox` shows them"
        raise UsageError(msg)
    found = store.history.alerts_named(cleaned)
    episodes = list(dict.fromkeys(alert.episode for alert in found))
    if not episodes:
        msg = f"no alert is called {begins}: `monitor alerts inbox` shows them"
        raise UsageError(msg)
    if len(episodes) > 1:
        msg = f"{len(episodes)} alerts begin with {begins}: give more of it"
        raise UsageError(msg)
    row = store.handled.entry(episodes[0])
    if row is None:
        msg = f"{begins} is so long over that nobody keeps its handling"
        raise UsageError(msg)
    return row


def refusal_named(store: Store, begins: str) -> Refusal | None:
    """The refusal that is meant; None: no one refusal is called so."""
    cleaned = begins.strip().lower()
    if len(cleaned) < 4 or not set(cleaned) <= set("0123456789abcdef"):
        return None
    found = store.history.refusals_named(cleaned)
    return found[0] if len(found) == 1 else None


def inbox(
    config: ConfigOption = None,
    state: Annotated[
        str, typer.Option("--state", metavar="STATE", help="firing, resolved or all.")
    ] = "firing",
    team: Annotated[
        list[str] | None,
        typer.Option("--team", metavar="NAME", help="Of this team; repeat for several."),
    ] = None,
    rule: Annotated[str | None, typer.Option("--rule", metavar="ID", help="Of one rule.")] = None,
    unacknowledged: Annotated[
        bool, typer.Option("--unacknowledged", help="Only what nobody has acknowledged.")
    ] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """Alerts with who acknowledged them and who has them, the newest first."""
    one_of(state, ("firing", "resolved", "all"))
    wanted = Wanted(
        state=None if state == "all" else state,  # type: ignore[arg-type]  # one of these
        rule=rule,
        teams=None if team is None else frozenset(team),
        acknowledged=False if unacknowledged else None,
    )
    page = _at_desk(config, lambda desk: desk.inbox(wanted, limit=limit))
    if as_json:
        for row in page.rows:
            say(json.dumps(_row(row), ensure_ascii=False))
        return
    if not page.rows:
        say("the inbox is empty")
        return
    now_ms = SystemClock().now_ms()
    table = plain_table("id", "since", "team", "alert", "acknowledged", "assigned")
    for row in page.rows:
        handling = row.handling
        known = handling.acknowledged_by or ""
        if known and not handling.covers(row.alert.level):
            known += ", before it got worse"
        since = stamp(row.alert.since_ms, now_ms=now_ms)
        words = (row.team or "–", sentence(row.alert), known or "–", handling.assigned_to or "–")
        table.add_row(row.alert.episode[:8], since, *words)
    console().print(table)
    if page.cursor is not None:
        say("… and more")


def acknowledge(
    alert: AlertArgument,
    config: ConfigOption = None,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="Kept with it, for whoever looks.")
    ] = "",
) -> None:
    """Say that somebody knows: nobody further is told, until it gets worse.

    Of a refusal, too, by its id: the one page of a wave has no alert of its own.
    """

    def act(store: Store, desk: PeopleDesk) -> str:
        refusal = refusal_named(store, alert)
        if refusal is not None:
            desk.acknowledge(refusal.id, who_asks(), note)
            return f"{refusal.id[:8]}: acknowledged"
        row = alert_named(store, alert)
        desk.acknowledge(row.alert.episode, who_asks(), note)
        return f"{row.alert.episode[:8]}: acknowledged at level {row.alert.level}"

    say(_with_store(config, act))


def assign(
    alert: AlertArgument,
    config: ConfigOption = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="NAME", help="Whose it is from now on.")
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="It is nobody's any more.")] = False,
) -> None:
    """Say whose alert it is."""
    if nobody == (to is not None):
        raise UsageError("say whose it is: --to NAME, or --nobody")

    def act(store: Store, desk: PeopleDesk) -> str:
        row = alert_named(store, alert)
        desk.assign(row.alert.episode, to, who_asks())
        return f"{row.alert.episode[:8]}: assigned to {to or 'nobody'}"

    say(_with_store(config, act))


def silence(
    matchers: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=PATTERN…",
            help="Labels and what they look like: rule=line-* team=T1. `*` stands for anything,"
            " `!` before a pattern for the others.",
        ),
    ],
    reason: Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept with it.")],
    config: ConfigOption = None,
    length: Annotated[
        int | None,
        typer.Option(
            "--for", metavar="DURATION", parser=some_duration, help="From now on, such as 2h."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", metavar="TIME", help="As 2026-11-22T18:00, local."),
    ] = None,
) -> None:
    """Tell nobody of these alerts for a while; they are decided and listed as ever."""
    if (length is None) == (until is None):
        raise UsageError("say how long: --for 2h, or --until TIME")
    until_ms = SystemClock().now_ms() + (length or 0)
    if until is not None:
        until_ms = int(until.timestamp() * 1000)
    patterns: dict[str, list[str]] = {}
    for each in matchers:
        name, sign, pattern = each.partition("=")
        if not sign or not name:
            msg = f"{each!r} is not NAME=PATTERN, such as rule=line-*"
            raise UsageError(msg)
        patterns.setdefault(name, []).append(pattern)
    made = _at_desk(config, lambda desk: desk.silence(patterns, until_ms, who_asks(), reason))
    say(f"{made.id[:8]}: silenced until {iso(made.until_ms)}")


def silences(
    config: ConfigOption = None,
    over: Annotated[bool, typer.Option("--over", help="Those that are over, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Silences: what nobody is told of, until when, who said so and why."""
    found = _at_desk(config, lambda desk: desk.silences(over=over))
    if as_json:
        for each in found:
            say(json.dumps(_silence(each), ensure_ascii=False))
        return
    if not found:
        say("nothing is silenced")
        return
    now_ms = SystemClock().now_ms()
    table = plain_table("id", "until", "what", "by", "why")
    for each in found:
        until = stamp(each.until_ms, now_ms=now_ms)
        table.add_row(each.id[:8], until, _matchers(each), each.by, each.reason)
    console().print(table)


def unsilence(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="As `alerts silences` shows it, or its beginning.")
    ],
    config: ConfigOption = None,
) -> None:
    """End a silence now; what still fires is told."""

    def act(_store: Store, desk: PeopleDesk) -> str:
        found = [s for s in desk.silences(over=True) if s.id.startswith(name.strip().lower())]
        if len(found) != 1 or not name.strip():
            msg = f"{len(found)} silences begin with {name!r}: `monitor alerts silences` shows them"
            raise UsageError(msg)
        ended = desk.end_silence(found[0].id, who_asks())
        return f"{found[0].id[:8]}: {'ended' if ended else 'it was over already'}"

    say(_with_store(config, act))


def acts(
    config: ConfigOption = None,
    since: Annotated[
        int,
        typer.Option(
            "--since", metavar="DURATION", parser=duration, help="How far back, such as 24h."
        ),
    ] = "7d",  # type: ignore[assignment]  # parsed as if it were given
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """Who did what about alerts, and when; the newest first."""
    now_ms = SystemClock().now_ms()
    found = _at_desk(config, lambda desk: desk.acts(since_ms=now_ms - since, limit=limit))
    if as_json:
        for each in found:
            say(json.dumps(_act(each), ensure_ascii=False))
        return
    if not found:
        say("nobody has done anything")
        return
    table = plain_table("at", "who", "what", "about", "details")
    for each in found:
        details = ", ".join(f"{name}={value}" for name, value in _details(each).items() if value)
        at = stamp(each.at_ms, now_ms=now_ms)
        table.add_row(at, each.who, each.what, each.about[:8], details)
    console().print(table)


def _at_desk(config: Path | None, act: Callable[[PeopleDesk], _T]) -> _T:
    return _with_store(config, lambda _store, desk: act(desk))


def _with_store(config: Path | None, act: Callable[[Store, PeopleDesk], _T]) -> _T:
    with store_of(site_of(config)) as store:
        try:
            return act(store, PeopleDesk(store, SystemClock()))
        except (ValueError, UnknownError) as error:
            raise UsageError(str(error)) from error


def _row(row: InboxRow) -> dict[str, Any]:
    handling = row.handling
    known_ms = handling.acknowledged_ms
    return document(row.alert) | {
        "team": row.team,
        "acknowledged": handling.covers(row.alert.level),
        "acknowledged_by": handling.acknowledged_by,
        "acknowledged_at": None if known_ms is None else iso(known_ms),
        "note": handling.note,
        "assigned_to": handling.assigned_to,
    }


def _silence(each: Silence) -> dict[str, Any]:
    return {
        "id": each.id,
        "matchers": masked(each.matchers),
        "begun": iso(each.begun_ms),
        "until": iso(each.until_ms),
        "by": each.by,
        "reason": each.reason,
        "ended_by": each.ended_by,
    }


def _act(each: Act) -> dict[str, Any]:
    return {
        "at": iso(each.at_ms),
        "id": each.id,
        "who": each.who,
        "what": each.what,
        "about": each.about,
        **_details(each),
    }


def _details(each: Act) -> dict[str, Any]:
    details = dict(each.details)
    if "matchers" in details:
        details["matchers"] = masked(details["matchers"])
    if "until_ms" in details:
        details["until"] = iso(details.pop("until_ms"))
    return details


def _matchers(each: Silence) -> str:
    patterns = masked(each.matchers)
    return ", ".join(f"{name}={' or '.join(found)}" for name, found in patterns.items())
