"""``monitor check``: is this configuration right, and is it wise?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.archive.lost import losses
from monitor.cli.declare import single
from monitor.cli.options import ConfigOption, JsonOption, config_path
from monitor.cli.output import counted, lines
from monitor.cli.stream import say
from monitor.delivery.messages.samples import tried_out
from monitor.delivery.messages.templates import Templates
from monitor.delivery.unheard import unheard
from monitor.errors import ConfigError, Problem
from monitor.rules.cases import RuleTest, load_cases
from monitor.rules.lint import Finding, Surroundings, lint, place_indicators, place_rules
from monitor.site import Site, load_site

_COLOURS = {"error": "red", "warning": "yellow", "info": "dim"}


def check(
    packs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PACK",
            help="Folders of packs to check instead of those that are on.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Also the figures that each rule can be judged by."),
    ] = False,
) -> None:
    """Check configuration, packs, rules and their tests: errors with line and column, and lint.

    Status 0: nothing keeps it from running, though there may be warnings; 1: it loads, and some
    rule cannot do what it says, a message template is wrong, or nobody would hear of refusals
    (lines that begin with `error:`);
    2: it does not load.
    """
    path = config_path(config)
    told = set[str]()
    try:
        site = load_site(path, packs=packs)
        for folder in sorted({file.path.parent for file in site.indicator_files}):
            for file in sorted(folder.glob("*.test.yaml")):
                cases = load_cases(file, site.rules, site.indicators).value
                told |= {name for test in cases.tests for name in _told_of(test)}
    except ConfigError as error:
        _report([("error", problem) for problem in error.problems], None, as_json=as_json)
        raise typer.Exit(2) from error
    if path is None and not as_json:
        say("no config.yaml here: the embedded defaults, with which every alert goes to the log")
    untold = list(_untold(site, told))
    findings = [
        (f.severity, f.problem)
        for f in [*findings_of(site, routes=path is not None), *untold]
        if verbose or as_json or f.severity != "info"
    ]
    templates = Templates(site.config.delivery.templates)
    findings += [("error", problem) for problem in tried_out(templates)]
    findings += [
        (severity, site.loaded.problem(("delivery", *fault.loc), fault.message, fault.hint))
        for severity, fault in unheard(site.config.delivery)
    ]
    if untold and not as_json:
        names = ", ".join(each.problem.owner for each in untold)
        lines().print(f"no story in *.test.yaml tells of: {names}", style="dim")
    _report(findings, site, as_json=as_json)
    raise typer.Exit(1 if any(severity == "error" for severity, _ in findings) else 0)


app = single("check", check, "check", "check rules/mine", "check -c site.yaml --json")


def _told_of(test: RuleTest) -> set[str]:
    """Rules that a story expects, or expects not, to say something."""
    wishes = (*test.expect, *test.expect_no)
    return {name for wish in wishes for name in (wish.alert, wish.rule) if name is not None}


def _untold(site: Site, told: set[str]) -> Iterator[Finding]:
    """Rules that no story tells of."""
    for file in site.rule_files:
        for placed in place_rules(file):
            if placed.value.status != "off" and placed.value.id not in told:
                hint = "see the story in docs/rules.md"
                yield Finding("info", placed.locate((), "no story tells of this rule", hint))


def findings_of(site: Site, *, routes: bool = True) -> list[Finding]:
    """The lint of a whole site; with ``routes``, also whether those that rules name exist."""
    rules = [placed for file in site.rule_files for placed in place_rules(file)]
    indicators = [placed for file in site.indicator_files for placed in place_indicators(file)]
    around = Surroundings(
        routes=frozenset(site.config.delivery.routes) if routes else None,
        tick_ms=site.config.time.tick,
    )
    found = lint(rules, indicators, around)
    if site.config.archive.customers == "hashed":
        found += losses(rules, {each.id: each for each in site.indicators})
    return found


def _report(found: Sequence[tuple[str, Problem]], site: Site | None, *, as_json: bool) -> None:
    if as_json:
        say(json.dumps({"site": _site(site), "findings": [_plain(*entry) for entry in found]}))
        return
    console = lines()
    for severity, problem in found:
        console.print(f"{severity}: {problem}", style=_COLOURS[severity])
    if site is not None:
        console.print(
            f"{counted(len(site.files), 'file')}, {counted(len(site.indicators), 'indicator')},"
            f" {counted(len(site.rules), 'rule')}:"
            f" {counted(sum(s == 'error' for s, _ in found), 'error')},"
            f" {counted(sum(s == 'warning' for s, _ in found), 'warning')}"
        )


def _plain(severity: str, problem: Problem) -> dict[str, Any]:
    return {
        "severity": severity,
        "path": str(problem.path),
        "line": problem.line,
        "column": problem.column,
        "owner": problem.owner,
        "message": problem.message,
        "hint": problem.hint,
    }


def _site(site: Site | None) -> dict[str, Any] | None:
    if site is None:
        return None
    return {
        "files": [str(path) for path in site.files],
        "indicators": [indicator.id for indicator in site.indicators],
        "rules": [rule.id for rule in site.rules],
        "hash": site.hash,
    }
