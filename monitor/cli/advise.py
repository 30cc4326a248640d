"""``monitor advise``: what a rule's own history says of its thresholds, evidence and volume."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

import typer

from monitor import logs
from monitor.advise.advice import Advice, Distribution, Fired, scope_of
from monitor.advise.advise import ALERTS_PER_WEEK, advise
from monitor.advise.odds import DAYS_MAX, NUMBERS, Detection, Estimate
from monitor.advise.weigh import BUSY, Candidate, LevelAdvice
from monitor.cli.declare import single
from monitor.cli.live import sentence
from monitor.cli.options import ConfigOption, JsonOption, config_path
from monitor.cli.output import console, counted, document, lines, plain_table, span, stamp
from monitor.cli.progress import run_with_bar
from monitor.cli.recorded import (
    KafkaOption,
    SinceOption,
    UntilOption,
    check_span,
    log_source,
    to_ms,
)
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.engine import Engine
from monitor.events.ahead import ReadAhead
from monitor.logs import mask_customer
from monitor.rules.levels import Sequential, Wilson
from monitor.running.heap import settle
from monitor.site import load_site
from monitor.source.base import Source

_CANDIDATES = 9
"""Thresholds shown to people; --json has all."""


def advise_rule(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Id of the rule.")],
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="F.jsonl",
            help="Recorded events instead of the configured source; repeat for several.",
        ),
    ] = None,
    kafka: KafkaOption = False,
    since: SinceOption = None,
    until: UntilOption = None,
    alerts_per_week: Annotated[
        float,
        typer.Option(
            "--alerts-per-week",
            metavar="N",
            min=0,
            help="How many you wish for, all scopes together.",
        ),
    ] = ALERTS_PER_WEEK,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a rule's history says: its volume, thresholds for so many alerts, how sure it is.

    Recorded events go through the engine twice: with the rule as it stands, its action left out,
    and with its levels at other thresholds. Without --from or --kafka the configured source is
    read, as far as it goes now. Status 1: there was nothing of the rule in it.
    """
    logs.configure(level="error")
    check_span(files, since, until)
    site = load_site(config_path(config))
    settle()
    clock = SystemClock()

    def open_source() -> Source:
        return ReadAhead(log_source(site, files, kafka=kafka, until=until), clock)

    def run(engine: Engine, source: Source) -> None:
        source.start({}, None if since is None else to_ms(since))
        run_with_bar(engine, source, "reading")

    told = advise(site, rule, open_source, run, wished=alerts_per_week)
    if as_json:
        say(json.dumps(_masked(told), ensure_ascii=False))
    else:
        _tell(told)
    raise typer.Exit(0 if told.first_ms is not None else 1)


app = single(
    "advise",
    advise_rule,
    "advise number-hangup --from 'day-*.jsonl' --alerts-per-week 3",
    "advise number-hangup --kafka --since 2026-11-01T00:00",
    "advise number-hangup --from week.jsonl --json | jq '.levels[].suggested'",
)


def _masked(told: Advice) -> dict[str, Any]:
    """Without customers' telephone numbers."""
    plain = told.to_json()
    plain["fired"]["first"] = [document(alert) for alert in told.fired.first]
    for entry, (name, _) in zip(plain["fired"]["most"], told.fired.most, strict=True):
        entry["scope"] = _shown(told, name)
    return plain


def _shown(told: Advice, name: str) -> dict[str, str]:
    values = zip(told.by, scope_of(name), strict=False)
    return {by: mask_customer(value) if by == "customer" else value for by, value in values}


# --- for people -----------------------------------------------------------------------------------


def _tell(told: Advice) -> None:
    out, now_ms = lines(), SystemClock().now_ms()
    head = f"{told.rule}: " + (
        f"{told.indicator} in {told.window} by {' × '.join(told.by)}"
        if told.indicator
        else f"by {' × '.join(told.by)}"
    )
    out.print(head, style="bold")
    if told.first_ms is not None:
        out.print(
            f"read: {stamp(told.first_ms, now_ms=now_ms)} to {stamp(told.last_ms, now_ms=now_ms)},"
            f" {counted(told.days, 'day')}, {counted(told.events, 'event')},"
            f" {counted(told.scopes, 'scope')}"
        )
    for remark in told.remarks:
        out.print(f"note: {remark}", style="yellow")
    if told.first_ms is None:
        return
    _tell_fired(told, told.fired, now_ms)
    _tell_spread(told)
    for level in told.levels:
        _tell_level(told, level)


def _tell_fired(told: Advice, fired: Fired, now_ms: int) -> None:
    out = lines()
    out.print("\nWhat would have fired", style="bold")
    levels = ", ".join(f"{n} {name}" for name, n in fired.by_level)
    text = f"{counted(fired.episodes, 'alert')}" + (f" ({levels})" if levels else "")
    text += f" on {counted(fired.scopes, 'scope')}: {_weekly(fired.a_week)}"
    if fired.lasted_ms is not None:
        text += f"; half of them over within {span(fired.lasted_ms / 1000)}"
    out.print(text)
    for alert in fired.first:
        out.print(f"  {stamp(alert.at_ms, now_ms=now_ms)} ", sentence(alert))
    if fired.episodes > len(fired.first):
        most = ", ".join(
            f"{', '.join(_shown(told, name).values()) or 'a wave'} {n}×" for name, n in fired.most
        )
        out.print(f"  most often: {most}")


def _tell_spread(told: Advice) -> None:
    if told.over_windows is None:
        return
    lines().print("\nHow the figure is spread", style="bold")
    table = plain_table("", "least", "5 %", "25 %", "half", "75 %", "95 %", "most", "")
    for column in table.columns[1:8]:
        column.justify = "right"
    what = "windows" if told.window != "now" else "moments"
    for name, spread in (("scopes", told.over_scopes), (what, told.over_windows)):
        if spread is not None:
            cells = [_figure(told, value) for value in spread.quantiles]
            table.add_row(f"{spread.count:,} {name}", *cells, _sparks(spread))
    console().print(table)


def _tell_level(told: Advice, level: LevelAdvice) -> None:
    out = lines()
    bound = "" if level.threshold is None else f" {level.key} {level.threshold}"
    out.print(f"\n{level.name}{bound}, {_evidence(level)}", style="bold")
    if level.least is not None:
        few = level.scopes_enough < level.scopes / 2
        out.print(
            f"volume: {level.least:,} below the line are needed {level.least_is};"
            f" {level.scopes_enough} of {counted(level.scopes, 'scope')} have them",
            style="yellow" if few else "",
        )
    elif level.least_is:
        out.print(f"volume: {level.least_is}")
    if level.odds:
        _tell_odds(level)
    if level.candidates:
        _tell_candidates(told, level)


def _tell_odds(level: LevelAdvice) -> None:
    rates = [found.rate for found in level.odds[0].detections]
    heads = [f"a true {rate * 100:.3g}% is seen after" for rate in rates]
    table = plain_table(
        "scopes", "an hour", f"wrong at {level.threshold}", "wrong as usual", *heads
    )
    names = ("quiet", "usual", "busy") if len(level.odds) == len(BUSY) else ("",) * len(level.odds)
    for name, each in zip(names, level.odds, strict=True):
        table.add_row(
            name,
            f"{each.per_hour:.3g}",
            f"≤ {_count(each.at_threshold)} a day",
            "beyond" if each.at_usual is None else f"≤ {_count(each.at_usual)} a day",
            *(_seen(found) for found in each.detections),
        )
    console().print(table)
    if level.false_alarms_a_week is not None:
        lines().print(
            "false alarms of all good scopes together, each at its own rate: at most"
            f" {_count(level.false_alarms_a_week)} a week"
        )
    lines().print(_formula(level), style="dim")


def _tell_candidates(told: Advice, level: LevelAdvice) -> None:
    table = plain_table(f"{level.key}", "clear", "alerts", "a week (95 %)", "scopes", "")
    for each in _around(level):
        mark = "as it is" if each.threshold == level.threshold else ""
        if each is level.suggested:
            mark = f"← suggested for {told.wished:g} a week" + (", as it is" if mark else "")
        limits = _rate(each.a_week)
        clear = "–" if each.clear is None else _bound(each.clear)
        table.add_row(
            _bound(each.threshold), clear, f"{each.alerts:,}", limits, f"{each.scopes:,}", mark
        )
    console().print(table)
    if level.suggested is None:
        lines().print(
            f"no threshold within what was seen gives {told.wished:g} a week or fewer: ask for more"
            " evidence, or judge larger scopes",
            style="yellow",
        )


def _around(level: LevelAdvice) -> list[Candidate]:
    """Some of the candidates: the present one, the suggested one, and what lies about them."""
    all_ = list(level.candidates)
    if len(all_) <= _CANDIDATES:
        return all_
    kept = {
        place
        for place, each in enumerate(all_)
        if each is level.suggested or each.threshold == level.threshold
    }
    if level.suggested is not None:
        here = all_.index(level.suggested)
        kept |= {
            place for place in (here - 2, here - 1, here + 1, here + 2) if 0 <= place < len(all_)
        }
    step = max(1, len(all_) // 4)
    for place in [0, len(all_) - 1, *range(0, len(all_), step)]:
        if len(kept) < _CANDIDATES:
            kept.add(place)
    return [all_[place] for place in sorted(kept)]


def _evidence(level: LevelAdvice) -> str:
    match level.evidence:
        case Sequential(false_alarms=days):
            return f"sequential, one false alarm per {float(days):g} scope-days"
        case Wilson(confidence=confidence, min_hits=least):
            return f"wilson {float(confidence):.4g}, at least {least} on the bad side"
    return f"raw, at least {level.evidence.min_of} below the line"


def _formula(level: LevelAdvice) -> str:
    if isinstance(level.evidence, Sequential):
        return (
            "wrong: false alarms of one scope in a day of its work, bounds that hold for every"
            f" stream of calls; seen: half of {NUMBERS:,} made-up numbers (95 % limits; nine in"
            f" ten), –: not in {DAYS_MAX} days. Formulas: docs/evidence.md"
        )
    return (
        "wrong: false alarms of one scope in a day of its work, at most (calls × the chance of one"
        " look); seen: by then half of such scopes are, or sooner (limits; nine in ten)."
        " Formulas: docs/evidence.md"
    )


def _seen(found: Detection) -> str:
    if math.isinf(found.calls.value):
        return "–"
    calls = found.calls
    most = "–" if math.isinf(found.calls_90) else f"{found.calls_90:,.0f}"
    hours = span(found.hours * 3600)
    return f"{calls.value:,.0f} calls ({calls.low:,.0f}–{calls.high:,.0f}; {most}), {hours}"


def _weekly(each: Estimate) -> str:
    return f"{_count(each.value)} a week (95 %: {_count(each.low)}–{_count(each.high)})"


def _rate(each: Estimate) -> str:
    return f"{_count(each.value)} ({_count(each.low)}–{_count(each.high)})"


def _count(value: float) -> str:
    """``0.026``, ``3.2``, ``150``: as much as such a figure is good for."""
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _figure(told: Advice, value: float) -> str:
    if told.is_share:
        return f"{value:.2%}" if abs(value) < 0.1 else f"{value:.1%}"
    return f"{value:.4g}"


def _bound(threshold: Any) -> str:
    value = float(threshold)
    return f"{value * 100:.3g}%" if threshold.is_share else f"{value:.4g}"


def _sparks(spread: Distribution) -> str:
    """The histogram in one line, from the least to the most."""
    top = max(spread.bins)
    blocks = " ▁▂▃▄▅▆▇█"
    return "".join(blocks[0 if not n else 1 + round(n / top * 7)] for n in spread.bins)
