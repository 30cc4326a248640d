"""Every block of code in the documentation does what it says: it loads, or it runs.

What is not run stands in ``NOT_RUN``, with the reason; that a command exists and takes these
arguments is held for all of them by ``test_current``.
"""

from __future__ import annotations

import json
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from monitor.backtest.labels import load_cases as labelled
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.indicators.load import loads_indicators
from monitor.indicators.model import Indicator
from monitor.mapping.model import MappingFile
from monitor.replay import run_story
from monitor.rules.cases import load_cases
from monitor.rules.load import loads_rules
from monitor.rules.testing import run_tests
from monitor.scorecards.load import loads_card
from monitor.site import load_site
from monitor.strict_yaml import loads_yaml
from tests.cli.program import monitor
from tests.docs import walk
from tests.docs.markdown import ROOT, pages, shell

_FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_TICK_MS = 5_000
_START = "2026-11-23T09:00+08:00"
KNOWN = {"", "bash", "json", "lua", "promql", "sh", "text", "toml", "yaml"}
"""Languages of blocks; PromQL is held by ``tests/deploy``, Lua is an editor's."""

LIVE = "asks or tells the daemon, or its store: tests/cli and tests/daemon do that"
NOT_RUN = {
    "alerts": LIVE,
    "audit": LIVE,
    "backup": LIVE,
    "deliveries": LIVE,
    "dnc": LIVE,
    "explain": "names an alert of a store: tests/cli/test_explain.py",
    "ingest": "goes on until it is stopped: tests/ingest",
    "map": "reads records of other systems: tests/cli/test_map.py, tests/mapping",
    "notify": "sends a message to a receiver of the reader's: tests/delivery",
    "numbers": LIVE,
    "restore": LIVE,
    "route 3": "names an alert of a store: tests/cli",
    "run": "goes on until it is stopped: tests/daemon",
    "scorecard": "reads cards of the reader's: tests/scorecards",
    "shadow": LIVE,
    "status": LIVE,
    "users": LIVE,
}
"""Commands that this test does not run, and why; all others it does."""
ELSEWHERE = {
    "--kafka": "needs a broker: tests/broker",
    "kafka:localhost:9092": "needs a broker: tests/broker",
    "-c /etc/monitor/config.yaml": "a file of the reader's",
    "-c site.yaml": "a file of the reader's",
    "--from var/archive": "a folder of the reader's: tests/archive",
    "tests/realdata": "recordings of others: tests/realdata runs these",
    "--labels labels.csv": "a file of the reader's: tests/backtest",
    "--tz Asia/Shanghai": "reads the configured topics: tests/cli/test_sample.py",
    "--seed autumn --kafka": "needs a broker",
    "rules/mine": "a pack of the reader's: docs/walkthrough.md makes one, and is run",
    "new ": "writes packs: docs/walkthrough.md runs it, and tests/cli/test_new.py",
    "--indicator short_calls": "likewise",
    "scorecard explain": "names a person of the reader's log: tests/scorecards",
}
"""Arguments with which a command is not run here, and why."""


class Block(NamedTuple):
    """A block of code."""

    page: str
    line: int
    language: str
    text: str


def every() -> Iterator[Block]:
    """All of them, of all pages."""
    for page in pages():
        whole = page.read_text(encoding="utf-8")
        for found in _FENCED.finditer(whole):
            line = whole.count("\n", 0, found.start()) + 1
            name = str(page.relative_to(ROOT))
            yield Block(name, line, found[1], textwrap.dedent(found[2]))


def of(language: str) -> list[Any]:
    """Those of a language, as parameters."""
    return [
        pytest.param(each, id=f"{each.page}:{each.line}")
        for each in every()
        if each.language == language
    ]


@cache
def shipped() -> tuple[Indicator, ...]:
    """Figures of all packs."""
    folders = [file.parent for file in sorted((ROOT / "rules").glob("*/indicators.yaml"))]
    return load_site(None, packs=folders).indicators


def test_blocks_are_of_known_languages() -> None:
    assert {each.language for each in every()} <= KNOWN


@pytest.mark.parametrize("block", of("yaml"))
def test_yaml_loads(block: Block, tmp_path: Path) -> None:
    data = yaml.safe_load(block.text)
    if isinstance(data, list):
        _load_entries(block.text, data)
        return
    text = block.text if "version" in data else f"version: 1\n{block.text}"
    path = Path(f"{Path(block.page).name}.yaml")
    if "indicators" in data:
        assert loads_indicators(text, path, tick_ms=_TICK_MS).value.indicators
    elif "rules" in data:
        assert loads_rules(text, path, (*shipped(), *_of_page(block.page))).value.rules
    elif "tests" in data:
        assert "expect" in block.text
    elif "cases" in data:
        labels = tmp_path / "labels.yaml"
        labels.write_text(text, encoding="utf-8")
        assert labelled(labels)
    elif "scorecard" in data:
        assert loads_card(text, path, shipped()).lines
    elif "about" in data:
        assert loads_yaml(text, path, MappingFile).value.name
    elif "levels" in data:
        head = "- id: r\n  indicator: hangup_rate\n  by: number\n  window: 30m\n"
        rule = head + _indented(block.text)
        _load_entries(rule, yaml.safe_load(rule))
    else:
        assert loads_yaml(text, path, Config).value.version == 1


def _load_entries(text: str, data: list[dict[str, Any]]) -> None:
    """Entries of a list: of rules, or of indicators."""
    path = Path("shown.yaml")
    if all("kind" in each for each in data):
        whole = f"version: 1\nindicators:\n{_indented(text)}"
        assert loads_indicators(whole, path, tick_ms=_TICK_MS).value.indicators
    else:
        whole = f"version: 1\nrules:\n{_indented(text)}"
        assert loads_rules(whole, path, shipped()).value.rules


def _indented(text: str) -> str:
    return textwrap.indent(text, "  ")


@cache
def _of_page(page: str) -> tuple[Indicator, ...]:
    found: list[Indicator] = []
    for each in every():
        if each.page == page and each.language == "yaml" and "\nindicators:" in each.text:
            loaded = loads_indicators(each.text, Path("shown.yaml"), tick_ms=_TICK_MS)
            found += loaded.value.indicators
    return tuple(found)


def test_the_pack_of_the_ten_minutes_passes_its_own_tests(tmp_path: Path) -> None:
    names = {"indicators": "indicators.yaml", "rules": "rules.yaml", "tests": "rules.test.yaml"}
    for each in every():
        if each.page == "docs/rules.md" and each.text.startswith("# yaml-language-server"):
            (kind,) = [name for name in names if f"\n{name}:" in each.text]
            (tmp_path / names[kind]).write_text(each.text)
    site = load_site(None, packs=[tmp_path])
    cases = load_cases(tmp_path / "rules.test.yaml", site.rules, site.indicators)
    results = run_tests(cases, partial(run_story, site), SystemClock())
    assert [each.failures for each in results] == [(), ()]


@pytest.mark.parametrize("block", of("json"))
def test_json_is_json(block: Block) -> None:
    text = block.text
    if text.startswith('"'):  # a part of an object
        text = f"{{{text.rstrip().rstrip(',')}}}"
    try:
        assert json.loads(text)
    except json.JSONDecodeError:
        assert [json.loads(line) for line in text.splitlines() if line]


@pytest.mark.parametrize("block", of("toml"))
def test_toml_is_toml(block: Block) -> None:
    assert tomllib.loads(block.text)


def commands() -> list[str]:
    """The command lines of `monitor` that can be run, each once; without pipes and targets."""
    found: dict[str, None] = {}
    for page in pages():
        if page == walk.PAGE:  # all of it, in its order: test_walkthrough
            continue
        for command in shell(page):
            name, *words = command.words
            if name.rsplit("/", 1)[-1] == "monitor" and words:
                cut = words.index(">") if ">" in words else len(words)
                line = shlex.join(words[:cut])
                if not _not_run(" ".join(words)):
                    found[line] = None
    return list(found)


def _not_run(line: str) -> bool:
    named = any(line.startswith(name) for name in NOT_RUN)
    return named or any(part in f"{line} " for part in ELSEWHERE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader has it: the configuration, the packs, recorded events."""
    made = tmp_path_factory.mktemp("reader")
    for name in ("rules", "mappings", "docs"):
        (made / name).symlink_to(ROOT / name)
    events = made / "events.jsonl"
    done = monitor(
        "simulate", "-s", "number-going-bad", "--to", f"file:{events}", "--start", _START,
        "--for", "5m", "--rate", "3",
    )  # fmt: skip
    assert done.status == 0, done.err
    (made / "config.yaml").write_bytes((ROOT / "config.yaml").read_bytes())
    for name in ("day-1.jsonl", "week.jsonl", "yesterday.jsonl", "calls-1.jsonl"):
        (made / name).write_bytes(events.read_bytes())
    _scorecards(made)
    return made


def _scorecards(folder: Path) -> None:
    """Cards, people and sums of a reader, and an archive of events."""
    text = (ROOT / "rules" / "scorecards" / "process-bonuses" / "card.yaml").read_text("utf-8")
    for name in ("card.yaml", "old.yaml", "new.yaml"):
        (folder / name).write_text(
            f"{text}parallel: {{people: [agent-0001], until: 2027-01-01}}\n", encoding="utf-8"
        )
    (folder / "people.csv").write_text("person,joined\nagent-0001,2026-10-01\n")
    for name in ("given.csv", "sums.csv"):
        (folder / name).write_text("period,person,deals\n2026-11,agent-0001,3\n")
    (folder / "archive").mkdir()
    (folder / "archive" / "day.jsonl").write_bytes((folder / "day-1.jsonl").read_bytes())


@pytest.mark.parametrize("line", commands())
def test_commands_run(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    words = shlex.split(line)
    if words[0] == "simulate":  # as written it makes hours of traffic
        words = [*words, "--for", "20s", "--rate", "5"]
    if words[0] == "test":  # all stories of a large pack take minutes: tests/packs
        words = ["test", "rules/sms-gateway", *words[2:]]
    done = monitor(*words)
    assert done.status in {0, 1}, done.err
    assert "Traceback" not in done.err


def test_what_is_not_run_is_in_the_documentation_and_exists() -> None:
    lines = [" ".join(each.words[1:]) for page in pages() for each in shell(page)]
    assert [name for name in NOT_RUN if not any(each.startswith(name) for each in lines)] == []
    assert all(reason for reason in (*NOT_RUN.values(), *ELSEWHERE.values()))
