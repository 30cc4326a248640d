"""``monitor alerts``: what has been decided about alerts."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from monitor.cli.live import sentence
from monitor.cli.options import ConfigOption, JsonOption, console, plain_table, site_of, store_of
from monitor.clock import SystemClock
from monitor.decisions import Alert, iso
from monitor.logs import mask
from monitor.units import parse_duration

app = typer.Typer(help="Alerts: what fires, what fired.", no_args_is_help=True)


def _since(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command("list")
def list_(
    config: ConfigOption = None,
    firing: Annotated[bool, typer.Option("--firing", help="Only what fires now.")] = False,
    since: Annotated[
        str, typer.Option("--since", metavar="DURATION", help="How far back, such as 24h.")
    ] = "24h",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """Alerts, newest first."""
    since_ms = SystemClock().now_ms() - _since(since)
    with store_of(site_of(config)) as store:
        if firing:
            alerts: list[Alert] = [episode.alert for episode in store.episodes.firing(limit=limit)]
        else:
            alerts = store.history.alerts(since_ms=since_ms, limit=limit)
    if as_json:
        for alert in alerts:
            print(json.dumps(_masked(alert), ensure_ascii=False))
        return
    if not alerts:
        print("no alerts")
        return
    table = plain_table("at", "alert")
    for alert in alerts:
        table.add_row(iso(alert.at_ms), sentence(alert))
    console().print(table)


def _masked(alert: Alert) -> dict[str, object]:
    document = alert.to_json()
    scope = {k: mask(v) if k == "customer" else v for k, v in alert.scope}
    messages = {k: mask(v) for k, v in alert.message.items()} if "customer" in scope else None
    return document | {"scope": scope} | ({} if messages is None else {"message": messages})
