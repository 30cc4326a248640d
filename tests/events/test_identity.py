"""Names of customers: what is one, what stays two, and what is no name at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.identity import normalised
from tests.events.test_decode import decode, decoder, event


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("acme ltd", ["Acme Ltd.", "ACME LTD", "acme/ltd", "Acme  Limited", "ACME, Ltd"]),
        ("acme ltd", ["Ａｃｍｅ　Ｌｔｄ．"]),
        ("acme co ltd", ["Acme Co., Ltd.", "ACME COMPANY LIMITED", "acme-co-ltd"]),
        ("acme llc", ["Acme L.L.C.", "Acme LLC", "ACME Limited Liability Company"]),
        ("müller gmbh", ["Müller GmbH", "MÜLLER Gesellschaft mit beschränkter Haftung"]),
        ("müller gmbh", ["Müller G.m.b.H."]),
        ("grossmann and sons plc", ["Großmann & Sons PLC", "GROSSMANN AND SONS PLC"]),
        ("grossmann plc", ["Großmann public limited company"]),
        ("华为技术有限公司", ["华为技术有限公司", "华为技术有限责任公司", "华为技术 有限公司"]),
        ("阿里巴巴中国有限公司", ["阿里巴巴（中国）有限公司", "阿里巴巴(中国)有限公司"]),
        ("阿里巴巴中国有限公司", ["阿里巴巴 中国 有限公司"]),
        ("café de flore", ["Café de Flore", "CAFÉ DE FLORE"]),
    ],
)  # fmt: skip
def test_spellings_of_one_name(name: str, spellings: list[str]) -> None:
    assert {normalised(spelling) for spelling in spellings} == {name}


def test_companies_stay_apart() -> None:
    names = ["Acme Ltd", "Acme Inc", "Acme GmbH", "Acme Holding Ltd", "Acme Ltd 2", "Acmeltd"]
    assert len({normalised(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    "value",
    ["C-1", "C1", "c-1", "aB3", "cust-abc", "CUST_ABC", "user@example.com", "95588", "400-820-8820",
     "+8613800138000", "0010", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "A B", "---", "ltd", "X/1"],
)  # fmt: skip
def test_ids_stay_as_they_are(value: str) -> None:
    assert normalised(value) == value


@pytest.mark.untraced
@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"[A-Za-z.&/ 公司有限责任]{0,30}", fullmatch=True))
def test_a_normalised_name_is_its_own(value: str) -> None:
    once = normalised(value)
    assert normalised(once) == once


SPELLINGS = ("Acme Ltd.", "ACME LTD", "C-1", "138 0013 8000", None, "acme/ltd")


def test_names_are_one_where_the_configuration_says_so() -> None:
    values = [event(id=str(i), customer=spelled) for i, spelled in enumerate(SPELLINGS)]
    on = decode(decoder(identity={"names": True}), *values).frame["customer"].to_list()
    assert on == ["acme ltd", "acme ltd", "C-1", "+8613800138000", None, "acme ltd"]
    off = decode(decoder(), *values).frame["customer"].to_list()
    assert off == ["Acme Ltd.", "ACME LTD", "C-1", "+8613800138000", None, "acme/ltd"]


def test_a_name_that_would_be_too_long_stays_as_it_is() -> None:
    swollen = "ﷺ" * 20 + " Ltd"  # one character that NFKC makes eighteen
    made = decoder(identity={"names": True}, limits={"key_chars": 100})
    assert decode(made, event(customer=swollen)).frame["customer"].to_list() == [swollen]
