"""How a seed is named: ``pytest tests/faults --seed 1234``."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """One seed instead of the usual ones."""
    parser.addoption("--seed", type=int, default=None, help="play this seed of the simulation only")
