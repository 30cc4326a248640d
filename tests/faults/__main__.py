"""``python -m tests.faults --seeds 0:2000 --jobs 2``: many seeds, with the failing ones told.

Owns the command line of the simulation. A seed given alone (``--seeds 1234``) is told in full.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter

from tests.faults.seeds import Report, run_seed
from tests.faults.shrink import shrink

PROGRESS_S = 10.0
SHORTENED = 3
"""So many failing seeds are told in full."""


def shortened(report: Report, *, tries: int) -> Report:
    """The failed seed with as few faults as ``tries`` further runs could find."""
    seed = report.seed
    return shrink(report, lambda away: run_seed(seed, without=away), tries=tries)


def told(report: Report) -> str:
    """A failed seed for people: what is wrong, and the way there."""
    lines = [f"seed {report.seed}: {len(report.violations)} violations"]
    lines += [f"  ! {violation}" for violation in report.violations]
    lines += [f"shortest trace found, {len(report.faults)} faults:"]
    lines += [f"  {line}" for line in report.lines]
    again = f"python -m tests.faults --seeds {report.seed}"
    return "\n".join([*lines, f"again: {again}, or pytest tests/faults --seed {report.seed}"])


def main(arguments: list[str] | None = None) -> int:
    """Play the seeds; 1 when any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", default="0:200", help="first:end, or one number")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tries", type=int, default=60, help="runs to shorten a failing trace by")
    options = parser.parse_args(arguments)
    first, colon, end = options.seeds.partition(":")
    seeds = range(int(first), int(end) if colon else int(first) + 1)
    started, shown = time.monotonic(), 0.0
    failed: list[int] = []
    places: Counter[str] = Counter()
    deaths = decisions = 0
    context = multiprocessing.get_context("spawn")  # polars has threads, which a fork would lose
    with context.Pool(options.jobs) as pool:
        for done, report in enumerate(pool.imap_unordered(run_seed, seeds), 1):
            places.update(fault.place for fault in report.faults)
            deaths += report.deaths
            decisions += report.decisions
            if report.violations:
                failed.append(report.seed)
                print(f"seed {report.seed} fails: {report.violations[0]}", flush=True)
            passed = time.monotonic() - started
            if passed - shown >= PROGRESS_S or done == len(seeds):
                shown = passed
                rate = f"{passed / done:.2f} s a seed"
                print(f"{done} of {len(seeds)}, {len(failed)} failed, {rate}", flush=True)
    print(f"{sum(places.values())} faults of {len(places)} kinds, {deaths} deaths,", end=" ")
    print(f"{decisions} decisions, {time.monotonic() - started:.0f} s")
    for seed in sorted(failed)[:SHORTENED]:
        print(told(shortened(run_seed(seed), tries=options.tries)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
