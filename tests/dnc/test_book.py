"""The list as the engine has it: what changes it, and from when on."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from monitor.decisions import ListAction, Listing
from monitor.dnc.book import Book, Feeding
from tests.store.made import list_action

ALL = Feeding(frozenset({"opted_out", "unsolicited", "refused"}))
NOBODY = -1
A, B = "+8613900000001", "+8613900000002"


def rows(
    *said: tuple[int, str, str | None] | tuple[int, str, str | None, dict[str, Any]],
) -> pl.DataFrame:
    """Rows of (tick, type, customer, other fields); each a moment before its tick."""
    made = []
    for each in said:
        tick, kind, customer = each[:3]
        more = each[3] if len(each) > 3 else {}
        made.append(
            {"tick": tick, "time": tick - 1, "type": kind, "customer": customer}
            | {"refused": None, "category": None}
            | more
        )
    types = {"tick": pl.Int64, "time": pl.Int64, "type": pl.String, "customer": pl.String}
    return pl.DataFrame(made, schema={**types, "refused": pl.Boolean, "category": pl.String})


def take(
    book: Book,
    frame: pl.DataFrame | None = None,
    *asked: tuple[int, ListAction],
    feeding: Feeding = ALL,
    silent_until: int = NOBODY,
) -> tuple[list[Listing], list[bool | None] | None]:
    listings, column = book.take(frame, asked, feeding, silent_until=silent_until, asked=True)
    return listings, None if column is None else column.to_list()


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("sms.opted_out", {}, "opted_out"),
        ("complaint.filed", {"category": "unsolicited"}, "unsolicited"),
        ("call.ended", {"refused": True}, "refused"),
        ("followup.logged", {"refused": True}, "refused"),
        ("message.received", {"refused": True}, "refused"),
        ("complaint.filed", {"category": "content"}, ""),
        ("call.ended", {"refused": False}, ""),
        ("call.ended", {}, ""),
    ],
)
def test_what_puts_a_customer_on_it(kind: str, fields: dict[str, Any], reason: str) -> None:
    listings, _ = take(Book(), rows((10, kind, A, fields)))
    assert [each.reason for each in listings] == [reason][: bool(reason)]
    if listings:
        assert (listings[0].customer, listings[0].since_ms, listings[0].at_ms) == (A, 9, 10)
        assert (listings[0].source, listings[0].by) == (kind, "events")


def test_only_what_the_configuration_names_does() -> None:
    frame = rows((10, "sms.opted_out", A))
    assert take(Book(), frame, feeding=Feeding()) == ([], None)


def test_it_counts_for_later_ticks_alone() -> None:
    frame = rows(
        (10, "sms.opted_out", A),
        (10, "call.ended", A),
        (15, "call.ended", A),
        (15, "call.ended", B),
        (15, "call.ended", None),
    )
    _, listed = take(Book(), frame)
    assert listed == [False, False, True, False, None]


@pytest.mark.parametrize("cut", range(7))
def test_however_rows_are_cut_the_same_is_decided(cut: int) -> None:
    said = [
        (10, "sms.opted_out", A),
        (15, "sms.opted_out", A),
        (15, "sms.opted_out", B),
        (20, "sms.consented", A),
        (25, "call.ended", A),
        (30, "sms.opted_out", A),
        (35, "call.ended", A),
    ]
    asked = [(20, list_action("r", B, action="remove"))]
    whole = take(Book(), rows(*said), *asked)
    book = Book()
    last = said[cut - 1][0] if cut else 0
    first = take(
        book, rows(*[s for s in said if s[0] <= last]), *[a for a in asked if a[0] <= last]
    )
    rest = take(book, rows(*[s for s in said if s[0] > last]), *[a for a in asked if a[0] > last])
    assert first[0] + rest[0] == whole[0]
    assert [*(first[1] or ()), *(rest[1] or ())] == whole[1]
    assert len({each.id for each in whole[0]}) == len(whole[0]) == 5


def test_a_book_that_is_loaded_decides_the_rest_as_it_was() -> None:
    early, late = (
        rows((10, "sms.opted_out", A)),
        rows((15, "sms.opted_out", A), (20, "call.ended", A)),
    )
    book = Book()
    before, _ = take(book, early)
    again = Book()
    again.load(before)
    assert take(again, late) == take(book, late)


def test_in_silence_nothing_is_decided_again() -> None:
    assert take(Book(), rows((10, "sms.opted_out", A)), silent_until=10)[0] == []


def test_people_add_and_take_off() -> None:
    book = Book()
    added, _ = take(book, None, (10, list_action("r", A, B, until_ms=100, reason="import")))
    assert [(each.customer, each.by, each.request, each.why) for each in added] == [
        (A, "wang", "r", "asked"),
        (B, "wang", "r", "asked"),
    ]
    assert take(book, rows((15, "call.ended", A), (100, "call.ended", A)))[1] == [True, False]
    assert take(book, None, (20, list_action("s", A)))[0][0].until_ms is None  # for longer
    assert take(book, None, (25, list_action("t", A, until_ms=200)))[0] == []
    assert len(take(book, None, (30, list_action("u", A, action="remove")))[0]) == 1
    assert take(book, None, (35, list_action("v", A, action="remove")))[0] == []


def test_a_consent_takes_back_what_the_customer_said_and_nothing_else() -> None:
    book = Book()
    take(book, rows((10, "sms.opted_out", A)), (10, list_action("r", B)))
    gone, _ = take(book, rows((15, "sms.consented", A), (15, "sms.consented", B)))
    assert [(each.customer, each.action, each.reason) for each in gone] == [
        (A, "remove", "consented")
    ]
    keeps = Feeding(ALL.events, consent_ends=False)
    take(book, rows((20, "sms.opted_out", A)))
    assert take(book, rows((25, "sms.consented", A)), feeding=keeps)[0] == []


def test_past_its_bound_nobody_comes_onto_it() -> None:
    book, small = Book(), Feeding(entries_max=2)
    asked = list_action("r", "c-1", "c-2", "c-3")
    assert len(take(book, None, (10, asked), feeding=small)[0]) == 2
    assert (len(book), book.refused) == (2, 1)


def test_those_whose_time_is_over_make_room() -> None:
    book, small = Book(), Feeding(entries_max=2)
    ended = list_action("r", "c-1", until_ms=40)
    take(book, None, (10, ended), (10, list_action("s", "c-2")), feeding=small)
    assert take(book, None, (30, list_action("t", "c-3")), feeding=small)[0] == []
    (new,) = take(book, None, (40, list_action("u", "c-3")), feeding=small)[0]
    assert (new.customer, len(book), book.refused) == ("c-3", 2, 1)
