from __future__ import annotations

import pytest

from tests.deploy.tools import program


@pytest.fixture(scope="session")
def promtool() -> str:
    return program("promtool")


@pytest.fixture(scope="session")
def amtool() -> str:
    return program("amtool")
