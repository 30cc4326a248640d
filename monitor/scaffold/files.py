"""Files of a pack: begun, and added to at their end, so that what people wrote stays as it is.

Owns the writing. Nothing that is there is overwritten; what does not load, or whose test fails, is
taken back.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from monitor.clock import Clock
from monitor.errors import ConfigError, UsageError
from monitor.replay import run_story
from monitor.rules.cases import load_cases
from monitor.rules.model import Rule
from monitor.rules.testing import run_tests
from monitor.scaffold.story import Story, quiet, stories
from monitor.schemas import render
from monitor.site import load_site

INDICATORS: Final = "indicators.yaml"
RULES: Final = "rules.yaml"
TESTS: Final = "rules.test.yaml"
_KINDS = {INDICATORS: "indicators", RULES: "rules", TESTS: "tests"}
_README = """# Pack `{name}`

What it watches, for whom, and where its limits come from.

    monitor test {folder}
    monitor check -v {folder}
"""


def begin_pack(folder: Path) -> None:
    """Make the folder of a new pack.

    Raises:
        UsageError: there is something of that name.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} is there already, and nothing is overwritten"
        raise UsageError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    readme = _README.format(name=folder.name, folder=folder)
    (folder / "README.md").write_text(readme, encoding="utf-8")


def add(file: Path, entry: str) -> None:
    """Add an entry to the list of a file, which is begun where it is not there."""
    kind = _KINDS[file.name]
    text = file.read_text(encoding="utf-8") if file.exists() else _head(file.parent, kind)
    joint = "" if text.endswith("\n") else "\n"
    file.write_text(f"{text}{joint}{entry}", encoding="utf-8")


def _head(folder: Path, kind: str) -> str:
    return f"# yaml-language-server: $schema={_schema(folder, kind)}\nversion: 1\n{kind}:\n"


def _schema(folder: Path, kind: str) -> str:
    """Where the editor finds the schema: in ``docs/schema`` above, else beside the packs."""
    for above in folder.resolve().parents:
        found = above / "docs" / "schema" / f"{kind}.json"
        if found.is_file():
            return Path(os.path.relpath(found, folder.resolve())).as_posix()
    own = folder.parent / ".schema" / f"{kind}.json"
    own.parent.mkdir(exist_ok=True)
    own.write_text(render(kind), encoding="utf-8")
    return f"../.schema/{kind}.json"


@contextmanager
def taken_back(folder: Path) -> Iterator[None]:
    """What is written inside is undone where it does not come to a good end."""
    before = {path: path.read_bytes() for path in folder.glob("*") if path.is_file()}
    was_there = folder.exists()
    try:
        yield
    except BaseException:
        for path in folder.glob("*"):
            if path not in before and path.is_file():
                path.unlink()
        for path, content in before.items():
            path.write_bytes(content)
        if not was_there and folder.exists():
            folder.rmdir()
        raise


def has(folder: Path, kind: str, name: str) -> bool:
    """Whether the pack has an indicator, or a rule, of that name.

    Raises:
        ConfigError: it does not load.
    """
    if not (folder / INDICATORS).is_file():
        return False
    site = load_site(None, packs=[folder])
    return any(each.id == name for each in getattr(site, kind))


def add_stories(folder: Path, name: str, clock: Clock) -> list[Story]:
    """The first tests of a rule that stands in the pack: those that pass, or one that must.

    Raises:
        ConfigError: the pack does not load.
    """
    site = load_site(None, packs=[folder])
    rule = next(each for each in site.rules if each.id == name)
    indicator = next((each for each in site.indicators if each.id == rule.indicator), None)
    good = [each for each in stories(rule, indicator) if _passes(folder, each, clock)]
    kept = good or [quiet(rule)]
    for each in kept:
        add(folder / TESTS, each.text())
    return kept


def _passes(folder: Path, story: Story, clock: Clock) -> bool:
    file = folder / f".trial-{os.getpid()}.test.yaml"
    try:
        file.write_text(f"version: 1\ntests:\n{story.text()}", encoding="utf-8")
        site = load_site(None, packs=[folder])
        cases = load_cases(file, site.rules, site.indicators)
        results = run_tests(cases, functools.partial(run_story, site), clock)
    except ConfigError:
        return False
    finally:
        file.unlink(missing_ok=True)
    return all(each.passed for each in results)


def fires(rule: Rule, kept: list[Story]) -> bool:
    """Whether one of the stories shows that the rule fires."""
    return any(each.expect is not None and each.expect.get("alert") == rule.id for each in kept)
