"""Who may flag a number: ``events.allow`` ties an event type to topics, and topics have ACLs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from monitor.config import Config
from monitor.errors import ConfigError
from monitor.events.batch import Decoded
from monitor.events.decode import Decoder
from monitor.events.settings import EventSettings
from monitor.source.base import Fetched, Partition
from monitor.strict_yaml import loads_yaml
from tests.daemon.folder import BAD, FLAGGED, Folder
from tests.daemon.running import eventually, threaded

AT_MS = 1_795_309_200_000
TYPES = frozenset({"number.flagged", "call.ended"})


def event(kind: str, number: int, **more: object) -> bytes:
    body = {"id": f"{kind}-{number}", "type": kind, "time": AT_MS, "number": "+862150000001"}
    return json.dumps(body | more).encode()


def decoded(topic: str, *records: bytes | None, **allow: tuple[str, ...]) -> Decoded:
    settings = EventSettings(allow={kind.replace("_", "."): at for kind, at in allow.items()})
    return Decoder(frozenset({"by"}), TYPES, settings).decode(
        Fetched(
            Partition(topic, 3),
            offsets=np.arange(100, 100 + len(records)),
            timestamps=np.full(len(records), AT_MS),
            append_time=False,
            values=records,
            next_position=100 + len(records),
        )
    )


def test_a_type_is_taken_from_its_own_topics_only() -> None:
    flag, call = event("number.flagged", 1), event("call.ended", 2)
    for topic, taken in [("carrier", 2), ("regulator", 2), ("calls", 1), ("Carrier", 1)]:
        got = decoded(topic, flag, call, number_flagged=("carrier", "regulator"))
        assert got.frame.height == taken, topic
        assert [(r.offset, r.reason, r.value) for r in got.rejects] == (
            [] if taken == 2 else [(100, "not_allowed", flag)]
        )


def test_it_holds_for_what_the_strict_decoder_reads_and_rejects_stay_in_order() -> None:
    spaced = event("number.flagged", 1).replace(b'"type":', b'"type" :')
    cloud = event("number.flagged", 2, specversion="1.0", data={"by": "carrier"})
    got = decoded("calls", None, b"{", cloud, b"[]", spaced, number_flagged=("carrier",))
    assert got.frame.is_empty()
    assert got.timestamps.is_empty()
    assert got.tombstones == 1
    assert [(r.offset, r.reason) for r in got.rejects] == [
        (101, "not_json"),
        (102, "not_allowed"),
        (103, "not_an_object"),
        (104, "not_allowed"),
    ]


def test_without_a_list_every_topic_may_say_everything() -> None:
    assert decoded("anything", event("number.flagged", 1)).frame.height == 1


def test_a_type_that_does_not_exist_protects_nothing_and_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"c.yaml:2:.*no event type 'number.flaged'"):
        loads_yaml("events:\n  allow: {number.flaged: [x]}\n", Path("c.yaml"), Config)
    with pytest.raises(ConfigError, match="at least 1 item"):
        loads_yaml("events:\n  allow: {number.flagged: []}\n", Path("c.yaml"), Config)


def test_a_forged_flag_suspends_nobody(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(events={**folder.config["events"], "allow": {"number.flagged": ["carrier-flags"]}})
    with threaded(folder) as running:
        running.ready()
        folder.flag(FLAGGED)
        folder.call(BAD, bad=True, count=20)
        eventually(lambda: running.commands(BAD), "what figures say is still acted on")
        assert running.commands(FLAGGED) == []
        assert running.alerts("flagged") == []
    (line,) = (tmp_path / "dead.jsonl").read_text().splitlines()
    assert json.loads(line)["reason"] == "not_allowed"
