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
from monitor.running.heap import keep_freed
from monitor.site import Site, load_site
from monitor.warm import warm

log = structlog.get_logger(__name__)

REFRESH_S = 1.0
LINE_EVERY_S = 5.0


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
    clock, password = SystemClock(), ""
    if demonstration:
        path = None
        site, password = demo.site()
    else:
        path = config_path(config)
        site = load_site(path)
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
        if demonstration:
            stack.enter_context(demo.traffic(daemon, clock))
        keep_freed()
        _signals(daemon, hangup_stops=demonstration)
        _work(daemon, clock, table=table, password=password)


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


def _work(daemon: Daemon, clock: Clock, *, table: bool, password: str = "") -> None:
    """The engine in a thread of its own, this one for the terminal and signals.

    ``password``: of the demonstration's user, who is told where to sign in.
    """
    failure: list[BaseException] = []

    def engine() -> None:
        try:
            _load_compiled()
            daemon.run()
        except BaseException as error:  # noqa: BLE001 - handed over to the main thread
            failure.append(error)
        finally:
            daemon.stop.set()

    thread = threading.Thread(target=engine, name="engine")
    thread.start()
    try:
        if table:
            _show(daemon, thread, clock, password)
        else:
            _tell(daemon, thread, clock, password)
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


def _show(daemon: Daemon, thread: threading.Thread, clock: Clock, password: str = "") -> None:
    console = Console()
    with Live(console=console, refresh_per_second=4) as live:
        while thread.is_alive():
            size = (console.width, console.height)  # a window may be resized
            live.update(
                render(daemon.board.latest, _feed(daemon), url=_url(daemon, password), size=size)
            )
            clock.wait(daemon.stop, REFRESH_S)
            if daemon.stop.is_set():
                thread.join()


def _tell(daemon: Daemon, thread: threading.Thread, clock: Clock, password: str) -> None:
    """Lines for a pipe; what is decided is in the log. Nobody has to read them."""
    told = not password
    while thread.is_alive():
        clock.wait(daemon.stop, LINE_EVERY_S)
        if daemon.stop.is_set():
            thread.join()
        try:
            if not told and daemon.web_port is not None:
                print(_console(daemon, password), flush=True)
                told = True
            print(line(daemon.board.latest), flush=True)
        except BrokenPipeError:
            silence(sys.stdout)
        except OSError:  # a full disk; the next line may do
            continue


def _url(daemon: Daemon, password: str) -> str:
    settings, port = daemon.site.config.exporter, daemon.port
    metrics = "" if port is None else f"http://{settings.host}:{port}/metrics"
    console = _console(daemon, password)
    return "   ".join(each for each in (console, metrics) if each)


def _console(daemon: Daemon, password: str) -> str:
    """Where the console is, and how the demonstration's user signs in."""
    port = daemon.web_port
    if port is None:
        return ""
    web = daemon.site.config.web
    scheme = "http" if web.tls is None else "https"
    who = f" (sign in: {demo.USER} / {password})" if password else ""
    return f"console {scheme}://{web.host}:{port}/console/{who}"


def _feed(daemon: Daemon) -> list[Decision]:
    return [] if daemon.recorder is None else list(daemon.recorder.feed)
