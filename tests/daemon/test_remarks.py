"""A running daemon's alerts say what their bad records have in common."""

from __future__ import annotations

from typing import Any

from tests.daemon.folder import BAD, GOOD, Folder
from tests.daemon.running import eventually, threaded
from tests.daemon.test_app import said


def story() -> list[dict[str, Any]]:
    """Calls of a team, of which one agent's are all hung up on."""
    bad = {"agent": "王芳", "number": BAD, "hangup_by": "customer"}
    good = {"agent": "a-2", "number": GOOD, "hangup_by": "agent"}
    call = {"type": "call.ended", "team": "team-1"}
    return [call | (bad if n % 2 else good) for n in range(24)] + [call | bad] * 6


def test_an_alert_names_the_agent_behind_it(folder: Folder) -> None:
    with threaded(folder) as running:
        running.ready()
        folder.append(*story())
        eventually(lambda: running.alerts("team"), "an alert")

        def told() -> list[dict[str, Any]]:
            lines = said(folder, "alert_firing")
            return [line for line in lines if line["rule"] == "team"]

        (line, *_) = eventually(told, "a line of the log")
    assert "agent 王芳 (100%, against " in line["common"]


def test_it_can_be_switched_off(folder: Folder) -> None:
    folder.write(delivery=folder.config["delivery"] | {"explain": "0s"})
    with threaded(folder) as running:
        running.ready()
        folder.append(*story())
        eventually(lambda: running.alerts("team"), "an alert")
        eventually(lambda: said(folder, "alert_firing"), "a line of the log")
    assert all("common" not in line for line in said(folder, "alert_firing"))
