"""What `make audit` makes of pip-audit's answers: only what was looked up counts as audited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.audit import CLEAN, LOCK, NOT_AUDITED, VULNERABLE, judged, main, pins

PINNED = {"httpx": "0.28.1", "pyyaml": "6.0.3"}
LOCKED = "httpx==0.28.1 \\\n    --hash=sha256:00\nPyYAML==6.0.3 ; sys_platform == 'x' \\\n"
GOOD = [
    {"name": "httpx", "version": "0.28.1", "vulns": []},
    {"name": "PyYAML", "version": "6.0.3", "vulns": []},
]
BAD = {
    "name": "httpx",
    "version": "0.28.1",
    "vulns": [
        {
            "id": "PYSEC-2026-1",
            "aliases": ["CVE-2026-1"],
            "fix_versions": ["0.28.2"],
            "description": "made up",
        }
    ],
}
SKIPPED = {"name": "pyyaml", "skip_reason": "Dependency not found on PyPI"}
OFFLINE = "Traceback …\nrequests.exceptions.ConnectionError: no such host\n"


def answer(*dependencies: dict[str, Any]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


CASES = [
    ("clean", answer(*GOOD), "", CLEAN, "audited: 2 packages, no known vulnerability"),
    (
        "vulnerable",
        answer(BAD, GOOD[1]),
        "",
        VULNERABLE,
        "VULNERABLE: httpx 0.28.1: PYSEC-2026-1 CVE-2026-1; mended in 0.28.2",
    ),
    (
        "skipped",
        answer(GOOD[0], SKIPPED),
        "No known vulnerabilities found",
        NOT_AUDITED,
        "not audited: 1 of 2 packages (pyyaml 6.0.3): Dependency not found on PyPI",
    ),
    ("left out", answer(GOOD[0]), "", NOT_AUDITED, "not audited: 1 of 2 packages (pyyaml 6.0.3): "),
    (
        "another version",
        answer(GOOD[0], {**GOOD[1], "version": "6.0.2"}),
        "",
        NOT_AUDITED,
        "pip-audit looked at 6.0.2, not at 6.0.3",
    ),
    (
        "nothing asked",
        answer(),
        "",
        NOT_AUDITED,
        "not audited: 2 of 2 packages (httpx 0.28.1, pyyaml 6.0.3): ",
    ),
    ("unreachable", "", OFFLINE, NOT_AUDITED, "not audited: requests.exceptions.ConnectionError"),
    ("no words at all", "", "", NOT_AUDITED, "not audited: pip-audit gave no answer"),
    ("no JSON of its own", "[1]", "", NOT_AUDITED, "not audited: pip-audit gave no answer"),
]


@pytest.mark.parametrize(
    ("given", "said", "status", "words"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_only_what_was_looked_up_is_audited(given: str, said: str, status: int, words: str) -> None:
    verdict = judged(PINNED, given, said)
    assert verdict.status == status
    assert words in "\n".join(verdict.lines())


def test_a_vulnerability_weighs_more_than_what_is_not_known() -> None:
    verdict = judged(PINNED, answer(BAD, SKIPPED))
    assert verdict.status == VULNERABLE
    assert [line.split(":")[0] for line in verdict.lines()] == ["VULNERABLE", "not audited"]


def test_every_pin_of_the_lock_is_asked_for_whatever_it_is_for() -> None:
    assert pins(LOCKED) == [PINNED]
    twice = "numpy==2.4.6 ; python_full_version < '3.12' \\\n" + LOCKED + "numpy==2.5.5 \\\n"
    assert pins(twice) == [{"numpy": "2.4.6", **PINNED}, {"numpy": "2.5.5"}]
    lock = LOCK.read_text(encoding="utf-8")
    asked = sum(map(len, pins(lock)))
    assert asked == sum("==" in line and line[0].isalnum() for line in lock.splitlines())
    assert asked > 40


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        (f"echo '{answer(*GOOD)}'", CLEAN, "audited: 2"),
        (f"echo '{answer(BAD, GOOD[1])}'; exit 1", VULNERABLE, "VULNERABLE: httpx"),
        ("echo 'no such host' >&2; exit 1", NOT_AUDITED, "not audited: no such host"),
        (None, NOT_AUDITED, "not audited: "),
    ],
)
def test_the_command(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    script: str | None,
    status: int,
    words: str,
) -> None:
    lock, program = tmp_path / "lock", tmp_path / "pip-audit"
    lock.write_text(LOCKED)
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    assert main(["--lock", str(lock), "--pip-audit", str(program)]) == status
    assert words in capsys.readouterr().out
