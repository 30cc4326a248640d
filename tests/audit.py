"""`make audit`: whether a version that we pin has a known vulnerability, as far as was looked up.

Owns the judgement on what pip-audit found. By itself it says "No known vulnerabilities found", with
exit status 0, even where the registry knew none of the packages; here a package that was not looked
up is not audited, and that is no success. Needs Python alone, and pip-audit in an environment of
its own, whose dependencies are none of ours.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
PIP_AUDIT = ROOT / ".venv" / "audit" / "bin" / "pip-audit"
CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 3
"""Exit statuses; 2 is of wrong options."""
_TIMEOUT_S = 300
_NAMED = 5
_QUOTED_CHARS = 300
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


@dataclass
class Verdict:
    """What came out, for all pinned packages."""

    pinned: int
    vulnerable: list[str] = field(default_factory=list)
    """A line for each vulnerability."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Package → why it was not looked up."""
    unanswered: str = ""
    """Why there is no answer at all."""

    @property
    def status(self) -> int:
        """A vulnerability weighs more than what is not known."""
        if self.vulnerable:
            return VULNERABLE
        return NOT_AUDITED if self.unanswered or self.skipped else CLEAN

    def lines(self) -> list[str]:
        """For people."""
        said = [f"VULNERABLE: {line}" for line in self.vulnerable]
        if self.unanswered:
            said.append(f"not audited: {self.unanswered}")
        elif self.skipped:
            some = ", ".join(sorted(self.skipped)[:_NAMED])
            more = ", …" if len(self.skipped) > _NAMED else ""
            why = next(iter(self.skipped.values()))[:_QUOTED_CHARS]
            count = f"{len(self.skipped)} of {self.pinned} packages"
            said.append(f"not audited: {count} ({some}{more}): {why}")
        return said or [f"audited: {self.pinned} packages, no known vulnerability"]


def pins(lock: str) -> list[dict[str, str]]:
    """Package → version of a lock's text, for every platform and version of Python.

    A package that is pinned more than once stands in several of the results: pip-audit takes one
    version of each at a time.
    """
    rounds: list[dict[str, str]] = [{}]
    for name, version in _PIN.findall(lock):
        key = _canonical(name)
        free = next((each for each in rounds if key not in each), None)
        if free is None:
            rounds.append(free := {})
        free[key] = version
    return rounds


def judged(pinned: Mapping[str, str], answer: str, said: str = "") -> Verdict:
    """The verdict on pip-audit's JSON, or on ``said``, its words where there is none."""
    verdict = Verdict(len(pinned))
    try:
        found = {_canonical(each["name"]): each for each in json.loads(answer)["dependencies"]}
    except (ValueError, KeyError, TypeError):
        verdict.unanswered = _last_line(said) or "pip-audit gave no answer"
        return verdict
    for name, version in pinned.items():
        each: Mapping[str, Any] = found.get(name, {"skip_reason": "pip-audit does not mention it"})
        if "skip_reason" in each:
            verdict.skipped[f"{name} {version}"] = str(each["skip_reason"])
        elif each.get("version") != version or "vulns" not in each:
            verdict.skipped[f"{name} {version}"] = (
                f"pip-audit looked at {each.get('version')}, not at {version}"
            )
        for vulnerability in each.get("vulns", ()):
            names = " ".join([vulnerability["id"], *vulnerability.get("aliases", ())])
            mended = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
            verdict.vulnerable.append(f"{name} {version}: {names}; mended in {mended}")
    return verdict


def audit(lock: Path, command: Sequence[str]) -> Verdict:
    """Ask; a service that cannot be reached is a verdict, too."""
    whole = Verdict(0)
    for pinned in pins(lock.read_text(encoding="utf-8")):
        each = _asked(pinned, command)
        whole.pinned += each.pinned
        whole.vulnerable += each.vulnerable
        whole.skipped |= each.skipped
        whole.unanswered = whole.unanswered or each.unanswered
    return whole


def _asked(pinned: Mapping[str, str], command: Sequence[str]) -> Verdict:
    """About plain pins: with its markers a pin for another platform would be left out."""
    options = ["--no-deps", "--disable-pip", "-f", "json", "--progress-spinner", "off"]
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "requirements.txt"
        plain.write_text("".join(f"{name}=={version}\n" for name, version in pinned.items()))
        try:
            done = subprocess.run(
                [*command, *options, "-r", str(plain)],
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as fault:
            return Verdict(len(pinned), unanswered=str(fault)[:_QUOTED_CHARS])
    return judged(pinned, done.stdout, done.stderr)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:_QUOTED_CHARS] if lines else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--service", choices=("pypi", "osv"), default="pypi")
    parser.add_argument("--lock", type=Path, default=LOCK)
    parser.add_argument("--pip-audit", type=Path, default=PIP_AUDIT)
    options = parser.parse_args(arguments)
    command = [str(options.pip_audit), "--vulnerability-service", options.service]
    verdict = audit(options.lock, command)
    print(*verdict.lines(), sep="\n")
    return verdict.status


if __name__ == "__main__":
    sys.exit(main())
