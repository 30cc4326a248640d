"""``monitor shadow``: what rules in shadow would have done, next to what happened after."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from monitor.cli.declare import duration, single, some_duration
from monitor.cli.live import sentence
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import console, counted, document, lines, plain_table, stamp
from monitor.cli.stream import say
from monitor.clock import SystemClock
from monitor.errors import UsageError
from monitor.shadow.report import Case, Follow, ShadowReport, report
from monitor.units import format_duration, rough_duration

_TELLS = {
    "suspended": "taken out of service by others",
    "flagged": "flagged by a carrier",
    "complained": "a rule on complaints fired",
    "alerted": "another rule fired",
}
_CASES = 10


def shadow(
    rule: Annotated[
        str | None,
        typer.Argument(metavar="[RULE]", help="Id of one rule; without, all that are in shadow."),
    ] = None,
    since: Annotated[
        int,
        typer.Option(
            "--since", metavar="DURATION", parser=some_duration, help="How far back, such as 7d."
        ),
    ] = "7d",  # type: ignore[assignment]  # parsed as if it were given
    after: Annotated[
        int,
        typer.Option(
            "--after",
            metavar="DURATION",
            parser=duration,
            help="How long after an alert is looked at what happened.",
        ),
    ] = "24h",  # type: ignore[assignment]  # likewise
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What rules in shadow would have done, next to what happened after.

    From the store: what they recorded, and what was decided for real about the same number, or
    scope. Flags of carriers and complaints are known as far as some rule looks at them.
    """
    site = site_of(config)
    if rule is not None and all(each.id != rule for each in site.rules):
        msg = f"no rule '{rule}'; in shadow are: {_names(site.rules)}"
        raise UsageError(msg)
    now_ms = SystemClock().now_ms()
    with store_of(site) as store:
        found = report(
            store.history, site.rules, site.indicators,
            since_ms=now_ms - since, until_ms=now_ms, only=rule, after_ms=after,
        )  # fmt: skip
    if as_json:
        for each in found:
            say(json.dumps(_masked(each), ensure_ascii=False))
        return
    if not found:
        say("no rule is in shadow: `status: shadow` in a rule makes it decide and send nothing")
    for each in found:
        _tell(each, now_ms, whole=rule is not None)


app = single("shadow", shadow, "shadow", "shadow quick-hangup --since 14d", "shadow --json | jq .")


def _names(rules: Any) -> str:
    return ", ".join(each.id for each in rules if each.shadow) or "none"


def _masked(told: ShadowReport) -> dict[str, Any]:
    plain = told.to_json()
    for entry, case in zip(plain["cases"], told.cases, strict=True):
        entry["scope"] = document(case.alert)["scope"]
    return plain


def _tell(told: ShadowReport, now_ms: int, *, whole: bool) -> None:
    out = lines()
    status = "" if told.status == "shadow" else f" (now {told.status})"
    out.print(f"{told.rule}{status}, since {stamp(told.since_ms, now_ms=now_ms)}", style="bold")
    if not told.episodes:
        out.print("  nothing: it would have told nobody of anything")
    else:
        rate, low, high = told.a_week
        levels = ", ".join(f"{n} {name}" for name, n in told.by_level.items())
        out.print(
            f"  {counted(told.episodes, 'alert')} ({levels}) on {counted(told.scopes, 'scope')}:"
            f" {rate:.3g} a week (95 %: {low:.2g}–{high:.2g});"
            f" {counted(told.suspensions, 'suspension')}"
        )
        _tell_after(told)
    for what, n in told.missed.items():
        out.print(f"  missed: {counted(n, 'number')} {_TELLS[what]}, with no alert before")
    if told.cut:
        out.print("  there is more than is read: these are the newest", style="yellow")
    if whole and told.cases:
        _tell_cases(told, now_ms)


def _tell_after(told: ShadowReport) -> None:
    within = format_duration(told.after_ms)
    for what, n in told.followed.items():
        lines().print(f"  {n} of {told.episodes} {_TELLS[what]} within {within}")
    rest = f"  nothing happened after {told.nothing} of {told.episodes}"
    lines().print(rest + (f"; {told.open} are too young to say" if told.open else ""))


def _tell_cases(told: ShadowReport, now_ms: int) -> None:
    table = plain_table("at", "alert", "would suspend", "what happened after")
    for case in told.cases[:_CASES]:
        table.add_row(
            stamp(case.alert.at_ms, now_ms=now_ms),
            sentence(case.alert),
            "yes" if case.suspends else "–",
            _after(case),
        )
    console().print(table)


def _after(case: Case) -> str:
    if case.follows:
        return ", ".join(map(_follow, case.follows))
    return "too young to say" if case.open else "nothing"


def _follow(follow: Follow) -> str:
    by = f" ({follow.rule})" if follow.rule else ""
    return f"{follow.what} {rough_duration(follow.after_ms)} later{by}"
