"""The do-not-call list end to end: a stream, a daemon, what others hear, and a restart between."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from monitor.clock import SystemClock
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests import web
from tests.cli.program import monitor
from tests.daemon.folder import GOOD, INDICATORS, RULES, Folder
from tests.daemon.running import Process, eventually, process
from tests.delivery.doubles import http_server
from tests.deploy.tools import free_port
from tests.interface.serving import bearer, tokens

CUSTOMER = "+86139{:08}"
LISTED = CUSTOMER.format(1)

COUNTED = {
    "version": 1,
    "indicators": [
        *INDICATORS["indicators"],
        {
            "id": "ignored",
            "kind": "count",
            "value": {"count": "call.ended", "where": "do_not_call and outcome != 'blocked'"},
            "by": ["campaign"],
            "windows": ["1m"],
            "better": "lower",
        },
    ],
}
WATCHED = {
    "version": 1,
    "rules": [
        *RULES["rules"],
        {
            "id": "ignores",
            "indicator": "ignored",
            "by": "campaign",
            "levels": {"crit": {"above": 0}},
            "window": "1m",
            "evidence": {"method": "raw"},
            "no_data": "resolve",
            "notify": {"route": "people"},
        },
    ],
}


def site(root: Path, url: str) -> Folder:
    folder = Folder(
        root,
        do_not_call={"from_events": ["opted_out", "unsolicited", "refused"]},
        delivery={
            "receivers": {"dnc": {"type": "webhook", "url": url}},
            "do_not_call": ["dnc", "log"],
            "routes": {"people": {"receivers": ["log"]}},
        },
        exporter={"port": free_port()},
        web={
            "enabled": True,
            "port": free_port(),
            "tokens": tokens(),
        },
    )
    folder.write(COUNTED, WATCHED)
    return folder


def ask(folder: Folder, *words: str) -> str:
    done = monitor("dnc", *words, "-c", str(folder.path))
    return f"{done.out}{done.err}"


def heard(receiver: Any) -> list[tuple[str, str]]:
    """Changes in the order they came; a webhook may hear one again, under the same id."""
    told = {body["update_id"]: body for body in (json.loads(r.body) for r in receiver.requests)}
    return [(each["action"], each["customer"]) for each in told.values()]


def fires(running: Process) -> bool:
    return "ignores" in {alert["rule"] for alert in running.status().get("alerts", [])}


def test_a_stream_feeds_it_and_a_restart_repeats_nothing(tmp_path: Path) -> None:
    with http_server() as receiver:
        folder = site(tmp_path, f"{receiver.url}/dnc")
        with process(folder) as running:
            folder.call(GOOD, customer=LISTED)
            running.ready()
            folder.append({"type": "sms.opted_out", "customer": LISTED})
            eventually(lambda: heard(receiver) == [("add", LISTED)], "the first update")
            # Telephony obeys: that is no contact.
            folder.call(GOOD, customer=LISTED, outcome="blocked", sip_reason="dnc")
            folder.append(
                {
                    "type": "complaint.filed",
                    "customer": CUSTOMER.format(2),
                    "category": "unsolicited",
                }
            )
            folder.call(GOOD, customer=CUSTOMER.format(3), refused=True)
            eventually(lambda: len(heard(receiver)) == 3, "a complaint and a refusal")
            assert not fires(running)
            running.end(signal.SIGKILL)
        with process(folder) as running:
            running.ready()
            added = ask(
                folder, "add", "139 0000 0004", "--why", "asked on the phone", "--wait", "60"
            )
            assert "done, 1 changed" in added
            again = ask(folder, "add", CUSTOMER.format(4), "--why", "again", "--wait", "60")
            assert "done, 0 changed" in again
            url = f"http://127.0.0.1:{folder.config['web']['port']}/api/v1/do-not-call"
            removed = web.post(
                f"{url}/remove?wait=10",
                json={"customers": [CUSTOMER.format(2)], "why": "a mistake"},
                headers=bearer("admin"),
                timeout=30,
            )
            assert removed.json()["status"] == "done"
            eventually(lambda: len(heard(receiver)) >= 5, "what people changed")
            # And telephony that does not obey is an alert.
            folder.call(GOOD, customer=CUSTOMER.format(4))
            eventually(lambda: fires(running), "an alert")
            assert LISTED not in running.log()
            page = web.get(url, headers=bearer("viewer"), timeout=10).json()
            assert page["count"] == 3
            assert all("…" in entry["customer"] for entry in page["entries"])
            running.end()
        expected = [("add", CUSTOMER.format(n)) for n in (1, 2, 3, 4)] + [
            ("remove", CUSTOMER.format(2))
        ]
        assert sorted(heard(receiver)) == sorted(expected)
        assert heard(receiver).index(("add", CUSTOMER.format(2))) < heard(receiver).index(
            ("remove", CUSTOMER.format(2))
        )
    settings = StoreSettings(path=folder.store)
    with Store.open(settings, SystemClock(), daemon=False) as store:
        found = store.listed.entries(SystemClock().now_ms())
    assert [(e.customer, e.reason, e.by) for e in found[:2]] == [
        (LISTED, "opted_out", "events"),
        (CUSTOMER.format(3), "refused", "events"),
    ]


def test_a_lost_checkpoint_loses_no_customer(tmp_path: Path) -> None:
    with http_server() as receiver:
        folder = site(tmp_path, f"{receiver.url}/dnc")
        with process(folder) as running:
            folder.call(GOOD)
            running.ready()
            ask(folder, "add", LISTED, "--why", "asked", "--wait", "60")
            folder.call(GOOD, customer=LISTED)
            eventually(lambda: fires(running), "an alert")
            running.end()
        for path in (folder.root / "checkpoints").iterdir():
            path.unlink()
        with process(folder) as running:
            running.ready()
            assert "on the list since" in ask(folder, "check", LISTED)
            folder.call(GOOD, customer=LISTED)
            eventually(lambda: fires(running), "an alert")
        assert heard(receiver) == [("add", LISTED)]


def test_files_go_in_and_come_out(tmp_path: Path) -> None:
    with http_server() as receiver:
        folder = site(tmp_path, f"{receiver.url}/dnc")
        many = [CUSTOMER.format(n) for n in range(450)]
        (tmp_path / "in.csv").write_text("customer,note\n" + "".join(f"{c},x\n" for c in many))
        with process(folder) as running:
            folder.call(GOOD)
            running.ready()
            done = ask(folder, "import", str(tmp_path / "in.csv"), "--why", "the old dialler")
            assert "done, 450 changed" in done
            shown = ask(folder, "list", "--limit", "2")
            assert "450 customers on the list" in shown
            assert many[0] not in shown
            assert many[0] in ask(folder, "list", "--customers")
            for form in ("plain", "csv"):
                out = tmp_path / f"out.{form}"
                ask(folder, "export", str(out), "--format", form)
                lines = out.read_text().splitlines()
                assert lines[form == "csv" :][0].split(",")[0] == many[0]
                assert len(lines) == 450 + (form == "csv")
