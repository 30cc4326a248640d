"""``monitor notify``: whether messages arrive."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from monitor.cli.declare import group, member
from monitor.cli.options import ConfigOption, JsonOption, site_of
from monitor.cli.output import console, plain_table
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.delivery.messages.messages import Sources
from monitor.delivery.messages.templates import Templates
from monitor.delivery.trial import try_out
from monitor.errors import ConfigError, DeliveryError, MonitorError, UsageError

app = group("Receivers of messages: try them out.")


@member(app, "test", "notify test", "notify test supervisors", "notify test --json | jq .answer")
def send_test(
    receiver: Annotated[
        str | None,
        typer.Argument(metavar="RECEIVER", help="Of `delivery.receivers`; left out: all of them."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send each receiver a test message, and tell what it answered.

    The running daemon has no part in it. The log, and receivers that take orders, are left alone.
    Status 1: some message did not arrive.
    """
    site = site_of(config)
    settings = site.config.delivery
    known = settings.known_receivers()
    if receiver is not None and receiver not in known:
        msg = f"there is no receiver {receiver}; there are: {', '.join(sorted(known))}"
        raise UsageError(msg)
    web = site.config.web
    templates = Templates(settings.templates)
    sources = Sources(templates=templates, console=web.public_url, zone=web.zone)
    table, failed = plain_table("receiver", "type", "", "answer"), False
    for name, each in known.items():
        if receiver not in {None, name}:
            continue
        try:
            answer = try_out(name, each, sources, SystemClock())
            arrived, result = (
                (None, "not tried: nobody would answer") if answer is None else (True, answer)
            )
        except ConfigError as error:
            arrived, result = False, error.problems[0].message
        except DeliveryError as error:
            arrived, result = False, f"{error.reason}: {error}"
        except MonitorError as error:
            arrived, result = False, str(error)
        failed |= arrived is False
        if as_json:
            plain = {"receiver": name, "type": each.type, "arrived": arrived, "answer": result}
            say(json.dumps(plain, ensure_ascii=False))
        mark = {True: "arrived", False: "failed", None: "–"}[arrived]
        table.add_row(name, each.type, mark, result)
    if not as_json:
        console().print(table)
    raise typer.Exit(1 if failed else 0)
