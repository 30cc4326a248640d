"""Known cases of trouble, and how soon the rules found each.

Owns the file's forms (YAML, CSV, the ``truth.json`` of ``monitor simulate``) and the matching.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.backtest.tally import Episode, Outage
from monitor.errors import ConfigError, Problem
from monitor.logs import mask_customer
from monitor.strict_yaml import loads_yaml

CASES_MAX = 10_000


class Case(BaseModel):
    """One case: this scope was bad from then to then."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    scope: Annotated[dict[str, str], Field(min_length=1)]
    """Dimension and value: ``{number: "+86…"}``. A rule's scope that holds all of it finds it."""
    since: Annotated[datetime, Field(alias="from")]
    until: Annotated[datetime | None, Field(alias="to")] = None
    """None: to the end of what is read."""
    rule: str | None = None
    """The rule that should find it; None: any."""
    note: str = ""

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.until is not None and self.until.timestamp() <= self.since.timestamp():
            msg = "to is not after from"
            raise ValueError(msg)
        return self


class CaseFile(BaseModel):
    """``labels.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    cases: Annotated[tuple[Case, ...], Field(max_length=CASES_MAX)]


Outcome = Literal["found", "standing", "missed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one case."""

    scope: tuple[tuple[str, str], ...]
    """With customers masked."""
    from_ms: int
    to_ms: int
    outcome: Outcome
    """``standing``: an alert that began before the case, and was on when it did."""
    rule: str = ""
    """That found it first."""
    after_ms: int | None = None
    """From the beginning of the case to the first alert."""
    suspended_after_ms: int | None = None
    """To when the number went out of service."""
    note: str = ""


def load_cases(path: Path, zone: tzinfo | None = None) -> tuple[Case, ...]:
    """The cases of a file; times without a zone are of ``zone``, or local.

    Raises:
        ConfigError: it cannot be read, or is wrong; with line and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError([Problem(path, 0, 0, f"cannot be read: {why}")]) from error
    if path.suffix == ".csv":
        found = _of_table(text, path)
    elif path.suffix == ".json":
        found = _of_truth(text, path)
    else:
        found = loads_yaml(text, path, CaseFile).value.cases
    return tuple(_in_zone(case, zone) for case in found)


def judge(
    cases: Sequence[Case],
    episodes: Sequence[Episode],
    outages: Iterable[Outage],
    span: tuple[int, int],
) -> tuple[list[Verdict], set[int]]:
    """How each case was found; and which ``episodes`` (by place) some case explains.

    Cases that do not touch the range (``span``, ms, half-open) are left out.
    """
    explained: set[int] = set()
    out = list(outages)
    verdicts = []
    for case in cases:
        from_ms = _ms(case.since)
        to_ms = span[1] if case.until is None else _ms(case.until)
        if from_ms >= span[1] or to_ms < span[0]:
            continue
        mine = [
            place
            for place, each in enumerate(episodes)
            if _is_about(case, each)
            and each.from_ms <= to_ms
            and (each.to_ms is None or each.to_ms > from_ms)
        ]
        explained.update(mine)
        # Of a rule in shadow nobody hears, so it finds only what it is asked to find.
        heard = [episodes[at] for at in mine if not episodes[at].shadow or case.rule]
        number = case.scope.get("number")
        rests = [
            each.from_ms - from_ms
            for each in out
            if each.number == number
            and not each.shadow
            and from_ms <= each.from_ms <= to_ms
            and case.rule in {None, each.rule}
        ]
        verdicts.append(_verdict(case, (from_ms, to_ms), heard, rests))
    return verdicts, explained


def _verdict(
    case: Case, between: tuple[int, int], mine: Sequence[Episode], rests: Sequence[int]
) -> Verdict:
    from_ms, to_ms = between
    first = min(mine, key=lambda each: each.from_ms, default=None)
    outcome: Outcome = "missed"
    if first is not None:
        outcome = "standing" if first.from_ms < from_ms else "found"
    after_ms = None if first is None else max(0, first.from_ms - from_ms)
    return Verdict(
        scope=tuple(
            (k, mask_customer(v) if k == "customer" else v) for k, v in sorted(case.scope.items())
        ),
        from_ms=from_ms,
        to_ms=to_ms,
        outcome=outcome,
        rule="" if first is None else first.rule,
        after_ms=after_ms,
        suspended_after_ms=min(rests, default=None),
        note=case.note,
    )


def _is_about(case: Case, episode: Episode) -> bool:
    scope = dict(episode.scope)
    return (case.rule is None or case.rule == episode.rule) and all(
        scope.get(name) in {value, mask_customer(value) if name == "customer" else value}
        for name, value in case.scope.items()
    )


def _of_table(text: str, path: Path) -> tuple[Case, ...]:
    """Columns ``from``, ``to``, ``rule``, ``note``; every other one is a dimension."""
    rows = csv.DictReader(io.StringIO(text))
    own = {"from", "to", "rule", "note"}
    names = rows.fieldnames or []
    if "from" not in names or not set(names) - own:
        hint = "such as: number,from,to"
        raise ConfigError([Problem(path, 1, 1, "columns: from, and at least one dimension", hint)])
    cases: list[Case] = []
    problems: list[Problem] = []
    for row in rows:
        scope = {k: v.strip() for k, v in row.items() if k and k not in own and v and v.strip()}
        given = {k: v.strip() for k, v in row.items() if k in own and v and v.strip()}
        try:
            cases.append(Case.model_validate(given | {"scope": scope}))
        except ValueError as error:
            problems.append(Problem(path, rows.line_num, 1, _said(error)))
    if len(cases) > CASES_MAX:
        problems.append(Problem(path, 1, 1, f"more than {CASES_MAX:,} cases"))
    if problems:
        raise ConfigError(problems)
    return tuple(cases)


def _of_truth(text: str, path: Path) -> tuple[Case, ...]:
    """What ``monitor simulate`` says it has planted."""
    try:
        planted = msgspec.json.decode(text)["planted"]
        return tuple(
            Case.model_validate(
                {
                    "scope": {each["kind"]: each["name"]},
                    "from": each["from"],
                    "to": each["until"],
                    "note": f"flagged by {each['flagged_by']}" if each.get("flagged_by") else "",
                }
            )
            for each in planted
        )
    except (msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
        hint = "other cases are written as YAML or CSV"
        message = "a .json file of labels is the truth that `monitor simulate` writes"
        raise ConfigError([Problem(path, 1, 1, message, hint)]) from error


def _in_zone(case: Case, zone: tzinfo | None) -> Case:
    def placed(moment: datetime | None) -> datetime | None:
        return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=zone)

    return case.model_copy(update={"since": placed(case.since), "until": placed(case.until)})


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _said(error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    first = errors()[0]
    where = ".".join(map(str, first["loc"]))
    said = str(first["msg"]).removeprefix("Value error, ")
    if str(first["type"]).startswith("datetime"):
        said = "a time is needed, such as 2026-11-22T09:00"
    return f"{where}: {said}" if where else said
