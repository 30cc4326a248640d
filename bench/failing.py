"""A number that goes bad: twenty calls of it fail, and a rule that acts fires at the twentieth."""

from __future__ import annotations

from pathlib import Path

CALLS = 20
INDICATOR = """\
  - id: failing
    kind: ratio
    hits: {count: call.ended, where: sip_code == 603}
    of: {count: call.ended}
    by: [number]
    windows: [30m]
"""
RULE = """\
  - id: number-failing
    indicator: failing
    by: number
    levels: {crit: {above: 90%, clear: 50%}}
    window: 30m
    evidence: {method: raw, min_of: 20}
    no_data: hold
    notify: {route: supervisors}
    action: {suspend: {ttl: 30m}}
"""


def add_failing(pack: Path) -> None:
    """Put them into a pack, which may have others, and be new."""
    pack.mkdir(parents=True, exist_ok=True)
    for kind, text in (("indicators", INDICATOR), ("rules", RULE)):
        with (pack / f"{kind}.yaml").open("a", encoding="utf-8") as file:
            file.write(text if file.tell() else f"version: 1\n{kind}:\n{text}")
