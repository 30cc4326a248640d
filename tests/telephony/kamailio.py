"""Kamailio itself, with the configuration that is shipped, and calls through it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import httpx

from monitor.clock import Clock, SystemClock
from monitor.telephony.kamailio import KamailioTelephony
from tests import web
from tests.deploy.tools import await_true, free_port, program
from tests.docs.markdown import ROOT
from tests.telephony import sip

CONFIG = ROOT / "deploy" / "kamailio" / "kamailio.cfg"
TOKEN = "a-token-of-the-tests"
_ALONE = ("-DD", "-E", "-m", "64", "-M", "8")
TABLE, MARK = "suspended", "callcentre-monitor"


class Kamailio:
    """A process of it; what is beyond it is ``far``, a port."""

    def __init__(self, folder: Path, far: int) -> None:
        self._program = program("kamailio")
        self._folder = folder
        self.sip = free_port()
        self.rpc = free_port()
        self.url = f"http://127.0.0.1:{self.rpc}/RPC"
        self._given = {
            "SIP_LISTEN": f"udp:127.0.0.1:{self.sip}",
            "RPC_LISTEN": f"tcp:127.0.0.1:{self.rpc}",
            "NEXT_HOP": f'"sip:127.0.0.1:{far}"',
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it with an empty table; on return it takes commands."""
        run = self._folder / "run"
        run.mkdir(exist_ok=True)
        defined = [part for name, text in self._given.items() for part in ("-A", f"{name}={text}")]
        with (self._folder / "kamailio.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-f", str(CONFIG), *defined, *_ALONE, "-Y", run, "-P", run / "pid"],
                env=os.environ | {"SUSPENDED_TOKEN": TOKEN},
                stdout=log,
                stderr=log,
            )
        await_true(self._listens, "Kamailio takes commands")

    def stop(self) -> None:
        """Stop it; twice is fine."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            return web.get(self.url, timeout=2).status_code == 404
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """What it said."""
        return (self._folder / "kamailio.log").read_text(errors="replace")

    def telephony(self, clock: Clock | None = None) -> KamailioTelephony:
        """The daemon's end."""
        return KamailioTelephony(
            self.url, TOKEN, table=TABLE, mark=MARK, timeout_ms=5_000, clock=clock or SystemClock()
        )

    def may_call(self, number: str) -> bool:
        """Whether a call from ``number`` reaches the far end."""
        status, _ = sip.call(number, self.sip)
        assert status in (403, 486)
        return status != 403
