"""Every id of the domain stands in a pack with a story and a panel."""

from __future__ import annotations

import pytest

from tests.docs import domain_page
from tests.docs.domain_page import Entry
from tests.packs.stories import NAMES, site_of

ENTRIES = domain_page.entries()
IDS = {
    "telemarketing": """
        consent_rate number_flag_rate complaint_rate redial_frequency opted_out_contacts
        off_hours_calls dual_channel_reach effective_talk_ratio auto_log_rate idle_agent answer_rate
        sms_call_funnel cac repurchase_rate referral_rate best_hour csat hangup_rate callback_rate
    """,
    "whatsapp-sales": """
        qualified_contacts conversation_depth stalled_customers response_time sales_conversion
        average_order effective_interactions material_use collision_rate handoff_success
        contact_pressure surge sample_check
    """,
    "crm-follow-up": """
        claim_without_contact customer_untouched private_pool_size close_quota customer_conflict
        stage_dwell lead_visit mail_reply_time sample_to_deal loss_reasons leading efficiency result
    """,
    "service-desk": "resolution_rate first_response handle_time service_csat linked_sales_share",
    "standard-figures": """
        asr ner acd aht asa service_level abandonment short_call_share occupancy pdd
    """,
    "SIP": "blocked_603_608 unwanted_607 declined_603 answer_rate_drop",
    "limits": """
        us_abandoned_calls us_calling_hours us_three_in_24h us_reg_f us_revocation uk_ofcom
        fr_d2022_1313 br_anatel in_trai tencent alibaba volcengine huawei cn_own_practice
        carrier_short_calls wa_messaging_limit wa_service_window wa_template_quality
        sms_opt_out_and_errors
    """,
}
"""What the domain asks for, written twice on purpose: a row cannot be lost from the table alone."""


def test_no_id_of_the_domain_is_lost() -> None:
    found: dict[str, list[str]] = {}
    for entry in ENTRIES:
        found.setdefault(entry.section, []).append(entry.id)
    assert {name: set(ids) for name, ids in found.items()} == {
        name: set(ids.split()) for name, ids in IDS.items()
    }
    assert len(ENTRIES) == len({(entry.section, entry.id) for entry in ENTRIES})


def test_nothing_is_missing() -> None:
    assert [entry.id for entry in ENTRIES if not entry.stands] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_what_is_said_to_stand_stands(entry: Entry) -> None:
    site = site_of(entry.pack)
    assert set(entry.indicators) <= {indicator.id for indicator in site.indicators}
    assert set(entry.rules) <= {rule.id for rule in site.rules}
    if entry.rules:
        assert domain_page.stories(entry) >= 2
    if entry.indicators or entry.rules:
        assert domain_page.panels(entry)


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_belongs_to_an_id(name: str) -> None:
    named = {rule for entry in ENTRIES if entry.pack == name for rule in entry.rules}
    assert {rule.id for rule in site_of(name).rules} == named
