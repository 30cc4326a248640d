"""Nobody gets a customer's number to read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.decisions import Decision, Notice
from monitor.delivery.people import Digest, for_people, masked, scope_for_people, text_for_people
from tests.store.made import NUMBER, alert, command, listing, order, refusal

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


@pytest.mark.parametrize(
    ("customer", "shown", "text", "said"),
    [
        ("c-123456", "c-…", "c-123456 again, 客户c-123456", "c-… again, 客户c-…"),
        ("li.si@example.com", "li…", "<li.si@example.com>", "<li…>"),
        ("c-13912345678", "c-…", "c-13912345678 again", "c-… again"),
        ("7", "…", "7 again: 17 of 77, 客户7", "… again: 17 of 77, 客户…"),
        ("张三", "…", "张三又被拨打", "…又被拨打"),
    ],
)
def test_a_customer_who_is_no_telephone_number_is_masked_too(
    customer: str, shown: str, text: str, said: str
) -> None:
    scope = (("number", NUMBER), ("customer", customer))
    told = alert(scope=scope, message={"en": text})
    assert for_people(told)["scope"] == {"number": NUMBER, "customer": shown}
    assert for_people(told)["message"] == {"en": said}
    assert for_people(order(scope=scope))["scope"]["customer"] == shown
    assert for_people(listing(customer=customer))["customer"] == shown
    notice = Digest.of([told, order(scope=scope), listing(customer=customer)]).to_json()
    assert customer not in str(notice["newest"]) or len(customer) == 1


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


CRIT, WARN = alert(level="crit"), alert(70_000, level="warn")
ENDED = alert(80_000, level="crit", state="resolved")


def told(language: str) -> Notice:
    counts = {"firing crit number-hangup": 1}
    return Notice(1, "n", "alerts", "all", "li", language, "crit", counts, 1, 1, (CRIT,))


@pytest.mark.parametrize(
    ("decisions", "level", "language"),
    [
        ([CRIT, WARN], "crit", ""),
        ([WARN, WARN], "warn", ""),
        ([WARN, ENDED], "warn", ""),  # what fires counts
        ([ENDED, ENDED], "crit", ""),
        ([command(), refusal()], None, ""),
        ([told("zh"), told("zh")], "crit", "zh"),
        ([told("zh"), told("en")], "crit", ""),
        ([told("zh"), WARN], "crit", ""),
    ],
)
def test_a_sum_has_the_worst_level_and_the_language_of_all(
    decisions: list[Decision], level: str | None, language: str
) -> None:
    digest = Digest.summed("d", "late", decisions)
    assert (digest.level, digest.language) == (level, language)
