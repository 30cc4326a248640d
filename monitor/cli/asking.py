"""What a person asks of the daemon: left in its store, and waited for.

Owns the way of one request. The daemon carries it out with its next tick, by the same path and
under the same audit as what rules decide.
"""

from __future__ import annotations

import getpass
import os
import threading
import uuid
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from monitor.cli.options import site_of, store_of
from monitor.cli.output import lines, span
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import ManualAction, PersonAction, iso
from monitor.events.phones import normalise
from monitor.numbers.requests import answer_id, in_words, was_refused

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
WAIT_S = 15.0
_POLL_S = 0.2
_ASK_STATUS = "monitor status tells."


def ask_about(
    config: Path | None,
    action: PersonAction,
    number: str,
    why: str,
    wait_s: float,
    **terms: Any,
) -> None:
    """Ask something about one number; see :func:`ask`."""
    if not number.strip():
        raise typer.BadParameter("say which", param_hint="NUMBER")
    ask(config, action, why, wait_s, number=number, **terms)


def ask(
    config: Path | None,
    action: PersonAction,
    why: str,
    wait_s: float,
    *,
    number: str = "",
    ttl_ms: int | None = None,
    **terms: Any,
) -> None:
    """Leave the request in the store, and wait until the daemon has answered it.

    Raises:
        typer.Exit: with the status that the answer stands for.
    """
    site = site_of(config)
    clock = SystemClock()
    request = ManualAction(
        id=uuid.uuid4().hex,
        action=action,
        number=e164(number, site.config.events.phones.region) if number else "",
        ttl_ms=ttl_ms,
        who=_who(),
        why=why,
        **terms,
    )
    what = f"{action} {request.number}".rstrip()
    with store_of(site) as store:
        store.requests.put(request)
        end_s = clock.monotonic_s() + wait_s
        while clock.monotonic_s() < end_s:
            answer = store.history.change(answer_id(request.id))
            if answer is not None:
                say(f"{what}: {in_words(answer)}")
                raise typer.Exit(1 if was_refused(answer) else 0)
            clock.wait(threading.Event(), _POLL_S)
        taken = store.requests.find(request.id)
    if taken is not None and taken.tick_ms is not None:
        say(f"{what}: taken by the daemon as of {iso(taken.tick_ms)}, and not judged yet")
        return
    if wait_s == 0:
        say(f"{what}: left for the daemon")
        return
    say(f"{what}: left for the daemon, which has not taken it within {span(wait_s)}")
    lines(stderr=True).print(f"Is it running? It takes the request when it is. {_ASK_STATUS}")
    raise typer.Exit(1)


def e164(number: str, region: str) -> str:
    """The number as events carry it."""
    return str(normalise(pl.Series([number]), region)[0])


def _who() -> str:
    """Who asks; a container's user has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
