"""``monitor test``: rule tests through the same engine as everything else."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from monitor.cli.declare import single
from monitor.cli.options import ConfigOption, config_path
from monitor.cli.output import lines, write
from monitor.clock import SystemClock
from monitor.errors import UsageError
from monitor.replay import run_story
from monitor.rules.cases import load_cases
from monitor.rules.testing import Result, junit, run_tests
from monitor.site import Site, load_site


def rule_tests(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Files or folders; without any, the packs that are on.",
            exists=True,
        ),
    ] = None,
    config: ConfigOption = None,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML here too.")
    ] = None,
) -> None:
    """Run `*.test.yaml`: events written in YAML, and what should come of them."""
    path = config_path(config)
    files = _files(paths, load_site(path))
    if not files:
        raise UsageError("no *.test.yaml found")
    console = lines()
    results: list[Result] = []
    for file in files:
        site = _site_for(file, path)
        found = run_tests(
            load_cases(file, site.rules, site.indicators),
            functools.partial(run_story, site),
            SystemClock(),
        )
        results += found
        console.print(str(file), style="bold")
        for result in found:
            mark = ("✓", "green") if result.passed else ("✗", "red")
            took = (f" {result.seconds:.2f} s", "dim")
            console.print(Text.assemble("  ", mark, f" {result.name}", took))
            for failure in result.failures:
                console.print(f"    {result.path}:{failure.line}: {failure.words}")
    failed = sum(not result.passed for result in results)
    console.print(f"{len(results) - failed} passed, {failed} failed")
    if junit_file is not None:
        write(junit_file, junit(results))
    raise typer.Exit(1 if failed else 0)


app = single("test", rule_tests, "test", "test rules/telemarketing --junit results.xml")


def _files(paths: list[Path] | None, site: Site) -> list[Path]:
    folders = paths or sorted({file.path.parent for file in site.indicator_files})
    found: list[Path] = []
    for path in folders:
        found += sorted(path.rglob("*.test.yaml")) if path.is_dir() else [path]
    return found


def _site_for(file: Path, config: Path | None) -> Site:
    """The rules a test file is about: its own folder's as they stand there, else the site's."""
    folder = file.parent
    if (folder / "indicators.yaml").is_file():
        return load_site(None, packs=[folder])
    return load_site(config)
