"""``rules.yaml`` from disk: read, validated and checked against the indicators as a whole.

Owns the order of the steps; syntax is ``monitor.strict_yaml``, shapes ``model``, meaning ``check``.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from monitor.errors import ConfigError, Problem
from monitor.indicators.model import Indicator
from monitor.rules.check import check_rules
from monitor.rules.model import RulesFile
from monitor.strict_yaml import Loaded, load_yaml, loads_yaml


def load_rules(path: Path, indicators: Collection[Indicator]) -> Loaded[RulesFile]:
    """Read and check one file of rules on ``indicators``, those of all packs that are on.

    Raises:
        ConfigError: with every problem found, each with line and column.
    """
    return checked(load_yaml(path, RulesFile), indicators)


def loads_rules(text: str, path: Path, indicators: Collection[Indicator]) -> Loaded[RulesFile]:
    """Like :func:`load_rules` for text; ``path`` is only named in problems."""
    return checked(loads_yaml(text, path, RulesFile), indicators)


def checked(loaded: Loaded[RulesFile], indicators: Collection[Indicator]) -> Loaded[RulesFile]:
    """``loaded`` itself when nothing is wrong with it.

    Raises:
        ConfigError: with every problem found.
    """
    problems = [
        loaded.problem(fault.loc, fault.message, fault.hint, offset=fault.offset)
        for fault in check_rules(loaded.value.rules, indicators)
    ]
    if problems:
        raise ConfigError(sorted(problems, key=_place))
    return loaded


def _place(problem: Problem) -> tuple[int, int, str]:
    return problem.line, problem.column, problem.message
