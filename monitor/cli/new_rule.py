"""What ``monitor new`` asks of a rule, and what it takes where nobody answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from pydantic_core import PydanticCustomError

from monitor.cli.new_options import Answers, Asker
from monitor.errors import UsageError
from monitor.events.catalogue import EVENT_TYPES
from monitor.indicators.formula import is_countable
from monitor.indicators.model import Indicator
from monitor.scaffold.entries import NewRule
from monitor.units import Threshold


def asked_rule(
    title: str, indicators: Sequence[Indicator], asker: Asker, given: Answers, *, route: str
) -> NewRule:
    """A rule on an event or on one of ``indicators``; ``route``: who hears, if nobody says.

    Raises:
        UsageError: an answer is none, or there has to be one and nothing may be asked.
    """
    if given.on_event:
        made = _on_event(title, asker, given)
    else:
        made = _on_figure(title, _figure(indicators, asker, given.indicator), asker, given)
    route = asker.ask(given.route, "Who hears of it (a route)", route, "--route")
    suspend = given.suspend or ""
    if "number" in made.by and given.suspend is None:
        suspend = asker.ask(None, "Suspend the number for (empty: not at all)", "", "--suspend")
    return replace(made, route=route, suspend=suspend)


def event_type(event: str) -> str:
    """``event``, where there is such a type.

    Raises:
        UsageError: there is none.
    """
    if event not in EVENT_TYPES:
        msg = f"no event type '{event}'; docs/events.md has all: {', '.join(sorted(EVENT_TYPES))}"
        raise UsageError(msg)
    return event


def _on_event(title: str, asker: Asker, given: Answers) -> NewRule:
    event = event_type(given.on_event or "")
    until = asker.ask(given.until, "Ends with (a type, empty: after an hour)", "", "--until")
    by = asker.ask(given.by, "By", "number", "--by")
    return NewRule(title, "", event, until and event_type(until), by, "", "", True, "", "", "", "")


def _on_figure(title: str, figure: Indicator, asker: Asker, given: Answers) -> NewRule:
    scopes = [", ".join(by) if len(by) == 1 else f"[{', '.join(by)}]" for by in figure.by]
    by = asker.ask(given.by, f"By ({', '.join(scopes)})", scopes[0], "--by")
    above = given.above if given.above is not None else figure.better == "lower"
    unit = "such as 30%" if figure.figure == "ratio" else "such as 4.2"
    default = str(figure.target) if figure.target is not None else None
    default = default or ("30%" if figure.figure == "ratio" else None)
    side = "above" if above else "below"
    threshold = asker.ask(given.threshold, f"Fires {side} ({unit})", default, "--threshold")
    easier = _easier(threshold, above=above)
    clear = asker.ask(given.clear, "Lets go at", easier, "--clear")
    window = given.window or figure.window_keys[0]
    if given.window is None and len(figure.window_keys) > 1:
        window = asker.ask(None, f"Window ({', '.join(figure.window_keys)})", window, "--window")
    return NewRule(
        title, figure.id, "", "", by, threshold, clear, above, window,
        _evidence(figure, asker, given), "", "",
    )  # fmt: skip


def _easier(threshold: str, *, above: bool) -> str:
    """Where it lets go, if nobody says: a sixth on the good side, or it would flap."""
    try:
        bound = Threshold.parse(threshold if threshold.endswith("%") else float(threshold))
    except (ValueError, PydanticCustomError):
        return ""  # it moves, or is none; loading tells
    share = bound.is_share and bound < 1
    made = bound * Fraction(5, 6) if above else bound * Fraction(6, 5)
    if share and not above:
        made = min(made, (1 + bound) / 2)
    shown = Fraction(f"{float(made):.2g}")
    return str(Threshold(shown, is_share=bound.is_share))


def _evidence(figure: Indicator, asker: Asker, given: Answers) -> str:
    if given.min_of is None and is_countable(figure):
        return "{method: sequential, false_alarms: 1 per 30 scope-days}"
    if figure.figure == "count":
        return "{method: raw}"
    shown = None if given.min_of is None else str(given.min_of)
    return (
        f"{{method: raw, min_of: {asker.ask(shown, 'At least below the line', '50', '--min-of')}}}"
    )


def _figure(indicators: Sequence[Indicator], asker: Asker, given: str | None) -> Indicator:
    known = [each.id for each in indicators]
    if not known:
        raise UsageError("the pack has no indicator yet: monitor new indicator PACK ID")
    wanted = asker.ask(given, f"Indicator ({', '.join(known)})", known[-1], "--indicator")
    found = next((each for each in indicators if each.id == wanted), None)
    if found is None:
        msg = f"the pack has no indicator '{wanted}'; it has: {', '.join(known)}"
        raise UsageError(msg)
    return found
