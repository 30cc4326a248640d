"""``monitor run --demo``: it comes up whatever else runs on the machine."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.cli.demo import PATH, PORTS_TRIED, free_port, prepare
from monitor.errors import UsageError
from tests import web
from tests.cli.program import monitor
from tests.daemon.folder import Folder
from tests.daemon.running import PROGRAM, eventually
from tests.deploy.tools import free_port as any_port

USUAL = (9108, 9109)


@contextlib.contextmanager
def listening(*ports: int) -> Iterator[None]:
    """Somebody listens there: we, or who has been there before."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            taken = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                taken.bind(("127.0.0.1", port))
                taken.listen()
        yield


def test_the_next_free_port_is_taken() -> None:
    port = any_port()
    assert free_port(port) == port
    assert free_port(port, but=port) > port
    with listening(port):
        assert port < free_port(port) < port + PORTS_TRIED


def test_it_gives_up_where_none_is_free() -> None:
    port = any_port()
    with listening(*range(port, port + 3)), pytest.raises(UsageError, match="nor the 2 after it"):
        free_port(port, tried=3)


def test_one_that_runs_already_in_the_same_folder_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = prepare()
    written = PATH.read_text("utf-8")
    with pytest.raises(UsageError, match="a demonstration runs in var/demo already"):
        prepare()
    assert PATH.read_text("utf-8") == written
    first.lock.close()
    second = prepare()
    assert second.password != first.password
    second.lock.close()


def test_the_demonstration_gives_way_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    with (
        listening(*USUAL),
        out.open("wb") as file,
        subprocess.Popen(
            [PROGRAM, "run", "--demo", "--no-live"],
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
        ) as demo,
    ):
        try:
            line = re.compile(r"^console (\S+)/console/ .*", re.MULTILINE)
            told = eventually(lambda: line.search(out.read_text("utf-8")), "the line")
            assert "(ports 9108 and 9109 are taken)" in told[0]
            console = told[1]
            metrics = re.search(r"metrics (http://127.0.0.1:(\d+))/metrics", told[0])
            assert metrics is not None
            assert int(metrics[2]) not in USUAL
            assert int(console.rpartition(":")[2]) not in {*USUAL, int(metrics[2])}
            assert "<form" in web.get(f"{console}/signin", timeout=5).text
            assert web.get(f"{metrics[1]}/healthz", timeout=5).status_code == 200
        finally:
            demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0


def test_another_run_gives_way_to_nobody(folder: Folder) -> None:
    port = any_port()
    folder.write(exporter={"port": port})
    with listening(port):
        done = monitor("run", "-c", folder.path, "--no-live")
    assert done.status == 2
    assert f"exporter: cannot listen on 127.0.0.1:{port}: Address already in use" in done.err
