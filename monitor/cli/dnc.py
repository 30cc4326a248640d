"""``monitor dnc``: customers nobody may call, by hand.

Owns the command line only: what a person asks for is left in the store, and the daemon carries it
out with its next tick. Customers are masked unless they are asked for in full.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.cli.asking import WaitOption, pause, unanswered, who_asks, write_down
from monitor.cli.declare import group, member, some_duration
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import console, counted, plain_table, stamp, write
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import ListAction, Listing, ListingAction
from monitor.dnc import asking, files
from monitor.errors import BackPressure, UsageError
from monitor.logs import mask_customer
from monitor.numbers.asking import await_answer
from monitor.site import Site
from monitor.store.listed import PAGE
from monitor.store.store import Store

app = group("Customers nobody may call: list, add, remove, import, export, check.")

CustomersArgument = Annotated[
    list[str], typer.Argument(metavar="CUSTOMER…", help="Telephone numbers, or ids as in events.")
]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="One customer a line, first.")]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept with the change.")]
ForOption = Annotated[
    int | None,
    typer.Option(
        "--for",
        metavar="DURATION",
        parser=some_duration,
        help="Over by itself, such as 365d; without it, until taken off.",
    ),
]
FullOption = Annotated[bool, typer.Option("--customers", help="Show customers in full.")]


@member(app, "list", "dnc list", "dnc list --reason opted_out --limit 500 --json")
def list_(
    config: ConfigOption = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="REASON", help="Only those for this reason.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=PAGE, help="At most so many.")
    ] = 50,
    full: FullOption = False,
    as_json: JsonOption = False,
) -> None:
    """Who is on the list, by customer."""
    now_ms = SystemClock().now_ms()
    with store_of(site_of(config)) as store:
        found = store.listed.entries(now_ms, reason=reason, limit=limit)
        count = store.listed.count(now_ms)
    if as_json:
        for listing in found:
            say(json.dumps(_shown(listing, full=full), ensure_ascii=False))
        return
    say(f"{counted(count, 'customer')} on the list")
    _table(found, now_ms, full=full)


@member(app, "check", "dnc check '+86 139 1234 5678'", "dnc check C-1017 C-1018")
def check(customers: CustomersArgument, config: ConfigOption = None) -> None:
    """Who of these may not be called; exit status 1 when anybody is on a list."""
    site = site_of(config)
    now_ms = SystemClock().now_ms()
    names = _names(customers, site)
    with store_of(site) as store:
        found = store.listed.among(names, now_ms)
    in_files = site.do_not_call.holding(names)
    for name in names:
        listing = found.get(name)
        if listing is not None:
            since = stamp(listing.since_ms, now_ms=now_ms)
            say(f"{name}: on the list since {since} ({listing.reason}, {listing.by})")
        elif name in in_files:
            say(f"{name}: on a list of do_not_call.files")
        else:
            say(f"{name}: may be called")
    raise typer.Exit(1 if found or in_files else 0)


@member(app, "add", "dnc add '+86 139 1234 5678' --why 'asked on the phone'")
def add(
    customers: CustomersArgument,
    why: WhyOption,
    config: ConfigOption = None,
    ttl: ForOption = None,
    wait: WaitOption = 15.0,
) -> None:
    """Put customers on the list now."""
    site = site_of(config)
    _ask(site, "add", _names(customers, site), "person", ttl, why, wait)


@member(app, "remove", "dnc remove '+86 139 1234 5678' --why 'signed a contract'")
def remove(
    customers: CustomersArgument,
    why: WhyOption,
    config: ConfigOption = None,
    wait: WaitOption = 15.0,
) -> None:
    """Take customers off the list; lists of others (do_not_call.files) are theirs."""
    site = site_of(config)
    _ask(site, "remove", _names(customers, site), "person", None, why, wait)


@member(app, "import", "dnc import optouts.csv --why 'from the old dialler'")
def import_(
    file: FileArgument,
    why: WhyOption,
    config: ConfigOption = None,
    ttl: ForOption = None,
    wait: WaitOption = 60.0,
) -> None:
    """Put the customers of a file on the list; those who are on it stay as they are."""
    site = site_of(config)
    try:
        written = files.read(file)
    except (OSError, ValueError) as error:
        msg = f"{file} cannot be read: {error}"
        raise UsageError(msg) from error
    _ask(site, "add", _names(written, site), "import", ttl, why, wait)


@member(app, "export", "dnc export dnc.txt", "dnc export dnc.csv --format csv")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="To be written.")],
    config: ConfigOption = None,
    form: Annotated[
        Literal["plain", "csv"],
        typer.Option("--format", help="One customer a line, or with columns."),
    ] = "plain",
) -> None:
    """Write the list for diallers; customers stand in it in full."""
    with store_of(site_of(config)) as store:
        listings = list(_all(store, SystemClock().now_ms()))
        write_down(store, "dnc export", counted(len(listings), "customer"))
    write(file, files.head(form) + "".join(files.lines(listings, form)))
    say(f"{counted(len(listings), 'customer')} written to {file}")


def _all(store: Store, now_ms: int) -> Iterator[Listing]:
    after = ""
    while page := store.listed.entries(now_ms, after=after):
        yield from page
        after = page[-1].customer


def _names(written: list[str], site: Site) -> list[str]:
    try:
        return asking.customers(written, site.config.events)
    except asking.UnusableError as error:
        raise typer.BadParameter(str(error)) from error


def _ask(
    site: Site,
    action: ListingAction,
    names: list[str],
    reason: str,
    ttl_ms: int | None,
    why: str,
    wait_s: float,
) -> None:
    """Leave the requests in the store, and wait until the daemon has carried them out."""
    clock = SystemClock()
    now_ms = clock.now_ms()
    requests = list(
        asking.requests(
            action,
            names,
            ident=uuid.uuid4().hex,
            since_ms=now_ms,
            until_ms=None if ttl_ms is None else now_ms + ttl_ms,
            reason=reason,
            source="cli",
            who=who_asks(),
            why=why,
        )
    )
    end_s = clock.monotonic_s() + wait_s
    what = f"{action} {counted(len(names), 'customer')}"

    with store_of(site) as store:
        for request in requests:
            _put(store, request, end_s)
        write_down(store, f"dnc {action}", counted(len(names), "customer"), left=True)
        answers = [
            await_answer(store, request.id, clock, end_s - clock.monotonic_s(), pause)
            for request in requests
        ]
        changed = sum(store.listed.changed_by(request.id) for request in requests)
    if all(answer is not None and answer.settled for answer in answers):
        say(f"{what}: done, {changed:,} changed")
        return
    unanswered(what, wait_s, missing="carried all of it out", later="the rest")


def _put(store: Store, request: ListAction, end_s: float) -> None:
    """Leave one request; while too many wait, the daemon has time to take some."""
    clock = SystemClock()
    while True:
        try:
            store.requests.put(request)
        except BackPressure:
            if clock.monotonic_s() >= end_s:
                raise
            pause()
        else:
            return


def _shown(listing: Listing, *, full: bool) -> dict[str, object]:
    customer = listing.customer if full else mask_customer(listing.customer)
    return {**listing.to_json(), "customer": customer, "why": listing.why}


def _table(found: list[Listing], now_ms: int, *, full: bool) -> None:
    table = plain_table("customer", "since", "until", "reason", "by", "why")
    for listing in found:
        until = "" if listing.until_ms is None else stamp(listing.until_ms, now_ms=now_ms)
        customer = listing.customer if full else mask_customer(listing.customer)
        since = stamp(listing.since_ms, now_ms=now_ms)
        table.add_row(customer, since, until, listing.reason, listing.by, listing.why)
    if found:
        console().print(table)
