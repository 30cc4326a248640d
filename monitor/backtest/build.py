"""From a tally to its report.

Owns the arithmetic of days, hours and shares; the shapes are ``report``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo

from monitor.backtest.labels import Case, Verdict, judge
from monitor.backtest.report import (
    BY_HAND,
    HOUR_MS,
    DayLine,
    NumberLine,
    PersonLine,
    Read,
    Report,
    RouteLine,
    RuleLine,
    clipped_h,
    local_day,
)
from monitor.backtest.tally import COMMANDS_ROUTE, QUARTER_MS, Episode, Outage, Tally
from monitor.decisions import Scope
from monitor.rules.model import Rule


def build(
    tally: Tally,
    read: Read,
    rules: Sequence[Rule],
    *,
    span: tuple[int, int],
    zone: tzinfo | None = None,
    cases: Sequence[Case] = (),
) -> Report:
    """The report of a finished tally over ``span`` (ms, half-open)."""
    from_ms, to_ms = span
    verdicts, explained = judge(cases, tally.episodes, tally.outages, span)
    days = _days(from_ms, to_ms, zone)
    report = Report(
        from_ms=from_ms,
        to_ms=to_ms,
        zone=_zone_name(zone, from_ms),
        read=read,
        rules=[],
        days=list(days.values()),
        routes=_rings(tally.pages, zone, span),
        receivers=_rings(tally.received, zone, span),
        people=_people(tally, zone, span),
        numbers=_numbers(tally.outages, span),
        cases=verdicts,
        episodes=tally.episodes,
        outages=tally.outages,
        refusals=_by_guard(tally.refusals),
        beyond=tally.beyond,
        pages_by_hour=_week(tally.pages, zone),
        pages_by_quarter=_summed(tally.pages),
    )
    _fill_days(days, tally, span, zone)
    report.rules = _rules(tally, rules, span, verdicts, explained if cases else None)
    return report


def _days(from_ms: int, to_ms: int, zone: tzinfo | None) -> dict[date, DayLine]:
    first, last = local_day(from_ms, zone), local_day(max(from_ms, to_ms - 1), zone)
    days = {}
    for ahead in range((last - first).days + 1):
        day = first + timedelta(days=ahead)
        begin, end = _bounds(day, zone)
        days[day] = DayLine(day.isoformat(), whole=from_ms <= begin and end <= to_ms)
    return days


def _bounds(day: date, zone: tzinfo | None) -> tuple[int, int]:
    """Where a local day begins and ends, in ms."""

    def midnight(of: date) -> int:
        moment = datetime(of.year, of.month, of.day, tzinfo=zone) if zone else None
        moment = moment or datetime(of.year, of.month, of.day).astimezone()
        return round(moment.timestamp() * 1000)

    return midnight(day), midnight(day + timedelta(days=1))


def _fill_days(
    days: Mapping[date, DayLine], tally: Tally, span: tuple[int, int], zone: tzinfo | None
) -> None:
    for episode in tally.episodes:
        line = days.get(local_day(episode.from_ms, zone))
        if line is None or episode.shadow or episode.from_ms < span[0]:
            continue
        if episode.level == "crit":
            line.crit += 1
        else:
            line.warn += 1
    for (_, quarter), pages in tally.pages.items():
        if (line := days.get(local_day(quarter * QUARTER_MS, zone))) is not None:
            line.pages += pages
    ends = [_bounds(day, zone)[1] for day in days]
    lines = list(days.values())
    for outage in tally.outages:
        if outage.shadow:
            continue
        to_ms = min(span[1], span[1] if outage.to_ms is None else outage.to_ms)
        at, place = max(outage.from_ms, span[0]), bisect_right(ends, max(outage.from_ms, span[0]))
        if outage.from_ms >= span[0] and place < len(lines):
            lines[place].suspensions += 1
        while at < to_ms and place < len(lines):
            end = min(ends[place], to_ms)
            lines[place].out_h += (end - at) / HOUR_MS
            at, place = end, place + 1


def _rules(
    tally: Tally,
    rules: Sequence[Rule],
    span: tuple[int, int],
    verdicts: Sequence[Verdict],
    explained: set[int] | None,
) -> list[RuleLine]:
    lines = {
        rule.id: RuleLine(
            rule.id,
            {str(tag): text for tag, text in rule.title.items()},
            shadow=rule.status == "shadow",
        )
        for rule in rules
        if rule.status != "off"
    }

    def line_of(name: str, shadow: bool = False) -> RuleLine:  # noqa: FBT001, FBT002 - of one's own
        return lines.setdefault(name or BY_HAND, RuleLine(name or BY_HAND, {}, shadow))

    _fill_alerts(line_of, tally.episodes, span, explained)
    for outage in tally.outages:
        line = line_of(outage.rule)
        line.suspensions += 1
        line.out_h += clipped_h(outage.from_ms, outage.to_ms, span)
    for (rule, _), count in tally.refusals.items():
        line_of(rule).refused += count
    for rule, pages in tally.rule_pages.items():
        line_of(rule).pages += pages
    for verdict in verdicts:
        if verdict.rule:
            line_of(verdict.rule).found += 1
    if explained is not None:
        for line in lines.values():
            line.unexplained = line.unexplained or 0
    return sorted(lines.values(), key=lambda each: (-each.alerts, -each.suspensions, each.rule))


def _fill_alerts(
    line_of: Callable[[str, bool], RuleLine],
    episodes: Sequence[Episode],
    span: tuple[int, int],
    explained: set[int] | None,
) -> None:
    scopes = defaultdict[str, set[Scope]](set)
    for place, episode in enumerate(episodes):
        line = line_of(episode.rule, episode.shadow)
        line.alerts += 1
        line.critical += episode.level == "crit"
        line.firing_h += clipped_h(episode.from_ms, episode.to_ms, span)
        scopes[episode.rule].add(episode.scope)
        line.scopes = len(scopes[episode.rule])
        if explained is not None:
            line.unexplained = (line.unexplained or 0) + (place not in explained)


def _rings(
    pages: Mapping[tuple[str, int], int], zone: tzinfo | None, span: tuple[int, int]
) -> list[RouteLine]:
    by_day = _by_day(pages, zone)
    most: Counter[str] = Counter()
    for (name, _), count in pages.items():
        most[name] = max(most[name], count)
    days = max((span[1] - span[0]) / (24 * HOUR_MS), 1.0)
    lines = []
    for name, counts in by_day.items():
        total = sum(counts.values())
        day, busiest = max(counts.items(), key=lambda each: (each[1], each[0]))
        lines.append(RouteLine(name, total, total / days, day.isoformat(), busiest, most[name]))
    return sorted(lines, key=lambda line: (line.name == COMMANDS_ROUTE, -line.pages, line.name))


def _by_day(pages: Mapping[tuple[str, int], int], zone: tzinfo | None) -> dict[str, Counter[date]]:
    by_day: dict[str, Counter[date]] = defaultdict(Counter)
    for (name, quarter), count in pages.items():
        by_day[name][local_day(quarter * QUARTER_MS, zone)] += count
    return by_day


def _people(tally: Tally, zone: tzinfo | None, span: tuple[int, int]) -> list[PersonLine] | None:
    """Everybody there is, those who hear most first; None where nothing says who is told."""
    if tally.heard is None:
        return None
    rings = {line.name: line for line in _rings(tally.told, zone, span)}
    by_day, why = _by_day(tally.told, zone), tally.told_why
    lines = [
        PersonLine(
            name=name,
            pages=ring.pages,
            a_day=ring.a_day,
            busiest_day=ring.busiest_day,
            busiest_pages=ring.busiest_pages,
            quarter_most=ring.quarter_most,
            repeats=why[name, "repeat"],
            escalations=why[name, "escalation"],
            digests=why[name, "capped"],
            by_day={day.isoformat(): count for day, count in sorted(by_day[name].items())},
        )
        for name in tally.router.people.people
        for ring in [rings.get(name, RouteLine(name, 0, 0.0, "", 0, 0))]
    ]
    return sorted(lines, key=lambda line: (-line.pages, line.name))


def _summed(pages: Mapping[tuple[str, int], int]) -> dict[int, int]:
    found: Counter[int] = Counter()
    for (_, quarter), pages_then in pages.items():
        found[quarter] += pages_then
    return dict(found)


def _week(pages: Mapping[tuple[str, int], int], zone: tzinfo | None) -> list[list[int]]:
    table = [[0] * 24 for _ in range(7)]
    for (_, quarter), count in pages.items():
        at = datetime.fromtimestamp(quarter * QUARTER_MS / 1000, tz=UTC).astimezone(zone)
        table[at.weekday()][at.hour] += count
    return table


def _numbers(outages: Iterable[Outage], span: tuple[int, int]) -> list[NumberLine]:
    lines: dict[str, NumberLine] = {}
    for each in outages:
        if each.shadow:
            continue
        line = lines.setdefault(each.number, NumberLine(each.number, 0, 0.0, ()))
        line.times += 1
        line.out_h += clipped_h(each.from_ms, each.to_ms, span)
        line.rules = tuple(sorted({*line.rules, each.rule or BY_HAND}))
    return sorted(lines.values(), key=lambda line: (-line.out_h, line.number))


def _by_guard(refusals: Mapping[tuple[str, str], int]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (_, guard), count in refusals.items():
        found[guard] += count
    return dict(found.most_common())


def _zone_name(zone: tzinfo | None, at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, tz=UTC).astimezone(zone)
    return str(getattr(zone, "key", "") or moment.strftime("UTC%z"))
