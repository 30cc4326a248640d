"""``monitor explain``: what the hits behind an alert have in common, and their records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated

import typer

from monitor import logs
from monitor.cli.declare import single
from monitor.cli.live import sentence
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import console, counted, lines, plain_table, stamp, stamp_of
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.decisions import Alert
from monitor.errors import StoreError, UsageError
from monitor.explain.chance import NAMED_AT, Common
from monitor.explain.explain import Explanation, explain
from monitor.explain.gather import gather, replayed
from monitor.explain.parts import parts_of, rule_of, with_records
from monitor.explain.question import ask
from monitor.explain.reading import log_of
from monitor.replay import Past, past_of
from monitor.rules.model import Rule
from monitor.site import Site

_ID = re.compile(r"[0-9a-f]{4,32}")
_SHOWN_MAX = 5
_PARTS_READ = 10_000
"""Alerts of each part of a rule on rules."""
_SEEN = ("type", "customer", "agent", "number")
"""Columns of a record; what else it says comes behind."""


def explain_alert(
    alert: Annotated[
        str,
        typer.Argument(
            metavar="ALERT",
            help="Id of an alert or of its episode, or how one begins; `alerts list --json` has"
            " them.",
        ),
    ],
    config: ConfigOption = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="F.jsonl",
            help="Recorded events instead of the configured source; repeat for several. An alert"
            " that the store does not have is looked for in a replay of them.",
        ),
    ] = None,
    records: Annotated[
        int, typer.Option("--records", metavar="N", min=0, max=10_000, help="Show so many.")
    ] = 10,
    show_customers: Annotated[
        bool,
        typer.Option(
            "--show-customers",
            help="Customers whole, not masked: personal data, for those who handle complaints and"
            " audits.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """What the hits behind an alert have in common, tested against chance, and the records.

    The window of the alert is read back from the log, by the rule as it is configured now. For
    agent, customer, hour, number, number type, preheating SMS, campaign and customer tag: the value
    with the most excess among the bad records, and the chance that nothing but luck put it there
    (Fisher's exact test; Holm's correction over all values of a dimension, and one for all
    dimensions).
    """
    logs.configure(level="error")
    site = site_of(config)
    found, past = _find(site, alert, files)
    rule = rule_of(site, found)
    parts = parts_of(found, rule, _known(site, rule, files)) if rule and rule.parts else []

    def explained(each: Alert) -> Explanation:
        question = ask(site, each)
        rows = gather(site, question, log_of(site, files or ()), past)
        return explain(question, rows, records=records, whole_customers=show_customers)

    if not parts:
        told = [explained(found)]
        shown = told[0].to_json()
    else:
        told = [explained(each) for each in with_records(site, parts)]
        shown = {"alert": found.id, "rule": found.rule, "parts": [each.to_json() for each in told]}
    if as_json:
        say(json.dumps(shown, ensure_ascii=False))
    else:
        if parts:
            at = stamp(found.at_ms, now_ms=SystemClock().now_ms())
            lines().print(f"{at} ", sentence(found), " rests on:")
        for each in told:
            _tell(each)
    raise typer.Exit(0 if any(each.sides.bad.height for each in told) else 1)


app = single(
    "explain",
    explain_alert,
    "explain 3f9c2a",
    "explain 3f9c2a --records 50 --json | jq .common",
    "explain 3f9c2a --from 'day-*.jsonl'",
)


def _find(site: Site, name: str, files: list[str] | None) -> tuple[Alert, Past]:
    if not _ID.fullmatch(name):
        msg = f"'{name}' is no id of an alert: 4 to 32 of 0-9 and a-f"
        raise UsageError(msg)
    alerts, past = list[Alert](), Past()
    try:
        with store_of(site) as store:
            alerts = store.history.alerts_named(name)
            if alerts and not files:
                past = past_of(store, tick_ms=site.config.time.tick, inputs=False)
    except StoreError:
        if not files:
            raise
    if not alerts and files:
        alerts = replayed(site, log_of(site, files or ()), lambda each: _is_named(each, name))
    return _one(alerts, name, "the store" if not files else "the store or the replay"), past


def _known(site: Site, rule: Rule, files: list[str] | None) -> Callable[[str], list[Alert]]:
    """Alerts by rule, where the parts of ``rule`` are looked for: as :func:`_find` looks."""
    if files:
        parts = set(rule.parts)
        told = replayed(site, log_of(site, files or ()), lambda each: each.rule in parts)
        return lambda name: [each for each in told if each.rule == name]
    with store_of(site) as store:
        found = {name: store.history.alerts(rule=name, limit=_PARTS_READ) for name in rule.parts}
    return found.__getitem__


def _is_named(alert: Alert, name: str) -> bool:
    return alert.id.startswith(name) or alert.episode.startswith(name)


def _one(alerts: list[Alert], name: str, where: str) -> Alert:
    """The alert of that id; of an episode the one that it began with."""
    if not alerts:
        msg = f"no alert begins with {name} in {where}"
        raise UsageError(msg)
    by_id = [each for each in alerts if each.id.startswith(name)]
    if len(by_id) == 1 and len({each.episode for each in alerts} | {by_id[0].episode}) == 1:
        return by_id[0]
    if len({each.episode for each in alerts}) == 1:
        return next((each for each in alerts if each.state == "firing"), alerts[0])
    several = ", ".join(each.id[:12] for each in alerts[:_SHOWN_MAX])
    msg = f"several alerts begin with {name}: {several}{', …' * (len(alerts) > _SHOWN_MAX)}"
    raise UsageError(msg)


# --- for people -----------------------------------------------------------------------------------


def _tell(told: Explanation) -> None:
    now_ms = SystemClock().now_ms()
    out = lines()
    out.print(f"{stamp(told.alert.at_ms, now_ms=now_ms)} ", sentence(told.alert))
    bad, rest = told.sides.bad.height, told.sides.rest.height
    read = f"read back from {stamp(told.lo_ms, now_ms=now_ms)} on"
    if told.silent:
        out.print(f"{read}: {counted(bad, 'record')} of this scope before it fell silent")
        _tell_held(told, now_ms)
        _tell_records(told, now_ms)
        return
    others = f"of {bad + rest:,}" if told.sides.nested else f"against {rest:,}"
    out.print(f"{read}: {counted(bad, 'bad record')} {others}")
    _tell_held(told, now_ms)
    if not bad:
        return
    table = plain_table("", "most common", "of the bad", "of all", "times", "chance")
    if not told.sides.nested:
        table.columns[3].header = "of the others"
    for each in told.comparison.common:
        lift = f"{each.lift:.1f}" if each.base_with else "–"
        table.add_row(
            each.dimension, each.value, f"{each.share:.1%}", f"{each.base_share:.1%}", lift,
            _chance(each),
        )  # fmt: skip
    console().print(table)
    named = told.comparison.named
    if named:
        causes = ", ".join(f"{each.dimension} {each.value}" for each in named)
        out.print(f"named: {causes}", style="bold")
    else:
        out.print(
            f"nothing is named: chance does as much in more than {NAMED_AT:.0%} of such alerts"
        )
    _tell_records(told, now_ms)


def _tell_held(told: Explanation, now_ms: int) -> None:
    """Whether the log still has all of it."""
    figures, out = told.alert.figures, lines()
    if told.complete or (told.complete is None and told.sides.bad.height):
        return
    if told.complete is False:
        shown = ["?" if each is None else f"{each:g}" for each in (told.sides.hits, told.sides.of)]
        out.print(
            f"the alert saw {figures.hits:g} of {figures.of:g}, the log gives"
            f" {' of '.join(shown)} now",
            style="yellow",
        )
    if told.begins_ms is not None:
        begins = stamp(told.begins_ms, now_ms=now_ms)
        why = f"the log no longer holds all of the window: it begins at {begins}"
    else:
        why = "some of it is not in this log, or the rule or its indicator is another one now"
    out.print(f"{why}; give other files with --from, if there are any", style="yellow")


def _tell_records(told: Explanation, now_ms: int) -> None:
    if not told.records:
        return
    lines().print(f"records, newest first ({len(told.records)} of {told.sides.bad.height:,}):")
    table = plain_table("time", *_SEEN, "more", "where")
    for record in told.records:
        where = f"{record['topic']}/{record['partition']}@{record['offset']}"
        more = {
            name: value
            for name, value in record.items()
            if name not in {"time", *_SEEN, "topic", "partition", "offset"}
        }
        table.add_row(
            stamp_of(record["time"], now_ms=now_ms),
            *(str(record.get(name, "–")) for name in _SEEN),
            " ".join(f"{name}={value}" for name, value in more.items()),
            where,
        )
    console().print(table)


def _chance(common: Common) -> str:
    shown = f"{common.chance:.2g}" if common.chance >= 0.0001 else "< 0.0001"
    return f"{shown}, named" if common.named else shown
