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

import typer

from monitor.cli.options import site_of, store_of
from monitor.cli.output import lines, span
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import PersonAction, iso
from monitor.numbers import asking
from monitor.store.audit import Deed
from monitor.store.store import Store

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


def ask(
    config: Path | None,
    action: PersonAction,
    why: str,
    wait_s: float,
    *,
    number: str = "",
    **terms: Any,
) -> None:
    """Leave the request in the store, and wait until the daemon has answered it.

    Raises:
        typer.Exit: with the status that the answer stands for.
    """
    site = site_of(config)
    try:
        request = asking.request(
            asking.ACTS[action],
            ident=uuid.uuid4().hex,
            number=number,
            region=site.config.events.phones.region,
            who=who_asks(),
            why=why,
            **terms,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NUMBER") from error
    what = f"{action} {request.number}".rstrip()
    with store_of(site) as store:
        store.requests.put(request)
        write_down(store, f"numbers {action}", request.number, left=True)
        answer = None
        if wait_s:
            answer = asking.await_answer(store, request.id, SystemClock(), wait_s, pause)
    if answer is not None and answer.settled:
        say(f"{what}: {answer.words}")
        raise typer.Exit(1 if answer.status == "refused" else 0)
    if answer is not None and answer.tick_ms is not None:
        say(f"{what}: taken by the daemon as of {iso(answer.tick_ms)}, and not judged yet")
        return
    unanswered(what, wait_s, missing="taken it", later="the request")


def pause() -> None:
    """Between two looks whether the daemon has done something."""
    SystemClock().wait(threading.Event(), _POLL_S)


def unanswered(what: str, wait_s: float, *, missing: str, later: str) -> None:
    """Say that it is left for the daemon, which need not run: ``missing`` so far, ``later`` to do.

    Raises:
        typer.Exit: it was waited for, in vain.
    """
    if wait_s == 0:
        say(f"{what}: left for the daemon")
        return
    say(f"{what}: left for the daemon, which has not {missing} within {span(wait_s)}")
    lines(stderr=True).print(f"Is it running? It takes {later} when it is. monitor status tells.")
    raise typer.Exit(1)


def write_down(
    store: Store, action: str, target: str, detail: str = "", *, left: bool = False
) -> None:
    """Add what was done to the audit; ``left``: left for the daemon, and not done yet."""
    now_ms = SystemClock().now_ms()
    result = 202 if left else 200
    store.audit.add(Deed(now_ms, who_asks(), "", "cli", "", action, target, result, detail))


def who_asks() -> str:
    """Who asks; a container's user has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
