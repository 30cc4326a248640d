"""The live table: what stands in it, at every size of a terminal, and the line of a pipe."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from monitor.cli import live, run
from monitor.clock import SystemClock
from monitor.decisions import Decision
from monitor.snapshot import NumberStanding, Snapshot, Unready
from monitor.stats import Stats
from tests.exporter.sample import snapshot
from tests.store.made import alert, command, refusal

NOW_MS = 1_795_309_200_000  # 01:00 in UTC
DECISIONS: list[Decision] = [
    alert(NOW_MS - 3_000, scope=(("number", "+862150000001"), ("customer", "+8613912345678"))),
    command(NOW_MS - 2_000),
    refusal(NOW_MS - 1_000),
    alert(NOW_MS, state="resolved", reason="suspended"),
]


def shown(picture: Snapshot | None, size: tuple[int, int] = (140, 44), **options: Any) -> list[str]:
    """The lines of the picture, without colour."""
    out = io.StringIO()
    console = Console(file=out, width=size[0], height=size[1], color_system=None)
    decisions = options.pop("decisions", DECISIONS)
    console.print(live.render(picture, decisions, zone=UTC, size=size, **options))
    return out.getvalue().splitlines()


@pytest.fixture
def picture() -> Snapshot:
    return snapshot(NOW_MS)


@pytest.mark.parametrize("columns", [80, 100, 110, 140, 220])
@pytest.mark.parametrize("lines", [24, 34, 44])
def test_it_fits_every_terminal(picture: Snapshot, columns: int, lines: int) -> None:
    found = shown(picture, (columns, lines), url="http://127.0.0.1:9108/metrics")
    assert max(map(cell_len, found)) <= columns, "Chinese counted as wide as it is"
    assert len(found) <= lines, "\n".join(found)
    assert any("as it happens" in line for line in found)


def test_on_eighty_columns_everything_in_the_table_is_whole(picture: Snapshot) -> None:
    standing = (
        NumberStanding("+862150000019", "suspended", NOW_MS, NOW_MS + 60_000, "number-hangup"),
        NumberStanding("+862150000017", "suspended", NOW_MS, None, ""),
    )
    found = shown(replace(picture, standing=standing), (80, 44), decisions=[])
    assert not [line for line in found if "…" in line]
    rows = [line.split() for line in found if line.strip().startswith("+8621")]
    assert rows[0][:4] == ["+862150000019", "suspended", "until", "01:01:00"]
    assert rows[1][:4] == ["+862150000017", "suspended", "by", "hand"]
    assert "%" in rows[2][2]


def test_what_happened_stands_newest_first(picture: Snapshot) -> None:
    text = "\n".join(shown(picture))
    places = [
        text.index("ended, number suspended: number-hangup"),
        text.index("not suspended +862150000007: 2 of 10 would be out, 1 may"),
        text.index("suspend +862150000007 until 01:29:58 breach number-hangup 80.0% (80/100)"),
        text.index("● crit number-hangup +862150000001, +8613…78 80.0% (80/100)"),
    ]
    assert places == sorted(places)
    assert "13912345678" not in text


def test_numbers_out_of_service_come_first_with_why_and_until(picture: Snapshot) -> None:
    standing = (
        NumberStanding("+862150000019", "suspended", NOW_MS, NOW_MS + 60_000, "number-hangup"),
        NumberStanding("+862150000018", "suspended", NOW_MS, None, "number-flagged"),
        NumberStanding("+862150000017", "suspended", NOW_MS, None, ""),
    )
    found = shown(replace(picture, standing=standing))
    rows = [line for line in found if line.strip().startswith("+8621")]
    assert "suspended number-hangup, until 01:01:00" in rows[0]
    assert "suspended number-flagged, until cleared" in rows[1]
    assert "suspended by hand" in rows[2]
    assert "active" in rows[3]


def test_teams_give_way_on_a_small_terminal(picture: Snapshot) -> None:
    assert any("Teams" in line for line in shown(picture, (140, 34)))
    assert not any("Teams" in line for line in shown(picture, (140, 33)))


def test_the_head_says_how_it_stands(picture: Snapshot) -> None:
    head = shown(picture)[0]
    assert head.startswith("call-centre monitor 00:59:58")
    assert "FROZEN" not in head
    head = shown(replace(picture, frozen=True, unready=(Unready("store"),)), (200, 44))[0]
    assert "FROZEN: no suspensions" in head
    assert "not ready: store" in head


def test_before_the_first_picture_and_before_the_first_record() -> None:
    assert shown(None) == ["starting: reading what is there already …"]
    found = shown(Snapshot(wall_ms=NOW_MS, stats=Stats()), decisions=[])
    assert found[0].startswith("call-centre monitor –")
    assert any("nothing yet" in line for line in found)
    assert live.line(None) == live.line(Snapshot(wall_ms=NOW_MS, stats=Stats())) == "starting"


def test_the_line_of_a_pipe(picture: Snapshot) -> None:
    words = live.line(picture).split()
    assert words[0] == "00:59:58"
    assert [word.partition("=")[0] for word in words[1:]] == [
        "events",
        "lag",
        "alerts",
        "suspended",
        "ticks",
    ]


@pytest.mark.parametrize(
    ("value", "of", "colour", "text"),
    [
        (0.25, 100, "green", "25.0%"),
        (0.2501, 100, "yellow", "25.0%"),
        (0.30, 100, "yellow", "30.0%"),
        (0.3001, 99_999, "red", "100.0k"),
        (0.1, 999, "green", "999"),
        (0.1, 1_000, "green", "1.0k"),
        (0.1, 100_000, "green", "100k"),
    ],
)
def test_colours_change_above_the_levels(value: float, of: float, colour: str, text: str) -> None:
    cell = live.COLUMNS[0].cell(value, of)
    assert cell.spans[0].style == colour
    assert text in cell.plain


def test_a_low_figure_is_bad_where_high_is_good() -> None:
    answered = next(column for column in live.COLUMNS if column.indicator == "answer_rate")
    styles = [answered.cell(value, 10).spans[0].style for value in (0.31, 0.30, 0.29, 0.20, 0.19)]
    assert styles == ["green", "green", "yellow", "yellow", "red"]
    assert answered.cell(float("nan"), 0).plain == "–"


def test_the_table_is_as_large_as_the_terminal(
    picture: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once took every terminal for one of 140 columns and 44 lines."""
    sizes: list[tuple[int, int]] = []
    stop = threading.Event()

    def render(*_: Any, size: tuple[int, int], **__: Any) -> str:
        sizes.append(size)
        stop.set()
        return ""

    class Running:
        board = type("Board", (), {"latest": picture})()
        recorder = None
        port = web_port = None
        site = type("Site", (), {"config": type("Config", (), {"exporter": None})()})()

    daemon: Any = Running()
    daemon.stop = stop
    thread = threading.Thread(target=stop.wait)
    thread.start()
    monkeypatch.setattr(run, "render", render)
    monkeypatch.setenv("COLUMNS", "83")
    monkeypatch.setenv("LINES", "27")
    run._show(daemon, thread, SystemClock())
    assert sizes[0] == (83, 27)
