"""The job that is measured: what the centre looks like, its events, indicators and rules.

Owns the generator: the same seed gives the same bytes. A call centre of 2 000 numbers, 500 agents,
25 groups, 5 teams and 12 campaigns; six measures in five scopes, over 30 minutes by 30 s and over
24 hours by 15 minutes; ten rules with sequential evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from tests.events import hostile

NUMBERS, AGENTS, CAMPAIGNS = 2_000, 500, 12
AGENTS_PER_GROUP, AGENTS_PER_TEAM = 20, 100
SCOPES = ("number", "agent", "group", "team", "campaign")
BAD_NUMBERS = 10
"""Numbers on which most customers hang up, so that the rules have something to find."""
START_MS = 1_795_309_200_000  # 2026-11-22T01:00:00Z, a working morning in Shanghai
DISORDER_MS = 900
"""How late a record may come; within the ``out_of_order`` of the configuration."""

REPEATED_MS = 5_000
"""How much later a duplicate may come."""
WINDOWS = ("30m", "24h")

_BY = f"[{', '.join(SCOPES)}]"
_INDICATORS = f"""\
version: 1
indicators:
  - id: answer_rate
    kind: ratio
    hits: {{count: call.ended, where: outcome == 'answered'}}
    of: {{count: call.ended}}
    by: {_BY}
    windows: WINDOWS
  - id: hangup_rate
    kind: ratio
    hits:
      count: call.ended
      where: outcome == 'answered' and hangup_by == 'customer' and talk_s < 30
    of: {{count: call.ended, where: outcome == 'answered'}}
    by: {_BY}
    windows: WINDOWS
  - id: effective_rate
    kind: ratio
    hits:
      count: call.ended
      where: outcome == 'answered' and talk_s >= 120 and need_captured
    of: {{count: call.ended, where: outcome == 'answered'}}
    by: {_BY}
    windows: WINDOWS
  - id: effective_talk
    kind: ratio
    hits:
      sum: talk_s
      on: call.ended
      where: outcome == 'answered' and talk_s >= 120 and need_captured
    of: {{sum: talk_s, on: call.ended}}
    by: {_BY}
    windows: WINDOWS
"""
_MORE = f"""\
  - id: talked_SECONDS
    kind: ratio
    hits: {{count: call.ended, where: outcome == 'answered' and talk_s >= SECONDS}}
    of: {{count: call.ended, where: outcome == 'answered'}}
    by: {_BY}
    windows: WINDOWS
"""
"""An indicator of its own counter, as many as wanted."""
_ANSWER = ("answer", "answer_rate")
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
    numbers: int = NUMBERS
    """Where they are many for the events, each has equally many, so that all are seen."""
    disorder_ms: int = DISORDER_MS
    duplicates: float = 0.0
    """Share of the events that are there a second time."""
    hostile: float = 0.0
    """Share of further records that are rotten, of all kinds in turn. All are dead letters but
    those whose fault is in a field that nobody reads."""
    start_ms: int = START_MS

    @property
    def seconds(self) -> float:
        """Event time covered."""
        return self.events / self.density


def write_pack(
    folder: Path,
    *,
    indicators: int = 4,
    rules: int = 10,
    windows: Sequence[str] = WINDOWS,
) -> Path:
    """Write the pack of the job, or one with more of everything; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    more = (_MORE.replace("SECONDS", str(5 + number)) for number in range(indicators - 4))
    text = (_INDICATORS + "".join(more)).replace("WINDOWS", f"[{', '.join(windows)}]")
    (folder / "indicators.yaml").write_text(text, encoding="utf-8")
    (folder / "rules.yaml").write_text(_rules(rules), encoding="utf-8")
    return folder


def _rules(count: int) -> str:
    """The ten, then the same again with other bounds."""
    texts: list[str] = []
    while len(texts) < count:
        turn = len(texts) // 10
        name, indicator = ("hangup", "hangup_rate") if len(texts) % 10 < 5 else _ANSWER
        by = SCOPES[len(texts) % 5]
        above, below = 30 + turn % 40, max(1, 10 - turn % 10)
        level = f"above: {above}%, clear: {above - 5}%"
        if name == "answer":
            level = f"below: {below}%, clear: {below + 5}%"
        rule_id = f"{by}-{name}" + (f"-{turn}" if turn else "")
        action = _SUSPEND if rule_id == "number-hangup" else ""
        texts.append(_RULE.format(id=rule_id, indicator=indicator, by=by, level=level) + action)
    return "version: 1\nrules:\n" + "".join(texts)


def write_events(job: Job, path: Path) -> float:
    """Write the events, one JSON object a line, in the order they arrive; returns bytes a line."""
    lines = event_lines(job)
    lines.to_frame().write_csv(path, include_header=False, quote_style="never")
    if job.hostile:
        _mix_in(_hostile(), path, round(1 / job.hostile))
    return path.stat().st_size / job.events


def event_lines(job: Job) -> pl.Series:
    """The events as text, in the order they arrive."""
    random = np.random.default_rng(job.seed)
    count = job.events
    time = job.start_ms + np.sort(random.integers(0, round(job.seconds * 1_000), count))
    number, agent = _numbers(random, job), _popular(random, AGENTS, job)
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
            "arrives": time + random.integers(0, max(1, job.disorder_ms), count),
        }
    )
    return _repeated(random, frame, job).sort("arrives", "row").select(line=_line())["line"]


def _repeated(random: np.random.Generator, frame: pl.DataFrame, job: Job) -> pl.DataFrame:
    """In the place of the wanted share of rows, others a second time and later."""
    again = round(job.events * job.duplicates)
    if not again:
        return frame
    kept = frame[: job.events - again]
    twice = kept[random.integers(0, len(kept), again)]
    later = pl.Series(random.integers(0, REPEATED_MS, again))
    return pl.concat([kept, twice.with_columns(arrives=pl.col("arrives") + later)])


def _hostile() -> list[bytes]:
    """Records that must be dead letters and fit on a line, from the tests' corpus."""
    records = [record.value for record in hostile.corpus() if not record.decodes]
    small = (value for value in records if len(value) <= 4_096)
    return [value for value in small if value.strip() and b"\n" not in value]


def _mix_in(records: list[bytes], path: Path, every: int) -> None:
    """One of ``records`` after every so many lines of the file."""
    made = path.with_suffix(".mixed")
    with path.open("rb") as lines, made.open("wb") as out:
        for number, line in enumerate(lines):
            out.write(line)
            if number % every == 0:
                out.write(records[number // every % len(records)] + b"\n")
    made.replace(path)


def _numbers(random: np.random.Generator, job: Job) -> npt.NDArray[np.int64]:
    if job.zipf is not None or job.numbers <= max(NUMBERS, job.events // 10):
        return _popular(random, job.numbers, job)
    return np.resize(random.permutation(job.numbers), job.events).astype(np.int64)


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
        ('","number":"+86215', padded("number", 7)),
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
