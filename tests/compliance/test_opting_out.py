"""An opting out by SMS, and a call some days later.

US, 47 CFR 64.1200(a)(10): a revocation of consent is honoured within ten business days; that is
Monday to Friday without federal holidays. China, own practice: at once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compliance.story import NEW_YORK, SHANGHAI, Event, at, call, rule, told

US = """
  - id: contacts
    kind: count
    value:
      count: [call.ended, sms.sent, message.sent]
      where: "business_days_between(opted_out_at, time, 'US', 'America/New_York') > 10"
    by: [customer]
    windows: [24h]
"""
AT_ONCE = """
  - id: contacts
    kind: count
    value: {count: [call.ended, sms.sent, message.sent], where: "opted_out_at is not null"}
    by: [customer]
    windows: [24h]
"""
RULE = rule("contacts", by="customer", level="above: 0", window="24h")
CUSTOMER = {"customer": "+12125550100"}

# Monday, 2 November 2026, 15:00 in New York. Business days after it:
#   Tue 3 = 1, Wed 4 = 2, Thu 5 = 3, Fri 6 = 4, Mon 9 = 5, Tue 10 = 6, (Wed 11 is Veterans Day),
#   Thu 12 = 7, Fri 13 = 8, Mon 16 = 9, Tue 17 = 10, Wed 18 = 11.
STOP: Event = {
    "type": "sms.opted_out",
    "keyword": "STOP",
    "time": at("2026-11-02 15:00", NEW_YORK),
    **CUSTOMER,
}


@pytest.mark.parametrize(
    ("clock", "allowed"),
    [
        ("2026-11-03 10:00", True),  # business day 1
        ("2026-11-11 10:00", True),  # the 9th day of the calendar, a holiday
        ("2026-11-13 10:00", True),  # the 11th day of the calendar, business day 8
        ("2026-11-16 10:00", True),  # business day 9
        ("2026-11-17 23:59", True),  # business day 10, to its end
        ("2026-11-18 00:01", False),  # business day 11
        ("2026-11-18 10:00", False),
        ("2026-12-24 10:00", False),
    ],
)
def test_ten_business_days_in_the_us(clock: str, allowed: bool) -> None:
    alerts = told(US, RULE, [STOP, _call(clock)])
    assert bool(alerts) is not allowed


def _call(clock: str) -> Event:
    return call(clock, NEW_YORK, **CUSTOMER)


def test_who_is_on_a_list_is_not_called_at_all(tmp_path: Path) -> None:
    listed = tmp_path / "register.csv"
    listed.write_text("+1 212 555 0100, since 2020\n")
    config = f"version: 1\ndo_not_call: {{files: ['{listed}']}}\n"
    indicators = AT_ONCE.replace("opted_out_at is not null", "do_not_call")
    (alert,) = told(indicators, RULE, [_call("2026-11-02 16:00")], config=config)
    assert dict(alert.scope) == CUSTOMER
    other = {**_call("2026-11-02 16:00"), "customer": "+12125550101"}
    assert told(indicators, RULE, [other, {**other, "customer": None}], config=config) == []
    assert told(indicators, RULE, [_call("2026-11-02 16:00")]) == [], "no list, nobody on it"


@pytest.mark.parametrize(
    "contact",
    [
        {"type": "call.ended"},
        {"type": "sms.sent"},
        {"type": "message.sent"},
    ],
)
def test_at_once_in_china(contact: Event) -> None:
    customer = {"customer": "+8613800138000"}
    stop = {**STOP, **customer, "time": at("2026-11-02 15:00", SHANGHAI)}
    before = {**contact, **customer, "time": stop["time"] - 1}
    after = {**contact, **customer, "time": stop["time"] + 1}
    assert told(AT_ONCE, RULE, [before, stop]) == []
    assert len(told(AT_ONCE, RULE, [before, stop, after])) == 1
    assert told(AT_ONCE, RULE, [stop, {**after, "customer": "+8613800138001"}]) == []


def test_a_refusal_on_a_call_is_one_too() -> None:
    refused = {**_call("2026-11-02 15:00"), "outcome": "answered", "refused": True}
    assert told(AT_ONCE, RULE, [refused]) == [], "that call itself is no contact after it"
    assert len(told(AT_ONCE, RULE, [refused, _call("2026-11-02 16:00")])) == 1


def test_a_consent_lifts_it_until_the_next() -> None:
    consent = {**STOP, "type": "sms.consented", "time": at("2026-11-10 09:00", NEW_YORK)}
    later = _call("2026-12-01 10:00")
    assert told(AT_ONCE, RULE, [STOP, consent, later]) == []
    again = {**STOP, "time": at("2026-11-30 09:00", NEW_YORK)}
    assert len(told(AT_ONCE, RULE, [STOP, consent, again, later])) == 1
    # In the US ten business days begin with the second opting out.
    assert told(US, RULE, [STOP, consent, again, later]) == []
