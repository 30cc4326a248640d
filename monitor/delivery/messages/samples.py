"""A made-up alert and what belongs to it: what templates are tried out with, and shown in the docs.

Owns the values. Nothing here is of any site.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from monitor.decisions import Alert, Command, Evidence, Figures, Listing, Order, Refusal
from monitor.delivery.messages.background import About
from monitor.delivery.messages.facts import Teller, plain
from monitor.delivery.messages.templates import FORMS, LANGUAGES, Templates
from monitor.delivery.people import Digest
from monitor.delivery.remarks import Remark, Shared
from monitor.errors import ConfigError, Problem

AT_MS = 1_795_309_440_000
"""2026-11-22 09:04 in Shanghai."""
_SINCE_MS = AT_MS - 720_000
_NUMBER = "+862150000007"
_FIGURES = Figures(value=0.46, hits=46, of=100, window="30m")
_EVIDENCE = Evidence("sequential", 41_200, 28_800)

FIRING = Alert(
    at_ms=AT_MS,
    id="3f9c2a41d0b7e6c58a1f20d4936be770",
    episode="9d1e07c3a5f84b62b0c7d9e1f3a24856",
    rule="number-hangup",
    scope=(("number", _NUMBER),),
    level="crit",
    state="firing",
    since_ms=_SINCE_MS,
    figures=_FIGURES,
    evidence=_EVIDENCE,
    reason="breach",
    message={
        "en": f"{_NUMBER}: customers hang up 46.0% within 30 s (46 of 100, 30m)",
        "zh": f"号码 {_NUMBER} 客户 30 秒内挂断率 46.0%(46/100,30m)",
    },
    route="supervisors",
)
RESOLVED = Alert(
    at_ms=AT_MS + 5_400_000,
    id="b17d40c98e2f4a6685d3c1f07a9e2b34",
    episode=FIRING.episode,
    rule="number-hangup",
    scope=FIRING.scope,
    level="crit",
    state="resolved",
    since_ms=_SINCE_MS,
    figures=Figures(value=0.211, hits=19, of=90, window="30m"),
    evidence=_EVIDENCE,
    reason="recovered",
    message={
        "en": f"{_NUMBER}: customers hang up 21.1% within 30 s (19 of 90, 30m)",
        "zh": f"号码 {_NUMBER} 客户 30 秒内挂断率 21.1%(19/90,30m)",
    },
    route="supervisors",
)
SUSPEND = Command(
    at_ms=AT_MS,
    id="52a8d90c7b314ef6a0d1c2b3e4f56789",
    action="suspend",
    number=_NUMBER,
    until_ms=AT_MS + 1_800_000,
    reason="admitted",
    rule="number-hangup",
    episode=FIRING.episode,
    figures=_FIGURES,
    evidence=_EVIDENCE,
)
REFUSED = Refusal(
    at_ms=AT_MS,
    id="c0ffee0123456789c0ffee0123456789",
    number="+862150000008",
    guard="max_fraction",
    detail="1 of 10 are out of service; the limit is 1",
    pool="spring",
    rule="number-hangup",
    episode="0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    route="operations",
)
PAGE = Refusal(
    at_ms=AT_MS,
    id="8d1f3a5c7e90b2d4f6a8c0e1b3d5f709",
    number="",
    guard="brake",
    detail="a wave: 6 of 10 numbers breach or were suspended within 2h, more than 2; no more are "
    "suspended. Suspended in it: +862150000001, +862150000002; to take that back: "
    "monitor numbers undo --pool spring --since 2026-11-22T00:31:00Z",
    pool="spring",
    rule="number-hangup",
    episode="",
    route="operations",
)
SILENT = replace(
    REFUSED,
    id="4e6b8d0f2a4c6e8091b3d5f7a9c1e3f5",
    number=_NUMBER,
    guard="telephony_silent",
    detail="suspending: no answer within 30s",
    pool="",
    episode=FIRING.episode,
)
_ORDER = Order(
    AT_MS, "0rder", "customer.release", (("customer", "+8613800000001"),), "idle-customer", "e"
)
_LISTING = Listing(
    AT_MS, "l1st", "add", "+8613800000001", AT_MS, None, "opted_out", "sms.opted_out", "events"
)
ABOUT = About(
    title={"en": "Customers hang up on a number", "zh": "号码挂断率过高"},
    bound={"en": "above 30%", "zh": "高于 30%"},
    runbook="https://wiki.example.com/number-hangup",
    done=(SUSPEND,),
)
REMARK = Remark(
    bad=46,
    others=100,
    since_ms=AT_MS - 1_800_000,
    sampled=False,
    named=(Shared("agent", "王芳", 0.783, 0.38, 2.06, 1.2e-6),),
    records=("calls/3@120418", "calls/1@98807", "calls/3@120402"),
    trend=(0.12, 0.1, 0.15, None, 0.2, 0.28, 0.31, 0.4, 0.52, 0.6, 0.71, 0.66),
)
DIGEST = Digest.summed(
    "d1gest", "too_many", [FIRING, RESOLVED, SUSPEND, *[REFUSED] * 37, _ORDER, _LISTING]
)
_CONSOLE = "https://monitor.example.com"


def samples(language: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Kind of template and facts, of everything that there can be."""
    for console in (_CONSOLE, None):
        teller = Teller(language, ZoneInfo("Asia/Shanghai"), console, plain)
        yield "alert", teller.alert(FIRING, ABOUT, REMARK)
        yield "alert", teller.alert(RESOLVED, About(), None)
        for decision in (SUSPEND, REFUSED, PAGE, SILENT, _ORDER, _LISTING):
            yield "notice", teller.notice(decision)
        yield "digest", teller.digest(DIGEST)
        yield "test", teller.test("supervisors", AT_MS)


def tried_out(templates: Templates) -> list[Problem]:
    """What is wrong with templates, each fault once."""
    found = dict.fromkeys(templates.strangers())
    for language in LANGUAGES:
        for form in FORMS:
            for kind, facts in samples(language):
                try:
                    templates.render(kind, language, form, facts)
                except ConfigError as error:
                    found |= dict.fromkeys(error.problems)
    return list(found)
