"""What ``monitor ingest`` says of itself: figures, health, and who may see them."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest import mock

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from monitor.clock import ManualClock, SystemClock
from monitor.exporter.catalogue import INGEST
from monitor.ingest.figures import STALLED_MS, Counts, Figures, Queue
from monitor.ingest.open import Ingest
from monitor.ingest.settings import IngestExporter, IngestSettings
from monitor.source.settings import FilesSettings
from tests.ingest.test_receiver import RECEIVERS, Served, digest, serving


def samples(served: Served) -> dict[tuple[str, ...], float]:
    text = httpx.get(f"{address(served)}/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def address(served: Served) -> str:
    return f"http://127.0.0.1:{served.ingest.exporter_port}"


def signed(body: bytes) -> dict[str, str]:
    return {"X-Signature": digest(body)}


def test_what_is_kept_and_what_is_refused_is_counted_by_receiver_and_reason(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, rate="4/1h") as served:
        before = samples(served)
        assert before["monitor_ingest_records_total", "pbx"] == 0, "the first one counts too"
        assert before["monitor_ingest_refused_total", "signature", "pbx"] == 0
        served.post("pbx", b"{}", **signed(b"{}"))
        served.post("pbx", b"{}")
        served.post("pbx", b"[]", **signed(b"[]"))
        served.post("nobody", b"{}")
        with mock.patch("monitor.ingest.sinks.os.fsync", side_effect=OSError(28, "no space")):
            assert served.post("pbx", b"{}", **signed(b"{}")).status_code == 503
            ready = httpx.get(f"{address(served)}/readyz")
        assert ready.status_code == 503
        assert ready.json()["unready"] == [{"reason": "not_kept", "detail": "[Errno 28] no space"}]
        assert samples(served)["monitor_ingest_unready", "not_kept"] == 1
        for _ in range(2):
            served.post("pbx", b"{}", **signed(b"{}"))
        after = samples(served)
        assert httpx.get(f"{address(served)}/readyz").json() == {"ready": True, "unready": []}
        assert httpx.get(f"{address(served)}/healthz").text == "ok\n"
        assert httpx.get(f"{address(served)}/nothing").status_code == 404
    assert after["monitor_ingest_records_total", "pbx"] == 2
    refused = {key[1:]: n for key, n in after.items() if key[0] == "monitor_ingest_refused_total"}
    assert {key: n for key, n in refused.items() if n} == {
        ("signature", "pbx"): 1,
        ("malformed", "pbx"): 1,
        ("not_kept", "pbx"): 1,
        ("rate", "pbx"): 1,
        ("unknown_receiver", ""): 1,
    }
    assert after["monitor_ingest_sink_errors_total",] == 1
    assert after["monitor_ingest_requests_total", "200"] == 2
    assert after["monitor_ingest_waiting_records_max",] == 1_000
    assert after["monitor_ingest_last_kept_timestamp_seconds",] > 1_700_000_000
    shown = {key[0] for key in after}
    assert {spec.name for spec in INGEST} <= shown | {"monitor_ingest_unready"}


def test_it_speaks_openmetrics_too(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        answer = httpx.get(f"{address(served)}/metrics", headers=accept)
    assert answer.text.endswith("# EOF\n")


def test_a_full_queue_and_a_disk_that_hangs_are_not_ready() -> None:
    counts, waiting, clock = Counts(), 0, ManualClock()
    figures = Figures(counts, {}, Queue(lambda: waiting, 3), ["pbx"], clock)
    assert figures.unready() == []
    waiting = 3
    counts.busy_since_s = clock.monotonic_s()
    assert [each.reason for each in figures.unready()] == ["full"]
    clock.advance(STALLED_MS + 1)
    assert [each.reason for each in figures.unready()] == ["full", "stalled"]
    assert figures.stalled()


def test_a_webhook_that_finds_the_queue_full_is_counted(tmp_path: Path) -> None:
    go, begun = threading.Event(), threading.Event()

    def slow(_file: int) -> None:
        begun.set()
        go.wait(20)

    with serving(tmp_path, waiting=1) as served:
        with mock.patch("monitor.ingest.sinks.os.fsync", slow):
            senders = []
            for number in range(2):
                body = b'{"n": %d}' % number
                sender = threading.Thread(
                    target=served.post, args=("pbx", body), kwargs=signed(body)
                )
                sender.start()
                senders.append(sender)
                begun.wait(20)
            while samples(served)["monitor_ingest_waiting_records",] < 1:
                pass
            assert served.post("pbx", b"{}", **signed(b"{}")).status_code == 503
            go.set()
            for sender in senders:
                sender.join(20)
        assert samples(served)["monitor_ingest_refused_total", "full", "pbx"] == 1


def test_who_may_see_it(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="set token_file or token_env"):
        IngestExporter(host="0.0.0.0")  # noqa: S104 - refused
    settings = IngestSettings.model_validate(
        {"receivers": RECEIVERS, "folder": tmp_path, "port": 0,
         "exporter": {"port": 0, "token_env": "T"}}
    )  # fmt: skip
    token = "a-token-of-some-length"
    ingest = Ingest(
        settings, FilesSettings(kind="files", paths=("none",)), SystemClock(), {"T": token}
    )
    ingest.start()
    try:
        url = f"http://127.0.0.1:{ingest.exporter_port}/metrics"
        assert httpx.get(url).status_code == 401
        shown = httpx.get(url, headers={"Authorization": f"Bearer {token}"})
        assert shown.status_code == 200
        assert 'refused_requests_total{reason="unauthorized"} 1.0' in shown.text
    finally:
        ingest.stop()


def test_it_may_be_off(tmp_path: Path) -> None:
    with serving(tmp_path, exporter={"enabled": False}) as served:
        assert served.ingest.exporter_port is None
