"""``indicators.yaml`` from disk: read, validated and checked as a whole.

Owns the order of the steps; syntax is ``monitor.strict_yaml``, shapes ``model``, meaning ``check``.
"""

from __future__ import annotations

from pathlib import Path

from monitor.errors import ConfigError, Problem
from monitor.indicators.check import check_indicators
from monitor.indicators.model import IndicatorFile
from monitor.strict_yaml import Loaded, load_yaml, loads_yaml

TICK_MS = 5_000


def load_indicators(path: Path, *, tick_ms: int = TICK_MS) -> Loaded[IndicatorFile]:
    """Read and check one file of indicators for an engine with this tick.

    Raises:
        ConfigError: with every problem found, each with line and column.
    """
    return checked(load_yaml(path, IndicatorFile), tick_ms=tick_ms)


def loads_indicators(text: str, path: Path, *, tick_ms: int = TICK_MS) -> Loaded[IndicatorFile]:
    """Like :func:`load_indicators` for text; ``path`` is only named in problems."""
    return checked(loads_yaml(text, path, IndicatorFile), tick_ms=tick_ms)


def checked(loaded: Loaded[IndicatorFile], *, tick_ms: int) -> Loaded[IndicatorFile]:
    """``loaded`` itself when nothing is wrong with it.

    Raises:
        ConfigError: with every problem found.
    """
    problems = [
        loaded.problem(finding.loc, finding.message, finding.hint, offset=finding.offset)
        for finding in check_indicators(loaded.value.indicators, tick_ms)
    ]
    if problems:
        raise ConfigError(sorted(problems, key=_place))
    return loaded


def _place(problem: Problem) -> tuple[int, int, str]:
    return problem.line, problem.column, problem.message
