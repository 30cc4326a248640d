"""docs/walkthrough.md run again: `python -m tests.docs.walk --write` writes what is printed.

Owns the running of a page: each block for a shell is one command, all of them in one folder, and a
block of text below it is its output; the YAML of a configuration is written where it stands.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "walkthrough.md"
_BLOCK = re.compile(
    r"```yaml\n(?P<yaml>.*?)```\n"
    r"|```sh\n\$ (?P<command>[^\n]*)\n```\n(?:\n```text\n.*?```\n)?",
    re.DOTALL,
)

Run = Callable[[list[str]], str]
"""Runs a command in the folder, without its `$`; what it prints."""


def rerun(page: str, folder: Path, run: Run) -> str:
    """The page with what its commands print now."""

    def again(found: re.Match[str]) -> str:
        if found["yaml"] is not None:
            (folder / "config.yaml").write_text(found["yaml"], encoding="utf-8")
            return found[0]
        words = shlex.split(found["command"], comments=True)
        printed = run(words) if words[:2] != ["monitor", "run"] else daemon(folder)
        below = f"\n```text\n{printed}```\n" if printed else ""
        return f"```sh\n$ {found['command']}\n```\n{below}"

    return _BLOCK.sub(again, page)


def same(text: str) -> str:
    """What differs from day to day and from machine to machine, taken out."""
    text = re.sub(r"(?:[0-9]{4}-)?([0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2})(?::[0-9]{2})?", r"\1", text)
    text = re.sub(r"since [0-9-]+ [0-9:]+", "since the beginning", text)
    text = re.sub(r"\b[0-9]+(?:\.[0-9]+)? s\b", "… s", text)
    return re.sub(r"[ \t]+\n", "\n", text)


def environment() -> dict[str, str]:
    """For every command: the hours of the page are Shanghai's."""
    return {**os.environ, "TZ": "Asia/Shanghai", "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


def process(folder: Path) -> Run:
    """Runs each command in a process of its own."""

    def run(words: list[str]) -> str:
        head = [sys.executable, "-m", "monitor"] if words[0] == "monitor" else words[:1]
        done = subprocess.run(
            [*head, *words[1:]],
            cwd=folder,
            env=environment(),
            check=False,
            capture_output=True,
            text=True,
        )
        return f"{done.stdout}{done.stderr}"

    return run


def daemon(folder: Path) -> str:
    """Run the daemon until it has judged all there is; what it says meanwhile is not shown."""
    command = [sys.executable, "-m", "monitor", "run", "--no-live"]
    started = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert started.stdout is not None
    last = ""
    with started:
        for line in started.stdout:
            told = line.partition("events=")[2]  # the time before it goes on
            if told:
                if told == last and not told.startswith("0 "):
                    break
                last = told
        started.terminate()
        started.stdout.read()
    return ""


def main(arguments: list[str]) -> int:
    """Run the page; write what came, or say whether it is what stands there."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        made = rerun(page, Path(name), process(Path(name)))
    if "--write" in arguments:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    return int(same(made) != same(page))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
