"""What became of a person's request, in words."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decisions import NumberChange
from monitor.numbers.desk import NumberDesk
from monitor.numbers.requests import answer_id, in_words, was_refused
from tests.numbers.made import START_MS, TICK_MS, Table, order
from tests.whole import whole


def strict(**settings: Any) -> Table:
    """A table whose desk takes only what begins with + for a number."""
    table = Table(**settings)
    table.desk = NumberDesk(
        table.pools, table.settings, tick_ms=TICK_MS, is_number=lambda text: text.startswith("+")
    )
    return table


def answer(table: Table, action: str, number: str = "") -> NumberChange:
    step = table.step(manual=[order(action, number, id=f"{action}{number}")])
    (row,) = [row for row in step.changes if row.id == answer_id(f"{action}{number}")]
    return row


@pytest.mark.parametrize(
    ("action", "number", "words"),
    [
        ("suspend", "+1", "done: +1 is suspending"),
        ("resume", "+1", "nothing to do: resume: the number is in service; because"),
        ("suspend", "hotline", "refused: suspend: 'hotline' is no telephone number, and not"),
        ("resume", "hotline", "refused: resume: 'hotline' is no telephone number, and not"),
        ("suspend", "+9", "refused: suspend: the number is on the never list (never)"),
        ("freeze", "", "done: suspensions by rules are frozen"),
        ("unfreeze", "", "nothing to do: because"),
    ],
)
def test_every_request_is_answered_by_one_row(action: str, number: str, words: str) -> None:
    row = answer(strict(never=["+9"]), action, number)
    assert in_words(row).startswith(words)
    assert was_refused(row) == words.startswith("refused")
    assert (row.before == row.after) or words.startswith("done")


def test_a_number_that_was_seen_is_one_whatever_it_looks_like() -> None:
    table = strict()
    table.desk.observe(START_MS, "line-7", "c")
    assert not was_refused(answer(table, "suspend", "line-7"))


def test_a_refusal_leaves_nothing_behind() -> None:
    table = strict()
    before = whole(table.desk.snapshot())
    answer(table, "suspend", "hotline")
    assert whole(table.desk.snapshot())["ledger"] == before["ledger"]


def test_the_wall_clock_time_of_a_request_is_kept() -> None:
    table = Table()
    step = table.step(manual=[order("suspend", "1", ttl_ms=1_000, until_ms=START_MS + 77_000)])
    assert [command.until_ms for command in step.commands] == [START_MS + 77_000]
