"""Documentation that has fallen behind the product fails here."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from jsonschema import Draft7Validator

from monitor.config import Config
from monitor.numbers.guards import Guard
from monitor.numbers.lifecycle import TRANSITIONS
from monitor.rules.load import loads_rules
from monitor.schemas import schema
from monitor.site import load_site
from monitor.strict_yaml import loads_yaml
from tests.docs import generate, settings_page, settings_text
from tests.docs.markdown import ROOT, Command, anchors, blocks, fault, links, pages, paths, shell

PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()]
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]


def test_what_is_generated_is_current() -> None:
    assert generate.stale() == [], "run: make docs"


def test_dashboards_are_what_their_sources_make() -> None:
    assert generate.boards("--check"), "run: make docs"


def test_generating_writes_what_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [(tmp_path / path.relative_to(ROOT), text) for path, text in generate.outputs()]
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "outputs", lambda: made)  # all of it takes half a minute
    monkeypatch.setattr(generate, "boards", lambda *_: True)
    assert len(generate.stale()) == len(list(generate.outputs()))
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "docs" / "cli.md").write_text("something else")
    assert generate.stale() == ["docs/cli.md"]


def test_every_setting_is_on_its_page_and_says_what_it_means() -> None:
    assert settings_page.unsaid() == set(settings_text.UNSAID)
    page = settings_page.render()
    for section in set(Config.model_fields) - {"version"}:
        assert f"\n## {section}\n" in page
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(rows) > 100
    assert "source.security.sasl.password" in rows
    assert "| `time.tick` | `5s` | duration 100ms … 1m |" in page


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        exists = target.exists() and target.is_relative_to(ROOT)
        if not exists or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: Path) -> None:
    assert [name for name in paths(page) if not _exists(name)] == []


def _exists(name: str) -> bool:
    return (ROOT / name).exists() or (ROOT / f"{name}.py").exists() or any(ROOT.glob(name))


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_shown_exist(page: Path) -> None:
    faults = [
        f"{' '.join(command.words)}: {said}"
        for command in shell(page)
        if (said := _wrong(command.words))
    ]
    assert faults == []


def _wrong(words: list[str]) -> str:
    match words:
        case [name, *arguments] if Path(name).name == "monitor":
            return "" if arguments in (["--help"], ["COMMAND", "--help"]) else fault(arguments)
        case ["make", *targets]:
            known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            return ", ".join(f"no {each}" for each in targets if each not in known)
        case [name, "-m", module, *_] if name.startswith(("python", ".venv/bin/python")):
            return "" if importlib.util.find_spec(module) else "no such module"
        case ["cp", source, *_]:
            return "" if (ROOT / source).exists() else "no such file"
    return ""


def test_a_wrong_command_would_be_seen() -> None:
    assert _wrong(["monitor", "run", "--demo"]) == ""
    assert _wrong(["monitor", "numbers", "resume", "+86", "--why", "x"]) == ""
    assert _wrong(["monitor", "numbers", "resume", "+86"]) == "no why"
    assert _wrong(["monitor", "rum"]) == "no such command"
    assert "demmo" in _wrong(["monitor", "run", "--demmo"])
    assert _wrong(["monitor", "status", "now"]) == "too much: ['now']"
    assert _wrong(["make", "coffee"]) == "no coffee"
    assert _wrong(["python", "-m", "tests.docs.nothing"]) == "no such module"


@pytest.mark.parametrize("readme", READMES, ids=lambda page: page.name)
def test_a_readme_begins_with_the_two_commands(readme: Path) -> None:
    shown = [command.words for command in shell(readme) if not _is_prose(command)]
    assert shown[:2] == [["make", "run"], ["make", "test"]]
    assert readme.read_text(encoding="utf-8").index("make test") < 2_000
    assert any(link.endswith(".png") for link in links(readme))


def test_both_readmes_say_the_same() -> None:
    english, chinese = READMES

    def commands(page: Path) -> list[list[str]]:
        return [command.words[:2] for command in shell(page) if not _is_prose(command)]

    assert commands(english) == commands(chinese)
    assert blocks(english, "yaml")[0].count("\n") == blocks(chinese, "yaml")[0].count("\n")
    depth = [re.findall(r"^(#+) ", page.read_text(), re.MULTILINE) for page in READMES]
    assert depth[0] == depth[1]
    targets = [
        {link.replace("README.zh-CN.md", "README.md") for link in links(page)} for page in READMES
    ]
    assert targets[0] == targets[1]


def _is_prose(command: Command) -> bool:
    return not re.fullmatch(r"[\w./-]+", command.words[0])


@pytest.mark.parametrize(
    "page", [*READMES, ROOT / "docs" / "configuration.md"], ids=lambda p: p.name
)
def test_configurations_that_are_shown_load(page: Path) -> None:
    shown = blocks(page, "yaml")
    assert shown
    for text in shown:
        whole = text if text.startswith("version:") else f"version: 1\n{text}"
        if "\nrules:" in whole or "\nindicators:" in whole:
            continue
        assert loads_yaml(whole, Path("shown.yaml"), Config).value.version == 1


@pytest.mark.parametrize("readme", READMES, ids=lambda page: page.name)
def test_the_rule_that_is_shown_loads_beside_the_pack(readme: Path) -> None:
    (rule,) = [text for text in blocks(readme, "yaml") if text.startswith("rules:")]
    loaded = loads_rules(f"version: 1\n{rule}", Path("shown.yaml"), load_site(None).indicators)
    assert [each.id for each in loaded.value.rules] == ["number-hangup"]


def test_the_overrides_that_are_shown_fit_the_pack(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"version: 1\n{settings_text.YAML_BELOW['override']}")
    rules = {rule.id: rule for rule in load_site(config).rules}
    assert rules["agent-csat"].status == "off"


@pytest.mark.parametrize("readme", READMES, ids=lambda page: page.name)
def test_the_event_that_is_shown_is_one(readme: Path) -> None:
    (event,) = blocks(readme, "json")
    Draft7Validator(schema("events")).validate(json.loads(event))
    assert "\n" not in event.strip()


def test_every_dependency_has_its_line() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    said = re.findall(r"^\| ([a-z0-9-]+) \|", page, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [re.split(r"[\[<>=]", each)[0] for each in project["dependencies"]]
    assert sorted(set(said) - {"library"}) == sorted(set(needed) - {"zstandard"})
    assert all(each in page for each in needed)


def test_the_changelog_begins_with_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\S+?),? ", text, re.MULTILINE)
    assert headings[0] == project["version"]
    entries = re.findall(r"^- (\S+)", text, re.MULTILINE)
    assert entries
    assert set(entries) <= {"[CHANGE]", "[FEATURE]", "[PERF]", "[BUGFIX]"}


def test_every_transition_is_on_the_page() -> None:
    page = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
    for (before, event), after in TRANSITIONS.items():
        assert f"| `{before}` | `{event}` | `{after}` |" in page
    said_elsewhere = {"not_a_number", "held"}
    for guard in set(get_args(Guard)) - said_elsewhere:
        assert f"| `{guard}` |" in page or f"(`{guard}`)" in page
