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
from typing import Annotated, Literal

import polars as pl
import typer

from monitor.cli import status
from monitor.cli.options import ConfigOption, JsonOption, console, plain_table, site_of, store_of
from monitor.clock import SystemClock
from monitor.decisions import ManualAction, NumberChange, iso
from monitor.events.phones import normalise
from monitor.units import parse_duration

app = typer.Typer(help="Outbound numbers: list, act, history.", no_args_is_help=True)

NumberArgument = Annotated[str, typer.Argument(help="The outbound number, as E.164: +86…")]
WhyOption = Annotated[str, typer.Option("--why", help="Kept in the number's history.")]
WaitOption = Annotated[
    float, typer.Option("--wait", min=0, max=600, help="Seconds to wait for the daemon; 0: none.")
]
_POLL_S = 0.2
Action = Literal["suspend", "resume", "freeze", "unfreeze"]


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Numbers that are not simply active, from the running daemon."""
    document = status.fetch(config)
    standing = document.get("standing", [])
    if as_json:
        for entry in standing:
            print(json.dumps(entry, ensure_ascii=False))
        return
    counts = ", ".join(f"{n} {state}" for state, n in document.get("numbers", {}).items() if n)
    terminal = console()
    terminal.print(counts or "no numbers seen yet")
    if document.get("frozen"):
        terminal.print("suspensions by rules are frozen", style="bold red")
    table = plain_table("number", "state", "since", "until", "by")
    for entry in standing:
        until = entry["until"] or "–"
        table.add_row(
            entry["number"], entry["state"], entry["since"], until, entry["rule"] or "a person"
        )
    if standing:
        terminal.print(table)


@app.command("history")
def history(
    number: Annotated[
        str | None, typer.Argument(help="The outbound number; without it, all changes.")
    ] = None,
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """Every change: when, who or which rule, why; newest first. Freezes stand there too."""
    site = site_of(config)
    wanted = None if number is None else _e164(number, site.config.events.phones.region)
    with store_of(site) as store:
        changes = store.history.changes(number=wanted, limit=limit)
    if as_json:
        for change in changes:
            print(json.dumps(change.to_json(), ensure_ascii=False))
        return
    if not changes:
        print(f"nothing is known of {number or 'any number'}")
        return
    _show(changes)


@app.command("suspend")
def suspend(
    number: NumberArgument,
    why: WhyOption,
    config: ConfigOption = None,
    ttl: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="Comes back by itself, such as 30m."),
    ] = None,
    wait: WaitOption = 15.0,
) -> None:
    """Take a number out of service now; without `--for`, until resumed by hand."""
    ttl_ms = None
    if ttl is not None:
        try:
            ttl_ms = parse_duration(ttl)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--for") from error
        if not ttl_ms:
            raise typer.BadParameter("0s would suspend for no time", param_hint="--for")
    _ask(config, "suspend", number, ttl_ms, why, wait)


@app.command("resume")
def resume(
    number: NumberArgument, why: WhyOption, config: ConfigOption = None, wait: WaitOption = 15.0
) -> None:
    """Put a number back into service now."""
    _ask(config, "resume", number, None, why, wait)


@app.command("freeze")
def freeze(
    why: WhyOption,
    config: ConfigOption = None,
    off: Annotated[bool, typer.Option("--off", help="Let rules suspend again.")] = False,
    wait: WaitOption = 15.0,
) -> None:
    """The kill switch: from now on no rule suspends a number; resumes go on."""
    _ask(config, "unfreeze" if off else "freeze", "", None, why, wait)


def _ask(
    config: Path | None, action: Action, number: str, ttl_ms: int | None, why: str, wait_s: float
) -> None:
    """Leave the request in the store, and wait until the daemon has taken it."""
    if action in {"suspend", "resume"} and not number.strip():
        raise typer.BadParameter("say which", param_hint="NUMBER")
    site = site_of(config)
    clock = SystemClock()
    request = ManualAction(
        id=uuid.uuid4().hex,
        action=action,
        number=_e164(number, site.config.events.phones.region) if number else "",
        ttl_ms=ttl_ms,
        who=_who(),
        why=why,
    )
    what = f"{action} {request.number}".rstrip()
    with store_of(site) as store:
        store.requests.put(request)
        end_s = clock.monotonic_s() + wait_s
        while clock.monotonic_s() < end_s:
            found = store.requests.find(request.id)
            if found is not None and found.tick_ms is not None:
                print(f"{what}: taken by the daemon as of {iso(found.tick_ms)}")
                return
            clock.wait(threading.Event(), _POLL_S)
    print(f"{what}: left for the daemon; it has not taken it yet")
    raise typer.Exit(0 if wait_s == 0 else 1)


def _who() -> str:
    """Who asks; a container's user has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _e164(number: str, region: str) -> str:
    return str(normalise(pl.Series([number]), region)[0])


def _show(changes: list[NumberChange]) -> None:
    table = plain_table("at", "number", "from", "to", "reason", "by", "until", "detail")
    for change in changes:
        until = "–" if change.until_ms is None else iso(change.until_ms)
        table.add_row(
            iso(change.at_ms),
            change.number or "all",
            change.before,
            change.after,
            change.reason,
            change.by,
            until,
            change.detail,
        )
    console().print(table)
