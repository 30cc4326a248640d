"""The command line as a whole: what it lists, how quickly, and how it answers what is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

from monitor.cli.commands import COMMANDS, Entry
from monitor.cli.lazy import load
from tests.cli.program import monitor
from tests.daemon.running import PROGRAM
from tests.docs.commands_page import commands

HEAVY = ("polars", "numpy", "sqlalchemy", "kafka", "pydantic", "httpx", "yaml", "monitor.site")
NAMES = [name for name, _ in commands()]


def words(text: str) -> str:
    """Text without the frames and the breaking of lines."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_list_says_what_each_command_says_of_itself(entry: Entry) -> None:
    said = (load(entry).help or "").split("\n\n")[0]
    assert entry.help == said.replace("`", "")


def test_the_list_is_shown_without_loading_a_command() -> None:
    program = (
        "import sys, contextlib\n"
        "from monitor.cli import main\n"
        "sys.argv = ['monitor', '--help']\n"
        "with contextlib.suppress(SystemExit): main()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stderr.decode().strip() == "[]"
    for entry in COMMANDS:
        assert f" {entry.name} " in done.stdout.decode()


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself_with_examples(name: str, flag: str) -> None:
    done = monitor(*name.split(), flag, columns=80)
    assert (done.status, done.err) == (0, "")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", done.out)
    assert f"Usage: monitor {name} [OPTIONS]" in shown
    assert f"$ monitor {name}" in words(shown), "an example"
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_explained(name: str) -> None:
    command: Any = dict(commands())[name]
    silent = [one.name for one in command.params if not getattr(one, "help", None)]
    assert silent == []


def test_it_is_called_monitor_however_it_was_started() -> None:
    command = [sys.executable, "-m", "monitor", "check", "--help"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert "Usage: monitor check [OPTIONS]" in done.stdout.decode()


def test_the_version_is_that_of_the_package() -> None:
    done = monitor("--version")
    assert (done.status, done.out) == (0, f"monitor {version('callcentre-monitor')}\n")


@pytest.mark.parametrize("arguments", [(), ("numbers",), ("alerts",), ("deliveries",)])
def test_a_group_alone_shows_its_commands(arguments: tuple[str, ...]) -> None:
    done = monitor(*arguments)
    assert done.status == 2, "nothing was done"
    assert "Commands" in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("simulat", "No such command 'simulat'. Did you mean 'simulate'?"),
        ("numbers suspnd", "No such command 'suspnd'. Did you mean 'suspend', 'undo'?"),
        ("alerts lst", "Did you mean 'list'?"),
        ("xyzzy", "No such command 'xyzzy'."),
        ("replay --form x.jsonl", "No such option: --form"),
        ("check --jso", "No such option: --jso (Possible options: --json)"),
        ("--versio", "(Possible options: --version)"),
        ("schema event", "not one of 'events', 'config', 'indicators', 'rules', 'tests', 'score"),
        ("schema", "Missing argument 'kind'"),
        ("schema rules extra", "unexpected extra argument"),
        ("replay --format xml", "'xml' is not one of 'json', 'table'."),
        ("replay --indicators-every 5", "'5' is not a duration: write a whole number and a unit"),
        ("replay --indicators-every 0s", "0s is no time at all"),
        ("replay --since yesterday --kafka", "a time is needed, such as 2026-11-22T09:00"),
        ("check -c nope.yaml", "file 'nope.yaml' does not exist"),
        ("check -c .", "is a directory"),
        ("test nope", "path 'nope' does not exist"),
        ("alerts list --since 24", "Invalid value for '--since': '24' is not a duration"),
        ("alerts list --limit 0", "'--limit'"),
        ("numbers suspend +8621", "Missing option '--why'"),
        ("deliveries requeue x", "Invalid value for 'ID': a whole number is needed"),
        ("simulate -s demo --to file:x --rate x", "a number is needed"),
        ("simulate -s demo --to file:x --start x", "a time is needed, such as 2026-11-22T09:00"),
        ("simulate --to file:x", "Missing option '--scenario'"),
        ("simulate -s bad-agnt --to file:x", "Did you mean 'bad-agent'?"),
        ("simulate -s xyzzy --to file:x", "'xyzzy' is not one of normal-day, number-going-bad"),
        ("simulate -s demo --to file:x --rate 0", "'--rate'"),
    ],
)
def test_what_is_typed_wrong_is_told_with_what_was_meant(arguments: str, said: str) -> None:
    done = monitor(*arguments.split())
    assert (done.status, done.out) == (2, "")
    assert said in words(done.err)
    assert "Value error" not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("monitor s", ["simulate", "status", "shadow", "sample", "scorecard", "schema"]),
        ("monitor numbers s", ["show", "suspend"]),
        ("monitor replay --in", ["--indicators", "--indicators-every"]),
        ("monitor simulate --scenario nu", ["number-going-bad"]),
        ("monitor schema r", ["rules"]),
    ],
)
def test_the_shell_completes(line: str, offered: list[str]) -> None:
    done = subprocess.run(
        [PROGRAM],
        env={
            **os.environ,
            "_MONITOR_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == offered


@pytest.mark.parametrize("kind", ["events", "config", "indicators", "rules", "tests"])
def test_schemas_are_json_and_are_the_ones_that_ship(kind: str) -> None:
    done = monitor("schema", kind)
    assert (done.status, done.err) == (0, "")
    assert done.json["$schema"].startswith("http://json-schema.org/draft-07")
    assert done.out == json.dumps(done.json, ensure_ascii=False, indent=2) + "\n"


def test_it_runs_as_a_module_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("monitor ")
