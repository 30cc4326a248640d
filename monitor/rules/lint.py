"""What is allowed in a rule and still not what anybody wants: never fires, always fires, is deaf.

Owns the findings of ``monitor check`` beyond errors of form; nothing here changes a decision.
``error``: the rule cannot do what it says. ``warning``: it can, but hardly as meant. ``info``:
figures to judge it by. Volumes are assumptions (``monitor.rules.chances``), so each finding that
rests on one names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitor.errors import Problem
from monitor.indicators.funnel import figures_of
from monitor.indicators.model import Indicator, IndicatorFile
from monitor.rules.lint_rule import Finding, Loc, Locate, Placed, RuleLint, Severity, Surroundings
from monitor.rules.model import Rule, RulesFile
from monitor.strict_yaml import Loaded

__all__ = [
    "Finding",
    "Placed",
    "Severity",
    "Surroundings",
    "lint",
    "lint_files",
    "place_indicators",
    "place_rules",
]


def place_rules(
    loaded: Loaded[RulesFile], rules: Sequence[Rule] | None = None
) -> list[Placed[Rule]]:
    """The rules of a file; ``rules`` are the same ones with the site's values, in that order."""
    found = loaded.value.rules if rules is None else rules
    return [Placed(rule, _locate(loaded, "rules", n)) for n, rule in enumerate(found)]


def place_indicators(
    loaded: Loaded[IndicatorFile], indicators: Sequence[Indicator] | None = None
) -> list[Placed[Indicator]]:
    """The indicators of a file; ``indicators`` are the same ones with the site's values.

    The steps of a funnel stand where it stands.
    """
    found = loaded.value.indicators if indicators is None else indicators
    return [
        Placed(figure, locate)
        for n, each in enumerate(found)
        for locate in [_locate(loaded, "indicators", n)]
        for figure in figures_of(each)
    ]


def _locate(loaded: Loaded[RulesFile] | Loaded[IndicatorFile], key: str, index: int) -> Locate:
    def locate(loc: Loc, message: str, hint: str = "") -> Problem:
        return loaded.problem((key, index, *loc), message, hint)

    return locate


def lint(
    rules: Iterable[Placed[Rule]],
    indicators: Iterable[Placed[Indicator]],
    surroundings: Surroundings | None = None,
) -> list[Finding]:
    """Every finding on a set of rules that loaded well, in order of file, line and column.

    Rules that are off are left alone. Rules must name indicators, scopes and windows that exist
    (``monitor.rules.load`` sees to that); one that does not is skipped here.
    """
    around = surroundings or Surroundings()
    placed = list(indicators)
    by_id = {each.value.id: each.value for each in placed}
    found: list[Finding] = []
    used: set[str] = set()
    for rule in rules:
        used.add(rule.value.indicator or "")
        if rule.value.status == "off":
            continue
        found += _route(rule, around)
        indicator = by_id.get(rule.value.indicator or "")
        if indicator is not None:
            found += RuleLint(rule, indicator, around).findings()
    looked_at = {each.locate for each in placed if each.value.id in used}
    for unused in (each for each in placed if each.locate not in looked_at):
        message = "no rule looks at this indicator"
        found.append(Finding("info", unused.locate((), message, "it is only shown")))
    return sorted(dict.fromkeys(found), key=lambda each: _order(each.problem))


def lint_files(
    rules: Iterable[Loaded[RulesFile]],
    indicators: Iterable[Loaded[IndicatorFile]],
    surroundings: Surroundings | None = None,
) -> list[Finding]:
    """:func:`lint` on whole files, those of all packs that are on."""
    return lint(
        [placed for file in rules for placed in place_rules(file)],
        [placed for file in indicators for placed in place_indicators(file)],
        surroundings,
    )


def _order(problem: Problem) -> tuple[str, int, int, str]:
    return str(problem.path), problem.line, problem.column, problem.message


def _route(rule: Placed[Rule], around: Surroundings) -> Iterator[Finding]:
    route = rule.value.notify.route
    if not route:
        if rule.value.status == "active":
            message = "nobody hears of this rule"
            problem = rule.locate((), message, "notify: {route: supervisors}")
            yield Finding("warning", problem)
    elif around.routes is not None and route not in around.routes:
        known = ", ".join(sorted(around.routes)) or "none"
        message = f"route '{route}' is not defined"
        problem = rule.locate(("notify", "route"), message, f"defined are: {known}")
        yield Finding("error" if rule.value.status == "active" else "warning", problem)
