"""Changes of the do-not-call list on their way: in full to who keeps it, masked to people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.delivery.channels.commands import CommandsChannel
from monitor.delivery.people import Digest, for_people
from monitor.store.outbox import Delivery, PlannedDelivery
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import CUSTOMER, listing


class Topic:
    """Remembers what was written to it."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, str, str]] = []

    def prepare(self) -> str:
        return ""

    def send(self, command_json: bytes, key: str, command_id: str) -> None:
        self.records.append((command_json, key, command_id))

    def send_all(self, commands: Sequence[tuple[bytes, str, str]]) -> None:
        self.records += commands

    def already_sent(self, command_id: str, mark: str) -> bool:
        return (command_id, mark) == ("", "")

    def close(self) -> None:
        pass


def test_a_topic_gets_it_in_full_under_its_customer() -> None:
    topic, change = Topic(), listing(until_ms=90_000)
    CommandsChannel(topic).send(Delivery(1, "dnc", "k", change, 1, 0, ""))
    ((body, key, name),) = topic.records
    assert (key, name) == (CUSTOMER, change.id)
    assert json.loads(body) == {
        "update_id": change.id,
        "action": "add",
        "customer": CUSTOMER,
        "since": "1970-01-01T00:00:59.500Z",
        "until": "1970-01-01T00:01:30Z",
        "reason": "opted_out",
        "source": "sms.opted_out",
        "by": "events",
        "decided_at": "1970-01-01T00:01:00Z",
    }


@pytest.mark.parametrize(("customer", "shown"), [(CUSTOMER, "+8613…78"), ("aB3xyz", "aB…")])
def test_people_get_it_masked(customer: str, shown: str) -> None:
    change = listing(customer=customer)
    assert for_people(change)["customer"] == shown
    digest = Digest.of([change]).to_json()
    assert digest["counts"][0]["what"] == "do-not-call add"
    assert customer not in json.dumps(digest)


def test_one_that_comes_late_is_never_told_in_a_digest(tmp_path: Path) -> None:
    settings = StoreSettings(path=tmp_path / "monitor.db")
    with Store.open(settings, ManualClock(10_000_000)) as store:
        change = listing()
        store.record(Recording([change], [PlannedDelivery(change.id, "dnc", "k")]))
        assert store.outbox.claim_late("dnc", before_ms=9_000_000, limit=9) == []
        (claimed,) = store.outbox.claim("dnc", limit=9, fresh_since_ms=9_000_000)
        assert claimed.decision == change
