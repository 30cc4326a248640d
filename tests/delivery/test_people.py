"""Nobody gets a customer's number to read."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.decisions import Decision
from monitor.delivery.people import Digest, for_people, masked, scope_for_people, text_for_people
from tests.store.made import NUMBER, alert, command, refusal

CUSTOMER = "+8613912345678"
MASKED = "+8613…78"


def redial(**changes: Any) -> Decision:
    return alert(
        rule="redial",
        scope=(("number", NUMBER), ("customer", CUSTOMER)),
        message={"en": f"{NUMBER} called {CUSTOMER} 3 times", "zh": f"{CUSTOMER} 被拨打 3 次"},
        **changes,
    )


def test_the_customer_is_masked_everywhere_and_our_number_is_not() -> None:
    shown = for_people(redial())
    assert shown["scope"] == {"number": NUMBER, "customer": MASKED}
    assert shown["message"] == {
        "en": f"{NUMBER} called {MASKED} 3 times",
        "zh": f"{MASKED} 被拨打 3 次",
    }
    assert CUSTOMER not in msgspec.json.encode(shown).decode()


def test_nothing_else_is_touched() -> None:
    plain = alert()
    assert masked(plain) is plain
    for decision in (plain, command(), refusal()):
        assert for_people(decision) == decision.to_json()
    opaque = alert(scope=(("customer", "C-17"),))
    assert for_people(opaque)["scope"] == {"customer": "C-17"}


def test_texts_for_the_log() -> None:
    found = redial()
    assert isinstance(found, type(alert()))
    assert scope_for_people(found) == f"number={NUMBER},customer={MASKED}"
    assert text_for_people(found, "zh") == f"{MASKED} 被拨打 3 次"
    assert text_for_people(found, "fr") == f"{NUMBER} called {MASKED} 3 times"
    assert text_for_people(alert(message={}), "en") == ""


def test_a_digest_counts_all_and_shows_the_newest_masked() -> None:
    decisions: list[Decision] = [
        *(alert(60_000 + n) for n in range(150)),
        alert(70_000, state="resolved"),
        refusal(71_000),
        command(72_000),
        redial(at_ms=73_000),
    ]
    digest = Digest.of(decisions)
    shown = digest.to_json()
    assert (shown["kind"], shown["id"], shown["count"]) == ("digest", digest.id, 154)
    assert (shown["from"], shown["to"]) == ("1970-01-01T00:01:00Z", "1970-01-01T00:01:13Z")
    assert shown["counts"] == [
        {"what": "alert firing", "rule": "number-hangup", "level": "crit", "count": 150},
        {"what": "alert firing", "rule": "redial", "level": "crit", "count": 1},
        {"what": "alert resolved", "rule": "number-hangup", "level": "crit", "count": 1},
        {"what": "command suspend", "rule": "number-hangup", "level": "", "count": 1},
        {"what": "refusal max_fraction", "rule": "number-hangup", "level": "", "count": 1},
    ]
    assert len(shown["newest"]) == 100
    assert shown["newest"][-1] == for_people(redial(at_ms=73_000))
    assert CUSTOMER not in msgspec.json.encode(shown).decode()
    assert Digest.of(decisions).id == digest.id
    assert Digest.of(decisions[1:]).id != digest.id
