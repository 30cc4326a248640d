"""``monitor deliveries``: what no receiver took, and trying it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from monitor.cli.declare import group, member
from monitor.cli.live import sentence
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import console, counted, document, lines, plain_table, stamp
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import iso
from monitor.errors import UsageError
from monitor.site import Site
from monitor.store.parked import ParkedDelivery

app = group("Deliveries that were given up: list, try again.")

_ALL_MAX = 10_000


@member(app, "list", "deliveries list", "deliveries list --receiver hook --json | jq .reason")
def list_(
    config: ConfigOption = None,
    receiver: Annotated[
        str | None, typer.Option("--receiver", metavar="NAME", help="Of one receiver only.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=_ALL_MAX, help="At most so many.")
    ] = 50,
    as_json: JsonOption = False,
) -> None:
    """Parked deliveries, in the order they were decided: for whom, why, and what they say."""
    with store_of(site_of(config)) as store:
        found = store.outbox.parked.entries(limit=limit, receiver=receiver)
    if as_json:
        for entry in found:
            say(json.dumps(_plain(entry), ensure_ascii=False))
        return
    if not found:
        say("nothing is parked")
        return
    now_ms = SystemClock().now_ms()
    table = plain_table("id", "parked", "receiver", "why", "what")
    for entry in found:
        why = f"{entry.reason}, overtaken" if entry.overtaken else entry.reason
        table.add_row(
            str(entry.seq),
            stamp(entry.parked_ms, now_ms=now_ms),
            entry.receiver,
            why,
            sentence(entry.decision),
        )
    console().print(table)


@member(
    app,
    "requeue",
    "deliveries requeue 17 18",
    "deliveries requeue --all --receiver hook",
)
def requeue(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID", help="As `deliveries list` shows them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are parked.")] = False,
    receiver: Annotated[
        str | None, typer.Option("--receiver", metavar="NAME", help="With --all: of one receiver.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Try parked deliveries again, as if they were new; the running daemon sends them.

    What a later word on the same matter has overtaken stays parked: a suspension must not arrive
    after the end of it.
    """
    if everything == bool(ids):
        raise UsageError("give the ids of deliveries, or --all")
    if receiver is not None and not everything:
        raise UsageError("--receiver goes with --all")
    site = site_of(config)
    with store_of(site) as store:
        parked = store.outbox.parked
        found = (
            parked.entries(limit=_ALL_MAX, receiver=receiver)
            if everything
            else parked.find(ids or ())
        )
        known = _receivers(site)
        sendable = [entry.seq for entry in found if entry.receiver in known]
        back = set(parked.requeue(sendable))
    left = [entry for entry in found if entry.seq not in back]
    unknown = sorted(set(ids or ()) - {entry.seq for entry in found})
    _tell(len(back), left, unknown, known)
    raise typer.Exit(1 if left or unknown else 0)


def _receivers(site: Site) -> frozenset[str]:
    """Those that the daemon delivers to with this configuration."""
    telephony = set(site.config.telephony.named())
    return frozenset(site.config.delivery.known_receivers()) | telephony


def _tell(
    back: int, left: Sequence[ParkedDelivery], unknown: Sequence[int], known: frozenset[str]
) -> None:
    say(f"{counted(back, 'delivery')} put back")
    aside = lines(stderr=True)
    for seq in unknown:
        aside.print(f"{seq}: no such delivery is parked")
    for entry in left:
        why = (
            "a later word on the same matter has been sent"
            if entry.receiver in known
            else f"the configuration has no receiver '{entry.receiver}'"
        )
        aside.print(f"{entry.seq}: stays parked, {why}")


def _plain(entry: ParkedDelivery) -> dict[str, Any]:
    return {
        "id": entry.seq,
        "receiver": entry.receiver,
        "reason": entry.reason,
        "attempts": entry.attempts,
        "decided": iso(entry.created_ms),
        "parked": iso(entry.parked_ms),
        "overtaken": entry.overtaken,
        "decision": document(entry.decision),
    }
