"""The verdict as the table of docs/reliability.md."""

from __future__ import annotations

from pathlib import Path

from bench.machine import describe
from tests.soak.verdict import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"


def write(verdict: Verdict) -> None:
    """Put the table between the marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{table(verdict)}{END}{after}", encoding="utf-8")


def table(verdict: Verdict) -> str:
    """Faults, then outcome."""
    where = describe()
    how = (
        f"{verdict.seconds:.0f} s at {verdict.rate:,} events/s (seed {verdict.seed}), "
        f"{where['cpu']}, {where['cores']} cores, commit {where['commit']}: "
        f"{verdict.events:,} events, {verdict.decisions:,} decisions, "
        f"{verdict.commands:,} commands, {verdict.starts} starts of daemons."
    )
    outcomes = (
        ("decisions lost", verdict.lost_decisions, "0"),
        ("decisions that an undisturbed run does not make", verdict.invented_decisions, "0"),
        ("decisions with other figures than undisturbed", verdict.wrong_figures, "0"),
        ("commands twice on the topic", verdict.commands_repeated, "0"),
        ("commands missing there", verdict.commands_missing, "0"),
        ("commands there that nobody decided", verdict.commands_unknown, "0"),
        ("alerts that the webhook never got", verdict.alerts_unheard, "0"),
        (
            "alerts it got again, with the same id",
            verdict.alerts_repeated,
            f"{verdict.repeats_allowed} (in flight at a crash)",
        ),
        ("deliveries given up", verdict.parked, "0"),
        ("seconds to catch up after the last event", verdict.catch_up_s, ""),
    )
    lines = [how, "", "| fault | times |", "|---|---:|"]
    lines += [f"| {name} | {times} |" for name, times in verdict.faults.items()]
    lines += ["", "| outcome | count | may be |", "|---|---:|---:|"]
    lines += [f"| {name} | {count:g} | {may} |" for name, count, may in outcomes]
    lines.append("")
    return "\n".join(lines)
