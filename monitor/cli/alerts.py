"""``monitor alerts``: what has been decided about alerts."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from monitor.cli import handling
from monitor.cli.declare import duration, group, member
from monitor.cli.live import sentence
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import console, document, plain_table, stamp
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import Alert
from monitor.units import format_duration

app = group("Alerts: what fires, what fired; the inbox, silences, who did what.")
member(app, "inbox", "alerts inbox", "alerts inbox --team T1 --unacknowledged")(handling.inbox)
member(app, "ack", "alerts ack 3f9c2a --note 'vendor is called'")(handling.acknowledge)
member(app, "assign", "alerts assign 3f9c2a --to li", "alerts assign 3f9c2a --nobody")(
    handling.assign
)
member(
    app,
    "silence",
    "alerts silence rule=line-* team=T1 --for 2h --why 'works on the lines'",
    "alerts silence rule=idle-agent --until 2026-11-22T18:00 --why training",
)(handling.silence)
member(app, "silences", "alerts silences", "alerts silences --over --json")(handling.silences)
member(app, "unsilence", "alerts unsilence 7d21")(handling.unsilence)
member(app, "acts", "alerts acts", "alerts acts --since 24h --json")(handling.acts)


@member(
    app, "list", "alerts list", "alerts list --firing", "alerts list --since 7d --json | jq .rule"
)
def list_(
    config: ConfigOption = None,
    firing: Annotated[bool, typer.Option("--firing", help="Only what fires now.")] = False,
    since: Annotated[
        int,
        typer.Option(
            "--since", metavar="DURATION", parser=duration, help="How far back, such as 24h."
        ),
    ] = "24h",  # type: ignore[assignment]  # parsed as if it were given
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="At most so many.")
    ] = 50,
    as_json: JsonOption = False,
) -> None:
    """Alerts, newest first."""
    now_ms = SystemClock().now_ms()
    with store_of(site_of(config)) as store:
        if firing:
            alerts: list[Alert] = [episode.alert for episode in store.episodes.firing(limit=limit)]
        else:
            alerts = store.history.alerts(since_ms=now_ms - since, limit=limit)
    if as_json:
        for alert in alerts:
            say(json.dumps(document(alert), ensure_ascii=False))
        return
    if not alerts:
        say("nothing fires" if firing else f"no alerts in the last {format_duration(since)}")
        return
    table = plain_table("at", "alert")
    for alert in alerts:
        table.add_row(stamp(alert.at_ms, now_ms=now_ms), sentence(alert))
    console().print(table)
