"""``monitor test``: rule tests from the command line."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from tests.cli.program import monitor
from tests.daemon.folder import Folder

GOOD = {
    "name": "a flag is told",
    "start": "2026-11-22T09:00:00+08:00",
    "events": [{"at": "0s", "type": "number.flagged", "number": "+862150000001"}],
    "expect": [{"within": "1m", "alert": "flagged", "number": "+862150000001"}],
}
BAD = {
    **GOOD,
    "name": "a flag & its <end> 结束",
    "expect": [{"within": "1m", "alert": "team", "team": "team-1"}],
}


@pytest.fixture
def tests(folder: Folder) -> Path:
    return folder.pack / "rules.test.yaml"


def write(path: Path, *cases: object) -> None:
    document = {"version": 1, "tests": list(cases)}
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")


def test_all_pass(tests: Path) -> None:
    write(tests, GOOD)
    done = monitor("test")
    assert (done.status, done.err) == (0, "")
    file, case, summary = done.out.splitlines()
    assert file.endswith("rules/nervous/rules.test.yaml")
    assert case.startswith("  ✓ a flag is told ")
    assert summary == "1 passed, 0 failed"


def test_a_failure_is_told_with_its_place(tests: Path) -> None:
    write(tests, GOOD, BAD)
    done = monitor("test", tests)
    assert done.status == 1
    assert f"  ✗ {BAD['name']} " in done.out
    line = next(n for n, text in enumerate(tests.read_text().splitlines(), 1) if "a flag &" in text)
    assert f"    {tests}:" in done.out
    told = next(text for text in done.out.splitlines() if text.startswith(f"    {tests}:"))
    assert abs(int(told.split(":")[1]) - line) <= len(BAD)
    assert done.out.splitlines()[-1] == "1 passed, 1 failed"


def test_junit_for_a_build_server(tests: Path, tmp_path: Path) -> None:
    write(tests, GOOD, BAD)
    report = tmp_path / "junit.xml"
    assert monitor("test", tests, "--junit", report).status == 1
    root = ET.parse(report).getroot()  # noqa: S314 - our own file
    (suite,) = root.iter("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    first, second = suite.iter("testcase")
    assert (first.get("name"), list(first)) == (GOOD["name"], [])
    assert second.get("name") == BAD["name"]
    (failure,) = second.iter("failure")
    assert failure.text or failure.get("message")


def test_a_report_that_cannot_be_written(tests: Path) -> None:
    write(tests, GOOD)
    done = monitor("test", tests, "--junit", "nowhere/junit.xml")
    assert done.status == 2
    assert done.err == "monitor: nowhere/junit.xml cannot be written: No such file or directory\n"


def test_a_folder_is_searched(tests: Path, folder: Folder) -> None:
    write(tests, GOOD)
    (folder.root / "more").mkdir()
    (folder.root / "more" / "deeper.test.yaml").write_bytes(tests.read_bytes())
    done = monitor("test", folder.root)
    assert done.status == 0
    assert done.out.splitlines()[-1] == "2 passed, 0 failed"


def test_nothing_to_test(folder: Folder) -> None:
    done = monitor("test", "-c", folder.path)
    assert (done.status, done.out) == (2, "")
    assert "no *.test.yaml found" in done.err


def test_a_broken_test_file_is_a_fault_of_configuration(tests: Path) -> None:
    write(tests, {**GOOD, "expekt": []})
    done = monitor("test")
    assert done.status == 2
    assert "rules.test.yaml:" in done.err
    assert "expect" in done.err
