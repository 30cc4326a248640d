"""``python -m tests.fuzz records --count 1000000 --seed 1``: many mutated inputs, or one again."""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time
import warnings
from pathlib import Path

from tests.fuzz.campaign import FuzzError, run, save
from tests.fuzz.targets import TARGETS

EVERY_S = 10.0
HUNG_S = 600.0
"""Wall time without a finished chunk after which all stacks are shown and the run ends."""


def main() -> int:
    """Run; 0 when every promise held."""
    warnings.simplefilter("error")
    options = _options()
    target = TARGETS[options.target]
    begun = said = time.monotonic()
    faulthandler.dump_traceback_later(HUNG_S, exit=True)

    def progress(done: int) -> None:
        nonlocal said
        faulthandler.dump_traceback_later(HUNG_S, exit=True)
        now = time.monotonic()
        if now - said >= EVERY_S:
            said = now
            _say(f"{done}/{options.count}, {done / (now - begun):.0f}/s")

    try:
        outcome = run(
            target, seed=options.seed, count=options.count, first=options.first, progress=progress
        )
    except FuzzError as failure:
        path = save(target, options.seed, failure.number, options.folder)
        _say(f"FAILED {failure}\nthe input is in {path}")
        return 1
    _say(f"{target.name}, seed {options.seed}: {outcome}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--folder", type=Path, default=Path("var/fuzz"), help="for failing inputs")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
