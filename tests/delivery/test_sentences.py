"""What guards, telephony and histories keep, as people read it: by the code that keeps it."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from monitor.decisions import Ack, Around, Refusal
from monitor.delivery.messages import samples
from monitor.delivery.messages.background import About
from monitor.delivery.messages.facts import Teller, plain
from monitor.delivery.messages.sentences import sentence
from monitor.delivery.messages.templates import FORMS, Templates
from monitor.delivery.messages.words import word
from monitor.delivery.people import Digest
from monitor.numbers import guards
from monitor.numbers.guards import FAILURES, Guard, PoolStanding, Verdict
from monitor.numbers.summary import ALONE_MAX, summed
from monitor.units import Rate
from tests.numbers.made import HOUR_MS, START_MS, Table, numbers, order, rejected, want

POOL = PoolStanding("spring", size=10, out=5, max_fraction=Fraction(1, 2), min_left=5)
ZONE = ZoneInfo("Asia/Shanghai")
ENGLISH = re.compile(r"[A-Za-z]{2,}(?:'[a-z]+)? [a-z]{2,}")
"""Two words in a row; a rule, a name and a unit are one."""
TYPED = re.compile(r"monitor numbers [-a-z0-9 :TZ]+")
"""What is to be typed is the same in every language."""


def refused(verdict: Verdict | None, **changes: Any) -> Refusal:
    assert verdict is not None
    made = replace(samples.REFUSED, guard=verdict.guard, detail=verdict.detail, pool=verdict.pool)
    return replace(made, **changes)


def pages() -> dict[str, Refusal]:
    """Refusals of whole pools, by the desk; a wave names what it has suspended."""
    pool: dict[str, Any] = {"numbers": numbers(20), "max_fraction": "100%"}
    found = {}
    kinds: dict[str, dict[str, Any]] = {
        "brake": {"brake_above": "20%"}, "approval": {"approval": 3},
        "campaign": {"inhibited_by": ["bad-campaign"]},
    }  # fmt: skip
    for name, guarded in kinds.items():
        table = Table({"a": pool | guarded}, rate="1000/1h")
        around = Around(breaches={"bad-campaign": frozenset({"a"})}) if name == "campaign" else None
        if name == "brake":
            table.step([want(number) for number in numbers(3)])
        asked = [want(f"n{index:03d}") for index in range(8)]
        table.now += 5_000
        made = table.desk.step(table.now, asked, [], [], [], around or Around())
        (found[name],) = made.refusals
    return found


def failures() -> dict[str, Refusal]:
    """Of telephony, by the desk."""
    found: dict[str, Refusal] = {}
    for name in sorted(FAILURES):
        table = Table({"a": {"numbers": numbers(9), "max_fraction": "100%"}})
        (command,) = table.step([want("n000")]).commands
        if name == "telephony_silent":
            answer = Ack(command.id, "silent", "no answer within 30s", table.now)
        else:
            answer = rejected(command, "it was not sent: the configuration has its telephony "
                              "system no more")  # fmt: skip
        made = table.step(acks=[answer])
        found[name] = replace(made.refusals[0], guard=name)
    detail = (
        "suspended: edge blocks it until 2026-11-22T01:04:00Z, not until told; b does not block it"
    )
    found["telephony_differs"] = replace(found["telephony_differs"], detail=detail)
    return found


def all_of_them() -> dict[str, Refusal]:
    """By guard."""
    blamed = "agent b is bad on 3 other numbers; with others n is good (2 of 40)"
    found = {
        "never": refused(guards.never(listed=True)),
        "frozen": refused(guards.frozen(by="lin")),
        "undone": refused(guards.undone(until_ms=START_MS + HOUR_MS, tick=START_MS)),
        "max_fraction": refused(guards.max_fraction(POOL)),
        "min_left": refused(guards.min_left(POOL)),
        "global_rate": refused(guards.global_rate(Rate(1, 60_000), [START_MS - 1], START_MS)),
        "pool_rate": refused(
            guards.pool_rate(replace(POOL, rate=Rate(1, 60_000)), [START_MS - 1], START_MS)
        ),
        "agent": refused(Verdict("agent", blamed), number="", pool=""),  # tests/rules/test_blame.py
    }
    full = Table({"a": {"numbers": numbers(2), "max_fraction": "100%"}}, numbers_max=2)
    (found["table_full"],) = full.step([want("n777")]).refusals
    return found | pages() | failures()


ONLY_TO_PEOPLE = {"held", "not_a_number"}
"""Guards of what people ask for; they stand in the number's history."""


def test_every_guard_has_words_in_both_languages() -> None:
    for guard in get_args(Guard):
        assert "_" not in word(f"guard {guard}", "en"), guard
        assert word(f"guard {guard}", "en") != guard or guard == "frozen"
        assert re.fullmatch(r"[一-鿿,]+", word(f"guard {guard}", "zh")), guard


@pytest.mark.parametrize("form", FORMS)
def test_no_chinese_message_has_an_english_sentence_of_a_guard(form: Any) -> None:
    found = all_of_them()
    assert set(found) == set(get_args(Guard)) - ONLY_TO_PEOPLE
    templates, teller = Templates(), Teller("zh", ZONE, "https://m.example.com", plain)
    for guard, refusal in found.items():
        crowd = [replace(refusal, id=str(n), number=f"+86215000{n}") for n in range(ALONE_MAX + 1)]
        for each in (refusal, *summed(crowd)):
            about = About(done=(each,))
            told = [
                ("notice", teller.notice(each)),
                ("digest", teller.digest(Digest.summed("d", "late", [each]))),
                ("alert", teller.alert(samples.FIRING, about, None)),
            ]
            for kind, facts in told:
                text = templates.render(kind, "zh", form, facts)
                words = re.sub(r"<[^>]*>", " ", TYPED.sub("", text))  # not HTML's own
                assert not ENGLISH.search(words), (guard, kind, text)


def test_a_guards_sentence_in_both_languages() -> None:
    def said(language: str, kept: str) -> str:
        told = Teller(language, ZONE, None, plain).notice(refused(Verdict("brake", kept)))
        return str(told["detail"])

    found = all_of_them()
    assert said("zh", found["max_fraction"].detail) == "10 个号码中 5 个已停用,上限 5 个"
    assert said("zh", found["brake"].detail).startswith(
        "大面积异常:1 小时内 20 个号码中有 8 个触发规则或被停用,超过 4 个,不再继续停用。"
        "其间已停用:n000, n001, n002;如需撤回:monitor numbers undo --pool a --since "
    )
    assert said("en", found["undone"].detail).endswith("alone until 2027-01-15 17:00:00 +08:00")
    assert said("zh", found["telephony_silent"].detail) == "停用中:30s 内没有应答"
    assert said("zh", found["telephony_differs"].detail) == (
        "已停用:edge 拦截至 2026-11-22 09:04:00 +08:00 ,而应拦截直到另行通知;b 没有拦截"
    )
    assert said("zh", f"12 numbers, +8621 among them: {found['never'].detail}") == (
        "+8621 等 12 个号码:号码在禁止停用名单内"
    )


def test_what_people_and_telephony_say_stays_as_it_is() -> None:
    by_hand = "a person has undone it; rules leave it alone until tomorrow"
    for kept in ("the carrier asked", "603 Decline", by_hand, "", "1 times: " * 9 + "it"):
        assert sentence(kept, "zh", lambda stamp: str(int(stamp))).endswith(kept[-12:])


def test_what_people_were_refused_stands_in_the_history_in_words() -> None:
    table = Table({"a": {"numbers": numbers(9), "max_fraction": "100%"}}, never=["n008"])
    table.step(manual=[order("hold", "n001"), order("suspend", "n002", id="first")])
    asked = [
        order("resume", "n001"), order("suspend", "n001"), order("hold", "n001", id="again"),
        order("resume", "n003"), order("release", "n002"), order("suspend", "n008"),
    ]  # fmt: skip
    shown = []
    for each in asked:
        made = table.step(manual=[each])
        shown += [sentence(change.detail, "zh", str) for change in made.changes if change.detail]
    assert len(shown) >= len(asked)
    assert all(not ENGLISH.search(each) for each in shown), shown
    assert "停用:号码禁止停用(号码在禁止停用名单内)" in shown


def test_an_english_sentence_is_as_it_was_kept_but_for_times() -> None:
    for refusal in all_of_them().values():
        said = sentence(refusal.detail, "en", str)
        if not refusal.detail.startswith("it was not sent"):
            assert said.replace("1 h", "1h") == refusal.detail
