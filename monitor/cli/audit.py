"""``monitor audit``: what people and programs did.

Owns the command line only; rows are those of the HTTP interface, of pages and of
commands that act.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from monitor.cli.declare import single, some_duration
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import console, plain_table, stamp
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import iso


def audit(
    config: ConfigOption = None,
    who: Annotated[
        str | None, typer.Option("--who", metavar="NAME", help="Of this person or token alone.")
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(
            "--since", metavar="DURATION", parser=some_duration, help="Not older, such as 7d."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many.")
    ] = 50,
    as_json: JsonOption = False,
) -> None:
    """Who did what over HTTP, on pages and by command, from where, and how it ended.

    What was done to numbers and customers, and why: monitor numbers history, monitor dnc list.
    """
    now_ms = SystemClock().now_ms()
    since_ms = None if since is None else now_ms - since
    with store_of(site_of(config)) as store:
        found = store.audit.deeds(who=who, since_ms=since_ms, limit=limit)
    if as_json:
        for _, deed in found:
            shown = asdict(deed)
            say(json.dumps({"at": iso(shown.pop("at_ms")), **shown}, ensure_ascii=False))
        return
    table = plain_table("at", "who", "role", "from", "action", "on", "result", "")
    for _, deed in found:
        when = stamp(deed.at_ms, now_ms=now_ms)
        origin = deed.address or deed.via
        what = (deed.action, deed.target, str(deed.result), deed.detail)
        table.add_row(when, deed.who or "a stranger", deed.role, origin, *what)
    if found:
        console().print(table)
    else:
        say("nothing was done")


app = single("audit", audit, "audit --since 7d", "audit --who lin --json")
