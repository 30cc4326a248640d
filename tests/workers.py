"""How a run of all tests is dealt out to its workers.

Owns what pytest-xdist and pytest-cov are told; nothing here changes what a test does.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

LONGEST = ("tests/packs/test_packs.py", "tests/e2e/test_failover.py")
"""Files of more than half a minute, the longest first: begun last, one of them would leave the
other workers idle at the end."""

TOLD = "told"
"""The name under which a test records (``record_property``) what the run is to say at its end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first. In one process the order is left as it is."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = {name: number for number, name in enumerate(LONGEST)}
        items.sort(key=lambda item: place.get(item.nodeid.split("::")[0], len(LONGEST)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Coverage is not measured of what is marked ``untraced``, fixtures included."""
    plugin: Any = item.config.pluginmanager.getplugin("_cov")
    controller = None if plugin is None else plugin.cov_controller
    if controller is None or item.get_closest_marker("untraced") is None:
        return (yield)
    controller.pause()
    try:
        return (yield)
    finally:
        controller.resume()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what tests want told, whether they passed or not."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, text in report.user_properties:
                    if name == TOLD:
                        terminalreporter.write_line(text)
