"""``monitor numbers``: outbound numbers, by hand.

Owns the command line only; the way of a request is ``asking``.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer

from monitor.cli import status
from monitor.cli.asking import (
    WAIT_S,
    NumberArgument,
    WaitOption,
    WhyOption,
    ask,
)
from monitor.cli.declare import group, member, some_duration
from monitor.cli.inventory import import_
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import console, plain_table, stamp, stamp_of
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import Command, NumberChange, iso
from monitor.errors import UsageError
from monitor.numbers.asking import e164
from monitor.site import Site
from monitor.store.store import Store

app = group("Outbound numbers: list, act, history.")
member(app, "import", "numbers import numbers.csv")(import_)


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


@member(app, "show", "numbers show +862150000007", "numbers show +862150000007 --json")
def show(number: NumberArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """One number: how it stands, why, on what evidence, and what happened to it last."""
    site = site_of(config)
    wanted = e164(number, site.config.events.phones.region)
    with store_of(site) as store:
        changes = store.history.changes(number=wanted, limit=10)
        command = _last_command(store, changes)
    if as_json:
        say(json.dumps(_card(site, wanted, changes, command), ensure_ascii=False))
        return
    pools = ", ".join(_pools(site, wanted)) or "none that is listed"
    if not changes:
        say(f"{wanted}: active, as far as is known; pools: {pools}")
        return
    last = changes[0]
    until = "" if last.until_ms is None else f" until {iso(last.until_ms)}"
    say(f"{wanted}: {last.after} since {iso(last.at_ms)}{until}; pools: {pools}")
    if command is not None and command.figures is not None and command.evidence is not None:
        figures, evidence = command.figures, command.evidence
        say(
            f"{command.rule}: {figures.hits:g} of {figures.of:g} in {figures.window}; evidence "
            f"{evidence.score:.6g} where {evidence.needed:g} is needed ({evidence.method})"
        )
    _show(changes)


def _last_command(store: Store, changes: list[NumberChange]) -> Command | None:
    """The last one that has evidence."""
    for change in changes:
        found = store.history.decision(change.command_id) if change.command_id else None
        if isinstance(found, Command) and found.figures is not None:
            return found
    return None


def _card(
    site: Site, number: str, changes: list[NumberChange], command: Command | None
) -> dict[str, Any]:
    return {
        "number": number,
        "state": changes[0].after if changes else "active",
        "pools": _pools(site, number),
        "command": None if command is None else command.to_wire(),
        "changes": [change.to_json() for change in changes],
    }


def _pools(site: Site, number: str) -> list[str]:
    """The pools that list the number."""
    region = site.config.events.phones.region
    return [
        name
        for name, pool in sorted(site.config.pools.pools.items())
        if number in {e164(listed, region) for listed in pool.numbers}
    ]


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
    wanted = None if number is None else e164(number, site.config.events.phones.region)
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
    wait: WaitOption = WAIT_S,
) -> None:
    """Take a number out of service now."""
    ask(config, "suspend", why, wait, number=number, ttl_ms=ttl)


@member(app, "resume", "numbers resume +862150000007 --why 'cleared by the carrier'")
def resume(
    number: NumberArgument, why: WhyOption, config: ConfigOption = None, wait: WaitOption = WAIT_S
) -> None:
    """Put a number back into service now."""
    ask(config, "resume", why, wait, number=number)


@member(app, "hold", "numbers hold +862150000007 --why 'legal asked'")
def hold(
    number: NumberArgument, why: WhyOption, config: ConfigOption = None, wait: WaitOption = WAIT_S
) -> None:
    """Keep a number out of service until a person releases it, whatever happens."""
    ask(config, "hold", why, wait, number=number)


@member(app, "release", "numbers release +862150000007 --why 'legal agrees'")
def release(
    number: NumberArgument, why: WhyOption, config: ConfigOption = None, wait: WaitOption = WAIT_S
) -> None:
    """Take back a hold or a retirement, or end a probation."""
    ask(config, "release", why, wait, number=number)


@member(app, "retire", "numbers retire +862150000007 --why 'burnt'")
def retire(
    number: NumberArgument, why: WhyOption, config: ConfigOption = None, wait: WaitOption = WAIT_S
) -> None:
    """Give a number up; the next standby of its pool takes its place."""
    ask(config, "retire", why, wait, number=number)


@member(
    app,
    "undo",
    "numbers undo --last 30m --why 'the vendor took it back'",
    "numbers undo --since 2026-11-22T09:00 --pool campaign-7 --why 'the script was wrong'",
)
def undo(
    why: WhyOption,
    config: ConfigOption = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--last",
            metavar="DURATION",
            parser=some_duration,
            help="Suspensions of so long, until now, such as 30m.",
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Suspensions since then. As 2026-11-22T09:00, local unless it names a zone.",
        ),
    ] = None,
    pool: Annotated[
        str, typer.Option("--pool", metavar="NAME", help="In one pool; without it, in all.")
    ] = "",
    wait: WaitOption = WAIT_S,
) -> None:
    """Take back every suspension by a rule since some time, at once.

    Rules leave these numbers alone for `numbers.undo_for`. What people suspended stays.
    """
    if since is not None and last is None:
        since_ms = int(since.timestamp() * 1000)
    elif last is not None and since is None:
        since_ms = SystemClock().now_ms() - last
    else:
        raise UsageError("say since when: --last 30m, or --since TIME")
    ask(config, "undo", why, wait, since_ms=since_ms, pool=pool)


@member(app, "approve", "numbers approve 5d0f93a1 --why 'looked at ten of them'")
def approve(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Under which it was asked for, in the alert.")
    ],
    why: WhyOption,
    config: ConfigOption = None,
    wait: WaitOption = WAIT_S,
) -> None:
    """Let the numbers go out of service that wait for a person's word."""
    ask(config, "approve", why, wait, ref=name.strip())


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
    wait: WaitOption = WAIT_S,
) -> None:
    """The kill switch: from now on no rule suspends a number; resumes go on."""
    ask(config, "unfreeze" if off else "freeze", why, wait)


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
