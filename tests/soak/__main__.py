"""``python -m tests.soak``: ten minutes in which everything goes wrong (``make soak``).

Prints the verdict, writes it to ``tests/soak/result.json`` and the table into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from monitor import logs
from tests.postgres import Databases, Server, programs
from tests.soak.faults import go_wrong
from tests.soak.report import write
from tests.soak.verdict import Verdict, judge
from tests.soak.world import world

RESULT = Path(__file__).parent / "result.json"


def soak(*, seconds: float, rate: int, every_s: float, seed: int, folder: Path) -> Verdict:
    """One soak in ``folder``, from the first broker to the verdict."""
    binaries = programs()
    assert binaries is not None, "PostgreSQL is not installed"
    server = Server(binaries)
    verdict = Verdict(seconds, rate, seed)
    try:
        server.create()
        server.start()
        databases = Databases(server.url, server)
        with (
            databases.fresh() as url,
            world(folder, databases, url, rate=rate, seed=seed) as running,
        ):
            faults = go_wrong(running, seconds=seconds, every_s=every_s, seed=seed)
            verdict.faults = dict(sorted(faults.items()))
            return judge(running, verdict)
    finally:
        server.remove()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=int, default=5_000, help="events a second")
    parser.add_argument("--every", type=float, default=4.0, help="seconds between faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="write result.json and the docs")
    parser.add_argument("--folder", type=Path, help="to run in, and to keep")
    given = parser.parse_args()
    logs.configure(level="info")
    folder = given.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    sys.stderr.write(f"in {folder}\n")
    verdict = soak(
        seconds=given.seconds, rate=given.rate, every_s=given.every, seed=given.seed, folder=folder
    )
    sys.stdout.write(json.dumps(verdict.plain(), indent=1) + "\n")
    if given.keep:
        RESULT.write_text(json.dumps(verdict.plain(), indent=1) + "\n", encoding="utf-8")
        write(verdict)
    if verdict.good and given.folder is None:
        shutil.rmtree(folder)
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
