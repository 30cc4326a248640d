"""Memory that comes and goes is not asked of the system each time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
from monitor.running.heap import keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        blocks = [bytes([1]) * 8_000_000 for _ in range(8)]  # every page is written
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "kept" and not keep_freed():
    print("other")
else:
    print(faults())
"""


_CYCLES = """
import gc, weakref
from monitor.running.heap import YOUNG, settle

class Node: pass

def cycle():
    node = Node()
    node.me = node
    return weakref.ref(node)

gc.disable()
before, kept = len(gc.get_objects()), cycle()
settle()
assert gc.get_threshold()[0] == YOUNG
after = len(gc.get_objects())
later = cycle()
gc.collect()
print(before > 1_000, after < before // 10, kept() is not None, later() is None)
"""


def test_what_is_there_is_not_looked_through_again_and_cycles_made_later_are_found() -> None:
    program = [sys.executable, "-c", _CYCLES]
    found = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()
    assert found == ["True"] * 4


def _faults(how: str) -> str:
    program = [sys.executable, "-c", _PROGRAM, how]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()


def test_pages_are_asked_for_once() -> None:
    kept = _faults("kept")
    if kept == "other":
        pytest.skip("the C library has no mallopt")
    pages = 8 * 8_000_000 // 4096
    assert int(kept) < 2 * pages
    assert int(_faults("freed")) > 10 * pages  # else it has become needless


@pytest.mark.parametrize("theirs", [None, "dirty_decay_ms:1"])
def test_polars_keeps_what_it_freed_unless_somebody_says_otherwise(theirs: str | None) -> None:
    environ = {name: text for name, text in os.environ.items() if "RJEM" not in name}
    if theirs is not None:
        environ["_RJEM_MALLOC_CONF"] = theirs
    # polars puts its own before what it finds, and the last one counts.
    program = "import os, monitor, polars; print(os.environ['_RJEM_MALLOC_CONF'])"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ
    ).stdout.strip()
    assert told.endswith(theirs or "dirty_decay_ms:10000")
