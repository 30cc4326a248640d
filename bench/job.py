"""The job that is measured: what the centre looks like, its events, indicators and rules.

Owns the generator: the same seed gives the same bytes. A call centre of 2 000 numbers, 500 agents,
25 groups, 5 teams and 12 campaigns; six measures in five scopes, over 30 minutes by 30 s and over
24 hours by 15 minutes; ten rules with sequential evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

NUMBERS, AGENTS, CAMPAIGNS = 2_000, 500, 12
AGENTS_PER_GROUP, AGENTS_PER_TEAM = 20, 100
SCOPES = ("number", "agent", "group", "team", "campaign")
BAD_NUMBERS = 10
"""Numbers on which most customers hang up, so that the rules have something to find."""
START_MS = 1_795_309_200_000  # 2026-11-22T01:00:00Z, a working morning in Shanghai
DISORDER_MS = 900
"""How late a record may come; within the ``out_of_order`` of the configuration."""

_BY = f"[{', '.join(SCOPES)}]"
_INDICATORS = f"""\
version: 1
indicators:
  - id: answer_rate
    kind: ratio
    hits: {{count: call.ended, where: outcome == 'answered'}}
    of: {{count: call.ended}}
    by: {_BY}
    windows: [30m, 24h]
  - id: hangup_rate
    kind: ratio
    hits:
      count: call.ended
      where: outcome == 'answered' and hangup_by == 'customer' and talk_s < 30
    of: {{count: call.ended, where: outcome == 'answered'}}
    by: {_BY}
    windows: [30m, 24h]
  - id: effective_rate
    kind: ratio
    hits:
      count: call.ended
      where: outcome == 'answered' and talk_s >= 120 and need_captured
    of: {{count: call.ended, where: outcome == 'answered'}}
    by: {_BY}
    windows: [30m, 24h]
  - id: effective_talk
    kind: ratio
    hits:
      sum: talk_s
      on: call.ended
      where: outcome == 'answered' and talk_s >= 120 and need_captured
    of: {{sum: talk_s, on: call.ended}}
    by: {_BY}
    windows: [30m, 24h]
"""
_RULE = """\
  - id: {id}
    indicator: {indicator}
    by: {by}
    levels: {{crit: {{{level}}}}}
    window: 30m
    evidence: {{method: sequential, false_alarms: 1 per 30 scope-days}}
    recovering: {{for: 15m, min_of: 20}}
    no_data: hold
    notify: {{route: supervisors}}
"""
_SUSPEND = "    action: {suspend: {ttl: 30m, probation: {calls: 50, max: 1h}}}\n"


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement: so many events, at a density of event time."""

    name: str
    events: int
    density: int
    """Events a second of event time."""
    zipf: float | None = None
    """Exponent of the keys' popularity; None: all alike."""
    seed: int = 1

    @property
    def seconds(self) -> float:
        """Event time covered."""
        return self.events / self.density


def write_pack(folder: Path) -> Path:
    """Write the pack of the job; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rules = [
        _RULE.format(id=f"{by}-{name}", indicator=indicator, by=by, level=level)
        + (_SUSPEND if (name, by) == ("hangup", "number") else "")
        for name, indicator, level in (
            ("hangup", "hangup_rate", "above: 30%, clear: 25%"),
            ("answer", "answer_rate", "below: 10%, clear: 15%"),
        )
        for by in SCOPES
    ]
    (folder / "indicators.yaml").write_text(_INDICATORS, encoding="utf-8")
    (folder / "rules.yaml").write_text("version: 1\nrules:\n" + "".join(rules), encoding="utf-8")
    return folder


def write_events(job: Job, path: Path) -> float:
    """Write the events, one JSON object a line, in the order they arrive; returns bytes a line."""
    random = np.random.default_rng(job.seed)
    count = job.events
    time = START_MS + np.sort(random.integers(0, round(job.seconds * 1_000), count))
    number, agent = _popular(random, NUMBERS, job), _popular(random, AGENTS, job)
    answered = random.random(count) < 0.4
    talk_s = np.round(random.exponential(90.0, count), 1)
    hangs_up = np.where(number < BAD_NUMBERS, 0.7, 0.15)
    short = answered & (random.random(count) < hangs_up)
    talk_s = np.where(short, np.round(random.uniform(1.0, 29.0, count), 1), talk_s)
    ring_s = np.round(random.uniform(1.0, 30.0, count), 1)
    frame = pl.DataFrame(
        {
            "row": np.arange(count),
            "time": time,
            "began": time - 1_000 * 60,
            "number": number,
            "customer": random.integers(0, 10**8, count),
            "agent": agent,
            "group": agent // AGENTS_PER_GROUP,
            "team": agent // AGENTS_PER_TEAM,
            "campaign": number % CAMPAIGNS,
            "answered": answered,
            "ring_s": ring_s,
            "talk_s": talk_s,
            "hangup_by": np.where(short | (random.random(count) < 0.5), "customer", "agent"),
            "needed": random.random(count) < 0.4,
            "arrives": time + random.integers(0, DISORDER_MS, count),
        }
    ).sort("arrives", "row")
    lines = frame.select(_line())
    lines.write_csv(path, include_header=False, quote_style="never")
    return path.stat().st_size / count


def _popular(random: np.random.Generator, size: int, job: Job) -> npt.NDArray[np.int64]:
    if job.zipf is None:
        return random.integers(0, size, job.events)
    weights = 1.0 / np.arange(1, size + 1) ** job.zipf
    return random.choice(size, job.events, p=weights / weights.sum()).astype(np.int64)


def _line() -> pl.Expr:
    def padded(name: str, width: int) -> pl.Expr:
        return pl.col(name).cast(pl.String).str.zfill(width)

    def stamp(name: str) -> pl.Expr:
        return pl.from_epoch(name, time_unit="ms").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")

    head: list[tuple[str, pl.Expr]] = [
        ('{"id":"e-', padded("row", 8)),
        ('","type":"call.ended","time":"', stamp("time")),
        ('","number":"+8621500', padded("number", 5)),
        ('","customer":"c-', padded("customer", 8)),
        ('","agent":"agent-', padded("agent", 4)),
        ('","group":"group-', pl.col("group")),
        ('","team":"team-', pl.col("team")),
        ('","campaign":"campaign-', pl.col("campaign")),
        ('","call_id":"k-', padded("row", 8)),
        ('","direction":"outbound","started_at":"', stamp("began")),
        ('","ring_s":', pl.col("ring_s")),
    ]
    answered: list[tuple[str, pl.Expr]] = [
        (',"outcome":"answered","talk_s":', pl.col("talk_s")),
        (',"hangup_by":"', pl.col("hangup_by")),
        ('","need_captured":', pl.col("needed")),
    ]
    not_answered = pl.lit(',"outcome":"no_answer","sip_code":480')
    outcome = pl.when("answered").then(_written(answered)).otherwise(not_answered)
    return pl.concat_str(_written(head), outcome, pl.lit("}"))


def _written(parts: list[tuple[str, pl.Expr]]) -> pl.Expr:
    return pl.concat_str(each for text, value in parts for each in (pl.lit(text), value))
