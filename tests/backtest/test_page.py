"""The report as a file: whole, in both languages, escaped, and good for any length of range."""

from __future__ import annotations

import re
from datetime import UTC
from html.parser import HTMLParser

import pytest

from monitor.backtest.charts import Bucket, Row, bars, rows, week
from monitor.backtest.page import page_of
from monitor.backtest.words import Two
from monitor.decisions import Decision
from tests.backtest.made import alert, at, reported, resume, suspend
from tests.backtest.test_report import DECISIONS, case

VOID = {"meta", "input", "rect", "line", "path", "br", "i"}


class Balanced(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.external: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID - {"i"}:
            self.open.append(tag)
        self.external += [v for k, v in attrs if k in {"src", "href"} and v]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(text: str) -> str:
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert parser.external == [], "the file needs nothing beside it"
    assert "<script" not in text
    return text


def test_all_of_it() -> None:
    report = reported(DECISIONS, cases=[case("+861", "30m"), case("+867", "1h")])
    text = checked(page_of(report, language="zh", zone=UTC, now_ms=at("2d")))
    assert '<html lang="zh">' in text
    assert re.search(r'id="tongue-zh"[^>]* checked', text)
    for said in ("number-hours lost", "停用号码小时", "missed", "未发现", "2 alerts from 1 rule"):
        assert said in text
    assert text.count("<svg") == 5


def test_of_nothing() -> None:
    text = checked(page_of(reported([]), language="en", zone=UTC, now_ms=at("2d")))
    assert "Nobody would have been paged." in text


def test_names_are_shown_and_not_run() -> None:
    evil = '<script>alert("x")</script>'
    decisions = [alert("1h", "e", rule=evil, scope=(("team", evil),), route="people")]
    text = checked(page_of(reported(decisions), language="en", zone=UTC, now_ms=at("2d")))
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(("until", "label"), [("5h", "03:00"), ("60d", "11-23"), ("300d", "11-23")])
def test_hours_days_or_weeks(until: str, label: str) -> None:
    decisions: list[Decision] = [
        alert("3h", "e"),
        suspend("3h", "+861", "4h"),
        resume("4h", "+861"),
    ]
    report = reported(decisions, until=until)
    text = checked(page_of(report, language="en", zone=UTC, now_ms=at("2d")))
    assert f">{label}</text>" in text or f"{label}: " in text


def test_a_customer_is_masked() -> None:
    decisions = [alert("1h", "e", scope=(("customer", "+8613912345678"),))]
    text = page_of(reported(decisions), language="en", zone=UTC, now_ms=at("2d"))
    assert "+8613912345678" not in text


def test_drawings() -> None:
    what = Two("a", "b")
    drawn = bars([Bucket("x", what, (3, 1)), Bucket("y", what, (0, 0))], ("crit", "warn"), what)
    assert drawn.count('class="crit"') == 1
    assert ">4</text>" in drawn, "the axis ends at a round figure"
    assert rows([Row(Two("a" * 50, "a" * 50), 0, Two("none", "无"))], what).count("…") == 1
    assert week([[0] * 24] * 7, what).count("<rect") == 7 * 24
