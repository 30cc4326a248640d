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


OUTCOMES = (
    ("decisions lost", "decisions_lost"),
    ("decisions that an undisturbed run does not make", "decisions_invented"),
    ("decisions with other figures than undisturbed", "decisions_with_wrong_figures"),
    ("commands twice on the topic", "commands_repeated"),
    ("commands missing there", "commands_missing"),
    ("commands there that nobody decided", "commands_unknown"),
    ("numbers whose commands came in another order", "commands_out_of_order"),
    ("notices that the webhook never took", "notices_unheard"),
    ("requests there under an id that nobody decided", "notices_unknown"),
    ("ids there with more than one text", "notices_changed"),
    ("rules and scopes whose notices came in another order", "notices_out_of_order"),
    ("deliveries given up", "parked"),
    ("events that the producer gave up", "events_given_up"),
    ("daemons that ended by themselves", "daemons_fallen"),
)
"""What must be 0, in words."""


def table(verdict: Verdict) -> str:
    """Faults, then outcome."""
    where = describe()
    run = (
        f"{verdict.seconds:.0f} s at {verdict.rate:,} events/s (seed {verdict.seed}), "
        f"{where['cpu']}, {where['cores']} cores, commit {where['commit']}: "
        f"{verdict.events:,} events on the topic ({verdict.events_per_s:,} a second), "
        f"{verdict.decisions:,} decisions, {verdict.starts} starts of work by a daemon."
    )
    repeats = (
        f"| notices that the webhook took again, with the same id | {verdict.notices_repeated} "
        f"| {verdict.repeats_allowed} (under way when something broke off) |"
    )
    raw = (
        f"Counted raw at the receivers: {verdict.commands_on_topic:,} records on the commands' "
        f"topic for {verdict.commands:,} commands ({verdict.commands_stale} were over before they "
        f"could be sent); {verdict.requests:,} requests at the webhook for {verdict.notices:,} "
        f"notices (alerts, refusals of guards), {verdict.requests_meanwhile:,} of them while "
        f"faults went on; it refused {verdict.requests_refused:,}."
    )
    lines = [
        *(run, "", "| fault | times |", "|---|---:|"),
        *(f"| {name} | {times} |" for name, times in sorted(verdict.faults.items())),
        *("", "| outcome | count | may be |", "|---|---:|---:|"),
        *(f"| {words} | {getattr(verdict, name)} | 0 |" for words, name in OUTCOMES),
        *(repeats, f"| seconds to catch up after the last event | {verdict.catch_up_s:g} | |"),
        *("", raw, ""),
    ]
    return "\n".join(lines)
