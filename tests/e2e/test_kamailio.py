"""Real calls through a real Kamailio, refused because of what the daemon read.

sipp places the calls and takes them at the far end; the daemon is ``monitor run``. Of Kamailio's
own events nothing is read: the dialler writes what became of its calls, here into a file.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.tools import await_true, free_port, program
from tests.e2e.daemons import CLOCK, Daemon, running, wait
from tests.telephony.kamailio import TOKEN, Kamailio

pytestmark = [pytest.mark.slow, pytest.mark.untraced]

BAD, GOOD = "+862150000007", "+862150000008"
TTL_S = 20
"""Longer than the window: what it was suspended for is out of it then."""
_CONFIG = """\
version: 1
source: {{kind: files, paths: ["{folder}/events-*.jsonl"], follow: true}}
time: {{tick: 500ms, out_of_order: 200ms, idle_after: 500ms}}
store: {{path: {folder}/monitor.db, checkpoints: {folder}/checkpoints}}
exporter: {{enabled: false}}
rules_dir: {folder}
packs: [pack]
pools: {{defaults: {{max_fraction: 50%}}}}
numbers: {{reconcile_every: 2s}}
telephony: {{kind: kamailio, url: "{url}", token: {{value: {token}}}}}
"""
_INDICATORS = """\
version: 1
indicators:
  - id: hangups
    kind: ratio
    hits: {count: call.ended, where: hangup_by == 'customer'}
    of: {count: call.ended}
    by: [number]
    windows: [10s]
"""
_RULES = """\
version: 1
rules:
  - id: hangup-raw
    indicator: hangups
    by: number
    levels: {crit: {above: 60%, clear: 40%}}
    window: 10s
    evidence: {method: raw, min_of: 4}
    no_data: hold
    notify: {route: supervisors}
    action: {suspend: {ttl: 20s, probation: {calls: 10, max: 10m}}}
"""
_CALL = """\
<?xml version="1.0" encoding="UTF-8"?>
<scenario name="one call of a dialler">
  <send retrans="500"><![CDATA[
INVITE sip:1000@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[caller]@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:1000@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:[caller]@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:[caller]@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:1000@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:[caller]@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:1000@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
"""


class Dialler:
    """Places calls through Kamailio, and writes down how they ended."""

    def __init__(self, folder: Path, kamailio: Kamailio) -> None:
        self._folder = folder
        self._kamailio = kamailio
        self._sipp = program("sipp")
        self._scenario = folder / "call.xml"
        self._scenario.write_text(_CALL)
        self._ids = itertools.count()

    def calls(self, number: str) -> bool:
        """Whether a call from ``number`` is set up, and hung up again, end to end.

        Raises:
            AssertionError: it was not, and not because of the 403.
        """
        errors = self._folder / "sipp-errors.log"
        errors.unlink(missing_ok=True)
        ends = [f"127.0.0.1:{self._kamailio.sip}", "-i", "127.0.0.1", "-p", str(free_port())]
        once = ["-key", "caller", number, "-m", "1", "-nostdin", "-timeout", "10s"]
        told = ["-trace_err", "-error_file", str(errors)]
        done = subprocess.run(
            [self._sipp, "-sf", self._scenario, *ends, *once, *told],
            capture_output=True,
            check=False,
            timeout=30,
            cwd=self._folder,
        )
        if done.returncode == 0:
            return True
        said = errors.read_text() if errors.exists() else done.stderr.decode()
        assert "SIP/2.0 403 Caller Suspended" in said, said
        assert "X-Suspended: callcentre-monitor;until=" in said
        assert ";rule=hangup-raw;" in said
        return False

    def ended(self, number: str, *, by: str, count: int) -> None:
        """So many calls of ``number`` ended, answered, hung up by ``by``."""
        with (self._folder / "events-1.jsonl").open("a") as events:
            for _ in range(count):
                event = {
                    "id": f"call-{next(self._ids)}",
                    "type": "call.ended",
                    "time": CLOCK.now_ms(),
                    "started_at": CLOCK.now_ms(),
                    "direction": "outbound",
                    "number": number,
                    "campaign": "spring",
                    "team": "t1",
                    "customer": "c1",
                    "outcome": "answered",
                    "hangup_by": by,
                    "talk_s": 5,
                }
                events.write(json.dumps(event) + "\n")


@contextmanager
def answering(folder: Path) -> Iterator[int]:
    """Somebody who takes every call, behind Kamailio; the port."""
    port = free_port()
    with (folder / "far.log").open("wb") as log:
        process = subprocess.Popen(
            [program("sipp"), "-sn", "uas", "-i", "127.0.0.1", "-p", str(port), "-nostdin"],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


def test_a_number_is_refused_for_its_calls_comes_back_and_a_restart_changes_nothing(
    tmp_path: Path,
) -> None:
    with answering(tmp_path) as far:
        kamailio = Kamailio(tmp_path, far)
        dialler = Dialler(tmp_path, kamailio)
        pack = tmp_path / "pack"
        pack.mkdir()
        (pack / "indicators.yaml").write_text(_INDICATORS)
        (pack / "rules.yaml").write_text(_RULES)
        text = _CONFIG.format(folder=tmp_path, url=kamailio.url, token=TOKEN)
        daemon = Daemon(tmp_path, text)
        kamailio.start()
        try:
            with running(daemon):
                _suspended_and_back(dialler, kamailio, daemon)
        finally:
            kamailio.stop()


def _suspended_and_back(dialler: Dialler, kamailio: Kamailio, daemon: Daemon) -> None:
    wait("the daemon reads", lambda: '"event": "started"' in daemon.log())
    await_true(lambda: dialler.calls(BAD), "a call passes", 20)
    dialler.ended(GOOD, by="agent", count=20)
    dialler.ended(BAD, by="customer", count=20)
    wait("the call is refused", lambda: not dialler.calls(BAD), 30)
    began_s = CLOCK.monotonic_s()
    assert dialler.calls(GOOD)
    # Kamailio forgets everything, and is told again within one reconciliation.
    kamailio.stop()
    kamailio.start()
    wait("it is refused again", lambda: not dialler.calls(BAD), 6)
    assert dialler.calls(GOOD)
    assert "commanded_again" in reasons(daemon)
    # Time is over, by Kamailio's clock or the daemon's word.
    wait("the call passes again", lambda: dialler.calls(BAD), TTL_S + 15)
    assert CLOCK.monotonic_s() - began_s > TTL_S / 2
    wait("it is on probation", lambda: reasons(daemon)[-1:] == ["on_probation"], 30)
    # Ten good calls that it starts from now on prove it, and it calls all the while.
    dialler.ended(BAD, by="agent", count=9)
    dialler.ended(GOOD, by="agent", count=1)
    assert dialler.calls(BAD)
    assert reasons(daemon)[-1] == "on_probation"
    dialler.ended(BAD, by="agent", count=1)
    wait("it is proven", lambda: reasons(daemon)[-1:] == ["proven"], 30)
    assert dialler.calls(BAD)


def reasons(daemon: Daemon) -> list[str]:
    with daemon.store() as store:
        return [change.reason for change in reversed(store.history.changes(number=BAD))]
