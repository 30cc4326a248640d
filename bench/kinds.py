"""What each kind of indicator and rule costs, alone, on the same simulated day.

``python -m bench.kinds [KIND …]``. A pack of one indicator, or one rule, is replayed on one thread
in a process of its own; costs are told in times of one plain ratio by the same scopes.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import tempfile
from dataclasses import asdict
from pathlib import Path

from bench import point
from bench.packs import simulated_day
from bench.point import Point
from bench.report import Report, arguments, tell

MINUTES = 50
FIRST = "ratio"
RATIO = """\
  - id: answered
    kind: ratio
    hits: {count: call.ended, where: "outcome == 'answered'"}
    of: {count: call.ended}
    by: [agent, team]
    windows: [WINDOW]
"""
RULE = "  - {id: r, by: agent, levels: {warn: LEVEL}, indicator: answered, window: 30m, evidence: {method: raw, min_of: 20}}\n"  # noqa: E501


def ratio(window: str) -> str:
    """The plain ratio over another window."""
    return RATIO.replace("WINDOW", window)


KINDS: dict[str, tuple[str, str]] = {
    FIRST: (ratio("30m"), ""),
    "rolling days": (ratio("{days: 30, tz: Asia/Shanghai}"), ""),
    "anchored": (ratio("{anchored: 1h}"), ""),
    "pairs": (ratio("30m").replace("[agent, team]", "[[number, customer]]"), ""),
    "distinct": (
        ratio("30m").replace("count: call.ended", "distinct: customer, on: call.ended"),
        "",
    ),
    "funnel": (
        """\
  - id: f
    kind: funnel
    entity: customer
    within: 1d
    steps: {sent: {on: sms.sent}, opened: {on: sms.opened}, agreed: {on: sms.consented}}
    by: [campaign, team]
    windows: [24h]
""",
        "",
    ),
    "response": (
        """\
  - id: f
    kind: response
    from: sms.sent
    to: sms.opened
    per: customer
    open_after: 30m
    max_age: 1d
    by: [campaign, team]
    windows: [24h]
""",
        "",
    ),
    "population": (
        """\
  - id: f
    kind: population
    entity: agent
    from: [agent.state]
    among: state != 'offline'
    share: state == 'break'
    state: state
    unchanged_for: 15m
    max_age: 12h
    by: [group, team]
""",
        "",
    ),
    "customer's clock": (
        ratio("30m").replace("outcome == 'answered'", "not within_hours(time, '08:00-21:00')"),
        "",
    ),
    "what came before": (
        ratio("30m").replace("outcome == 'answered'", "opted_out_at is not null"),
        "",
    ),
    "absence": (
        ratio("30m"),
        """\
  - id: r
    absent: {count: call.ended, where: "talk_s >= 120 and need_captured"}
    for: 30m
    while: "state != 'offline'"
    by: agent
    levels: {warn: {}}
""",
    ),
    "baseline": (
        ratio("30m"),
        RULE.replace("LEVEL", '{below: "0.5 * baseline(7d, same_hour)"}'),
    ),
    "peer quantile": (
        ratio("30m"),
        RULE.replace("LEVEL", '{below: "peer_quantile(group, 20%)", gap: 10%}'),
    ),
    "a fixed threshold": (ratio("30m"), RULE.replace("LEVEL", "{below: 5%}")),
}
"""By name, the indicators and the rules of a pack."""


def main() -> None:
    """Measure and report."""
    parser = arguments("bench.kinds", __doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--rounds", type=int, default=2, help="runs of each; the best counts")
    given = parser.parse_args()
    unknown = set(given.kinds) - set(KINDS)
    if unknown:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    chosen = [FIRST, *(name for name in given.kinds or KINDS if name != FIRST)]
    report = Report("kinds", given)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        file = simulated_day(folder, MINUTES // 10 if given.quick else MINUTES)
        found = {kind: _measure(kind, file, folder, given.rounds) for kind in chosen}
    first = found[FIRST]
    rows = [
        [kind, f"{each.rate:,.0f}", f"{first.rate / each.rate:.2f}", f"{each.rss_mb:,.0f}"]
        for kind, each in found.items()
    ]
    report.table(["one of", "events/CPU s", "cost", "MB"], rows)
    report.keep({"kinds": {name: asdict(each) for name, each in found.items()}})


def _measure(kind: str, file: Path, folder: Path, rounds: int) -> Point:
    tell(f"{kind}: replaying")
    pack = folder / kind.replace(" ", "-").replace("'", "")
    pack.mkdir()
    indicators, rules = KINDS[kind]
    (pack / "indicators.yaml").write_text(f"version: 1\nindicators:\n{indicators}")
    if rules:
        (pack / "rules.yaml").write_text(f"version: 1\nrules:\n{rules}")
    runs = [point.run(file, pack) for _ in range(rounds)]
    return max(runs, key=lambda each: each.rate)


if __name__ == "__main__":
    main()
