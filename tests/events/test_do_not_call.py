"""Lists of customers nobody may call: how they are read, and who is on them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from monitor.events import do_not_call
from monitor.events.do_not_call import DoNotCall, TooManyEntriesError, read_list
from monitor.events.settings import EventSettings

LISTED = """\
# from the register, 2026-11-01
+86 138 0013 8000,2026-10-01
"13800138001";"asked by phone"

C-1\tsince ever
Acme Ltd.
+8613800138000
"""


def test_one_customer_a_line(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(LISTED, encoding="utf-8-sig")
    found = read_list(path)
    assert found == [
        "+86 138 0013 8000", "13800138001", "C-1", "Acme Ltd.", "+8613800138000"
    ]  # fmt: skip


def test_quoted_columns_are_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text('"Acme, Inc",2026-01-01\n"Beta; Sons";x\nGamma\t7\n', encoding="utf-8")
    assert read_list(file) == ["Acme, Inc", "Beta; Sons", "Gamma"]


def test_numbers_are_as_in_events_and_ids_as_they_are() -> None:
    listed = DoNotCall(["+86 138 0013 8000", "13800138001", "C-1"], EventSettings())
    assert len(listed) == 3
    asked = ["+8613800138000", "+8613800138001", "+8613800138002", "C-1", "c-1", None]
    found = listed.holds(pl.Series(asked, dtype=pl.String))
    assert found.to_list() == [True, True, False, True, False, None]
    assert listed.holds(pl.Series([], dtype=pl.String)).to_list() == []


def test_names_are_as_in_events() -> None:
    one_name = EventSettings.model_validate({"identity": {"names": True}})
    assert DoNotCall(["ACME LTD"], one_name).holds(pl.Series(["acme ltd"])).to_list() == [True]


def test_an_empty_list_holds_nobody() -> None:
    listed = DoNotCall([], EventSettings())
    assert listed.holds(pl.Series(["a", None])).to_list() == [False, None]


def test_there_is_a_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(do_not_call, "ENTRIES_MAX", 2)
    assert len(DoNotCall(["a", "b"], EventSettings())) == 2
    with pytest.raises(TooManyEntriesError, match="3 entries; 2 are the most"):
        DoNotCall(["a", "b", "c"], EventSettings())
