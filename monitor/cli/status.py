"""``monitor status``: how the running daemon does."""

from __future__ import annotations

import json
import os
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import typer
from rich.table import Table
from rich.text import Text

from monitor.cli.declare import single
from monitor.cli.options import ConfigOption, JsonOption, site_of
from monitor.cli.output import console, counted, plain_table, span, stamp_of
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.errors import UsageError
from monitor.exporter.settings import read_token

_PATIENCE_S = 5.0


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Lag, watermark, rules, numbers and deliveries waiting of the running daemon."""
    document = fetch(config)
    if as_json:
        say(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        _show(document)
    raise typer.Exit(0 if document.get("ready") else 1)


app = single("status", status, "status", "status --json | jq .lag")


def fetch(config: Path | None) -> dict[str, Any]:
    """The daemon's ``/status``.

    Raises:
        UsageError: nobody answers there, or it refuses us.
    """
    settings = site_of(config).config.exporter
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}/status"
    token = read_token(settings, os.environ)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.get(url, headers=headers, timeout=_PATIENCE_S, trust_env=False)
    except httpx.TimeoutException as error:
        msg = f"no daemon answers at {url} within {_PATIENCE_S:g} s"
        raise UsageError(msg) from error
    except httpx.HTTPError as error:
        reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
        msg = f"no daemon answers at {url}: {reason}; does it run, with this configuration?"
        raise UsageError(msg) from error
    if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        msg = f"the daemon at {url} refuses us: it has another token than this configuration"
        raise UsageError(msg)
    return _document(answer, url)


def _document(answer: httpx.Response, url: str) -> dict[str, Any]:
    try:
        document = answer.json() if answer.is_success else None
    except ValueError:
        document = None
    if not isinstance(document, dict) or "ready" not in document:
        msg = f"what answers at {url} is no monitor (status {answer.status_code})"
        raise UsageError(msg)
    return document


def _show(document: dict[str, Any]) -> None:
    terminal = console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    ready = document.get("ready")
    table.add_row("state", Text("ready", "green") if ready else Text("not ready", "red"))
    for entry in document.get("unready", []):
        table.add_row("", ": ".join(part for part in (entry["reason"], entry["detail"]) if part))
    now_ms = SystemClock().now_ms()
    for key in ("watermark", "tick"):
        table.add_row(key, stamp_of(document.get(key), now_ms=now_ms))
    delay_s = document.get("watermark_delay_s")
    table.add_row("behind the clock", "–" if delay_s is None else span(delay_s))
    table.add_row("lag", counted(document.get("lag", 0), "record"))
    table.add_row("alerts firing", str(document.get("alerts_firing", 0)))
    numbers = document.get("numbers", {})
    table.add_row("numbers", ", ".join(f"{n} {state}" for state, n in numbers.items() if n) or "–")
    table.add_row("configuration", document.get("config") or "–")
    if document.get("frozen"):
        table.add_row("suspensions", Text("frozen", "bold red"))
    for incident in document.get("incidents", []):
        waits = f"{counted(incident['waiting'], 'number')} waiting"
        table.add_row(
            f"pool {incident['pool']}", f"{incident['kind']}, {waits}: {incident['detail']}"
        )
    for queue in document.get("queues", []):
        oldest = "" if queue["oldest_s"] is None else f", oldest {span(queue['oldest_s'])}"
        table.add_row(queue["queue"], f"{queue['length']:,} of {queue['limit']:,}{oldest}")
    terminal.print(table)
    if document.get("rules"):
        rules = plain_table("rule", "by", "status", "scopes")
        rules.title, rules.title_justify = "rules", "left"
        for rule in document["rules"]:
            states = ", ".join(f"{n} {state}" for state, n in rule["states"].items() if n)
            rules.add_row(rule["rule"], "+".join(rule["by"]), rule["status"], states or "–")
        terminal.print(rules)
