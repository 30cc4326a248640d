"""``monitor run``: the daemon in this terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, TextIO

import structlog
import typer
from rich.console import Console
from rich.live import Live

from monitor import logs
from monitor.app.daemon import Daemon
from monitor.cli import demo
from monitor.cli.declare import single
from monitor.cli.live import line, render
from monitor.cli.options import ConfigOption, config_path
from monitor.cli.stream import silence
from monitor.clock import Clock, SystemClock
from monitor.decisions import Decision
from monitor.running.heap import settle
from monitor.site import Site, load_site
from monitor.warm import warm

log = structlog.get_logger(__name__)

REFRESH_S = 1.0
LINE_EVERY_S = 5.0

_Shown = demo.Demonstration | None


def run(
    config: ConfigOption = None,
    demonstration: Annotated[
        bool,
        typer.Option("--demo", help="Simulated traffic on embedded defaults; state in var/demo."),
    ] = False,
    live: Annotated[
        bool | None,
        typer.Option("--live/--no-live", help="The live table; by default on a terminal."),
    ] = None,
) -> None:
    """Run the daemon until ctrl-c; SIGHUP reads the configuration again."""
    clock, shown = SystemClock(), demo.prepare() if demonstration else None
    path = None if shown else config_path(config)
    site = shown.site if shown else load_site(path)
    table = sys.stdout.isatty() if live is None else live
    daemon = Daemon(site, path=path, clock=clock, environ=os.environ)
    with contextlib.ExitStack() as stack:
        # The table has the terminal to itself; the log goes to a file.
        file = (
            stack.enter_context(_log_file(site.config.store.path.parent)) if table else sys.stderr
        )

        def log_as_told(site: Site) -> None:
            logs.configure(level=site.config.logs.level, stream=file, json=table or None)

        log_as_told(site)
        daemon.reloaded = log_as_told
        if shown:
            stack.enter_context(demo.traffic(daemon, clock))
        _signals(daemon, hangup_stops=demonstration)
        _work(daemon, clock, table=table, shown=shown)


app = single("run", run, "run", "run -c /etc/monitor/config.yaml --no-live", "run --demo")


@contextlib.contextmanager
def _log_file(folder: Path) -> Iterator[TextIO]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "monitor.log").open("a", encoding="utf-8", buffering=1) as file:
        yield file


def _signals(daemon: Daemon, *, hangup_stops: bool) -> None:
    """``hangup_stops``: there is no configuration to read again, and the terminal is gone."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        daemon.stop.set()

    def reload(_signal: int, _frame: FrameType | None) -> None:
        daemon.reload.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop if hangup_stops else reload)


def _work(daemon: Daemon, clock: Clock, *, table: bool, shown: _Shown) -> None:
    """The engine in a thread of its own, this one for the terminal and signals."""
    failure: list[BaseException] = []

    def engine() -> None:
        try:
            _load_compiled()
            settle()
            daemon.run()
        except BaseException as error:  # noqa: BLE001 - handed over to the main thread
            failure.append(error)
        finally:
            daemon.stop.set()

    thread = threading.Thread(target=engine, name="engine")
    thread.start()
    try:
        if table:
            _show(daemon, thread, clock, shown)
        else:
            _tell(daemon, thread, clock, shown)
    finally:
        daemon.stop.set()
        thread.join()
    if failure:
        raise failure[0]


def _load_compiled() -> None:
    """A moment now, rather than in the first tick that decides something."""
    try:
        warm()
    except Exception:
        log.exception("compiled_code_not_loaded", detail="it is loaded when it is needed")


def _show(daemon: Daemon, thread: threading.Thread, clock: Clock, shown: _Shown = None) -> None:
    console = Console()
    with Live(console=console, refresh_per_second=4) as live:
        while thread.is_alive():
            size = (console.width, console.height)  # a window may be resized
            live.update(
                render(daemon.board.latest, _feed(daemon), url=_places(daemon, shown), size=size)
            )
            clock.wait(daemon.stop, REFRESH_S)
            if daemon.stop.is_set():
                thread.join()


def _tell(daemon: Daemon, thread: threading.Thread, clock: Clock, shown: _Shown) -> None:
    """Lines for a pipe; what is decided is in the log. Nobody has to read them."""
    told = shown is None
    while thread.is_alive():
        clock.wait(daemon.stop, LINE_EVERY_S)
        if daemon.stop.is_set():
            thread.join()
        try:
            if not told and daemon.web_port is not None:
                print(_places(daemon, shown), flush=True)
                told = True
            print(line(daemon.board.latest), flush=True)
        except BrokenPipeError:
            silence(sys.stdout)
        except OSError:  # a full disk; the next line may do
            continue


def _places(daemon: Daemon, shown: _Shown) -> str:
    """Where there is what to see, and how the demonstration's user signs in."""
    config, found = daemon.site.config, []
    if daemon.web_port is not None:
        scheme = "http" if config.web.tls is None else "https"
        who = f" (sign in: {demo.USER} / {shown.password})" if shown else ""
        found.append(f"console {scheme}://{config.web.host}:{daemon.web_port}/console/{who}")
    if daemon.port is not None:
        label = "metrics " if found else ""
        found.append(f"{label}http://{config.exporter.host}:{daemon.port}/metrics")
    if shown and shown.taken:
        numbers = " and ".join(map(str, shown.taken))
        found.append(
            f"(port {numbers} is taken)"
            if len(shown.taken) == 1
            else f"(ports {numbers} are taken)"
        )
    return "   ".join(found)


def _feed(daemon: Daemon) -> list[Decision]:
    return [] if daemon.recorder is None else list(daemon.recorder.feed)
