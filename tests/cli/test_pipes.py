"""Where output goes: pipes that close, disks that are full, terminals, and no colour."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.cli.output import console, counted, plain_table, span, stamp, stamp_of
from monitor.clock import SystemClock
from tests.cli.conftest import Left
from tests.cli.program import monitor
from tests.daemon.running import PROGRAM
from tests.store.made import alert

ESCAPE = "\x1b["


def piped(command: str, *, cwd: Path) -> tuple[int, str, str]:
    """Status of the program before the first pipe, and what came out."""
    done = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MONITOR": str(PROGRAM)},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("form", ["json", "table"])
def test_a_reader_that_has_seen_enough_is_no_fault(
    recorded: Path, tmp_path: Path, form: str
) -> None:
    options = "--indicators-every 5s --format"
    status, out, err = piped(
        f"$MONITOR replay --from {recorded} {options} {form} | head -n 1", cwd=tmp_path
    )
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 1


def unread(*arguments: str, cwd: Path, unbuffered: str) -> tuple[int, str]:
    """Status and error output of a program whose output has no reader from the start."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=cwd,
            stdout=write,
            stderr=subprocess.PIPE,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    finally:
        os.close(write)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["schema rules", "check", "--version"])
def test_a_reader_that_was_never_there(command: str, unbuffered: str, tmp_path: Path) -> None:
    assert unread(*command.split(), cwd=tmp_path, unbuffered=unbuffered) == (0, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["check", "check --json"])
def test_a_finding_stays_one_when_its_reader_has_left(
    command: str, unbuffered: str, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text("version: 1\nnope: 1\n")
    assert unread(*command.split(), cwd=tmp_path, unbuffered=unbuffered) == (2, "")


@pytest.mark.parametrize(
    "arguments", ["schema rules", "--version", "check", "replay --indicators-every 5s --from"]
)
def test_a_full_disk_is_said(recorded: Path, tmp_path: Path, arguments: str) -> None:
    command = f"{arguments} {recorded}" if arguments.endswith("--from") else arguments
    status, _, err = piped(f"$MONITOR {command} > /dev/full", cwd=tmp_path)
    assert status == 2
    assert err == "monitor: standard output cannot be written: No space left on device\n"


def test_tables_fold_on_a_terminal_and_are_whole_in_a_pipe(left: Left) -> None:
    long = "+86" + "1" * 90
    at_ms = SystemClock().now_ms()
    left.record(alert(at_ms, scope=(("number", long),)))
    on_screen = monitor("alerts", "list", columns=60, TERM="dumb").out
    assert max(map(len, on_screen.splitlines())) <= 60
    assert long not in on_screen
    assert long in re.sub(r"\s", "", on_screen), "folded, not cut"
    assert long in monitor("alerts", "list").out


def test_colours_on_a_terminal_none_in_a_pipe_or_where_they_are_not_wanted(left: Left) -> None:
    left.record(alert(SystemClock().now_ms()))
    assert f"{ESCAPE}3" in monitor("alerts", "list", columns=80).out
    assert ESCAPE not in monitor("alerts", "list").out
    assert f"{ESCAPE}3" not in monitor("alerts", "list", columns=80, NO_COLOR="1").out
    assert ESCAPE not in monitor("alerts", "list", columns=80, TERM="dumb").out


def test_chinese_takes_two_columns_a_character(capsys: pytest.CaptureFixture[str]) -> None:
    table = plain_table("name", "state")
    table.add_row("春季促销", "ok")
    table.add_row("spring78", "ok")
    console().print(table)
    _, chinese, plain = capsys.readouterr().out.splitlines()
    assert chinese.index("ok") == plain.index("ok") - 4, "four characters fewer, as wide"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (3_599, "59 min"),
        (3_600, "1 h 00 min"),
        (11_100, "3 h 05 min"),
        (172_799, "47 h 59 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_at_a_glance(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_times_where_people_sit() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    at_ms, now_ms = 1_795_309_209_000, 1_795_400_000_000
    assert stamp(at_ms, shanghai, now_ms=now_ms) == "11-22 09:00:09"
    assert stamp_of("2026-11-22T01:00:09Z", shanghai, now_ms=now_ms) == "11-22 09:00:09"
    assert stamp(at_ms, shanghai, now_ms=now_ms + 86_400_000 * 60) == "2026-11-22 09:00"
    assert stamp_of(None, shanghai, now_ms=now_ms) == "–"


def test_the_year_is_that_of_the_reader() -> None:
    midnight_ms = 1_798_732_800_000  # 2027-01-01 00:00 in Shanghai, still 2026 in UTC
    shown = stamp(midnight_ms, ZoneInfo("Asia/Shanghai"), now_ms=midnight_ms + 1)
    assert shown == "01-01 00:00:00"
    shown = stamp(midnight_ms - 1, ZoneInfo("Asia/Shanghai"), now_ms=midnight_ms)
    assert shown == "2026-12-31 23:59"


def test_counts_with_their_words() -> None:
    assert [counted(n, "delivery") for n in (0, 1, 2_000)] == [
        "0 deliveries",
        "1 delivery",
        "2,000 deliveries",
    ]
    assert counted(2, "rule") == "2 rules"
