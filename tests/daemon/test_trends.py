"""Lines of the console over a restart: a daemon that is killed goes on where they were."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from tests import web
from tests.daemon.folder import GOOD, Folder
from tests.daemon.running import eventually, process
from tests.deploy.tools import free_port
from tests.interface.serving import bearer, tokens


def test_figures_of_before_a_kill_are_there_after_it(tmp_path: Path) -> None:
    port = free_port()
    folder = Folder(
        tmp_path,
        exporter={"port": free_port()},
        web={"enabled": True, "port": port, "tokens": tokens()},
    )
    url = f"http://127.0.0.1:{port}/api/v1/trends"
    asked = {"by": "number", "name": GOOD}

    def seen() -> list[int]:
        answer = web.get(url, params=asked, headers=bearer("viewer"), timeout=10)
        found: Any = answer.json() if answer.status_code == 200 else {}
        return [at for line in found.get("lines", ()) for at in line["at"]]

    with process(folder) as running:
        folder.call(GOOD)
        running.ready()
        before = eventually(seen, "a sample")
        kept = folder.root / "checkpoints" / "trends.log"
        eventually(kept.exists, "a file of samples")
        running.end(signal.SIGKILL)
    with process(folder) as running:
        running.ready()
        after = eventually(seen, "samples after the restart")
        assert after[0] == before[0]
