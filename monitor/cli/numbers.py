"""``monitor numbers``: outbound numbers, by hand.

Owns the command line only: what a person asks for is left in the store, and the daemon carries it
out with its next tick, by the same path and under the same audit as a rule's.
"""

from __future__ import annotations

import getpass
import json
import os
import threading
import uuid
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import status
from monitor.cli.declare import group, member, some_duration
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import console, lines, plain_table, span, stamp, stamp_of
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import NumberChange, iso
from monitor.numbers import asking

app = group("Outbound numbers: list, act, history.")

NumberArgument = Annotated[
    str, typer.Argument(metavar="NUMBER", help="The outbound number, as E.164: +86…")
]
WhyOption = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="Kept in the number's history.")
]
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait", metavar="SECONDS", min=0, max=600, help="To wait for the daemon; 0: not at all."
    ),
]
_POLL_S = 0.2
_ASK_STATUS = "monitor status tells."


@member(app, "list", "numbers list", "numbers list --json | jq -r .number")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Numbers that are not simply active, from the running daemon."""
    document = status.fetch(config)
    standing = document.get("standing", [])
    if as_json:
        for entry in standing:
            say(json.dumps(entry, ensure_ascii=False))
        return
    counts = ", ".join(f"{n} {state}" for state, n in document.get("numbers", {}).items() if n)
    terminal = console()
    terminal.print(counts or "no numbers seen yet")
    if document.get("frozen"):
        terminal.print("suspensions by rules are frozen", style="bold red")
    now_ms = SystemClock().now_ms()
    table = plain_table("number", "state", "since", "until", "by")
    for entry in standing:
        since, until = (stamp_of(entry[key], now_ms=now_ms) for key in ("since", "until"))
        table.add_row(entry["number"], entry["state"], since, until, entry["rule"] or "a person")
    if standing:
        terminal.print(table)
    resting = sum(n for state, n in document.get("numbers", {}).items() if state != "active")
    if resting > len(standing):
        terminal.print(f"… and {resting - len(standing):,} more; the longest are shown")


@member(app, "history", "numbers history +862150000007", "numbers history --limit 500 --json")
def history(
    number: Annotated[
        str | None,
        typer.Argument(metavar="NUMBER", help="The outbound number; without it, all changes."),
    ] = None,
    config: ConfigOption = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="At most so many.")
    ] = 50,
    as_json: JsonOption = False,
) -> None:
    """Every change: when, who or which rule, why; newest first. Freezes stand there too."""
    site = site_of(config)
    wanted = None if number is None else asking.e164(number, site.config.events.phones.region)
    with store_of(site) as store:
        changes = store.history.changes(number=wanted, limit=limit)
    if as_json:
        for change in changes:
            say(json.dumps(change.to_json(), ensure_ascii=False))
        return
    if not changes:
        say(f"nothing is known of {number or 'any number'}")
        return
    _show(changes)


@member(
    app,
    "suspend",
    "numbers suspend +862150000007 --why 'customers complain' --for 2h",
    "numbers suspend '+86 21 5000 0007' --why 'carrier asked'",
)
def suspend(
    number: NumberArgument,
    why: WhyOption,
    config: ConfigOption = None,
    ttl: Annotated[
        int | None,
        typer.Option(
            "--for",
            metavar="DURATION",
            parser=some_duration,
            help="Comes back by itself, such as 30m; without it, until resumed by hand.",
        ),
    ] = None,
    wait: WaitOption = 15.0,
) -> None:
    """Take a number out of service now."""
    _ask(config, "suspend", number, ttl, why, wait)


@member(app, "resume", "numbers resume +862150000007 --why 'cleared by the carrier'")
def resume(
    number: NumberArgument, why: WhyOption, config: ConfigOption = None, wait: WaitOption = 15.0
) -> None:
    """Put a number back into service now."""
    _ask(config, "resume", number, None, why, wait)


@member(
    app,
    "freeze",
    "numbers freeze --why 'bad data since 14:00'",
    "numbers freeze --off --why 'data is good again'",
)
def freeze(
    why: WhyOption,
    config: ConfigOption = None,
    off: Annotated[bool, typer.Option("--off", help="Let rules suspend again.")] = False,
    wait: WaitOption = 15.0,
) -> None:
    """The kill switch: from now on no rule suspends a number; resumes go on."""
    _ask(config, "unfreeze" if off else "freeze", "", None, why, wait)


def _ask(
    config: Path | None, name: str, number: str, ttl_ms: int | None, why: str, wait_s: float
) -> None:
    """Leave the request in the store, and wait until the daemon has taken it."""
    site = site_of(config)
    clock = SystemClock()
    try:
        request = asking.request(
            asking.ACTS[name],
            ident=uuid.uuid4().hex,
            number=number,
            region=site.config.events.phones.region,
            who=who_asks(),
            why=why,
            ttl_ms=ttl_ms,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NUMBER") from error
    what = f"{name} {request.number}".rstrip()
    with store_of(site) as store:
        store.requests.put(request)
        answer = None
        if wait_s:
            answer = asking.await_answer(
                store, request.id, clock, wait_s, lambda: clock.wait(threading.Event(), _POLL_S)
            )
    if answer is not None and answer.settled:
        say(f"{what}: {answer.words}")
        raise typer.Exit(1 if answer.status == "refused" else 0)
    if answer is not None and answer.tick_ms is not None:
        say(f"{what}: taken by the daemon as of {iso(answer.tick_ms)}, and not judged yet")
        return
    if wait_s == 0:
        say(f"{what}: left for the daemon")
        return
    say(f"{what}: left for the daemon, which has not taken it within {span(wait_s)}")
    lines(stderr=True).print(f"Is it running? It takes the request when it is. {_ASK_STATUS}")
    raise typer.Exit(1)


def who_asks() -> str:
    """Who asks; a container's user has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _show(changes: list[NumberChange]) -> None:
    now_ms = SystemClock().now_ms()
    table = plain_table("at", "number", "change", "by", "why")
    for change in changes:
        until = None if change.until_ms is None else stamp(change.until_ms, now_ms=now_ms)
        why = [change.reason, change.detail, "" if until is None else f"until {until}"]
        table.add_row(
            stamp(change.at_ms, now_ms=now_ms),
            change.number or "all",
            f"{change.before} → {change.after}",
            change.by,
            ", ".join(part for part in why if part),
        )
    console().print(table)
