"""What ``indicators.yaml`` may say: frozen pydantic models of indicators and measures.

Owns the shapes and every check that an indicator can be given on its own. Event types, fields and
``where`` are checked against the catalogue by ``monitor.indicators.check``; how a figure is
computed is ``monitor.indicators.formula``'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)

from monitor.indicators.funnel_model import FunnelParts
from monitor.indicators.now_model import NOW, NowParts
from monitor.indicators.parts import Dimensions, Local, Part, Selection, Types, fault, some
from monitor.units import DurationMs, Threshold, parse_duration

Verb = Literal["count", "sum", "mean", "min", "max", "distinct", "seconds_in"]
VERBS: tuple[Verb, ...] = get_args(Verb)
Figure = Literal["ratio", "mean", "count"]
"""How hits and of make a value."""
Kind = Literal["ratio", "mean", "count", "population", "response", "funnel"]
Class = Literal["leading", "efficiency", "result"]
Area = Literal["compliance", "efficiency", "conversion", "experience"]
Period = Literal["day", "week", "month"]
Language = Literal["en", "zh"]

MAX_AGE_MS = 43_200_000
"""12 h: how long a state lasts when nothing more is heard."""

INDICATORS_MAX = 200
"""In one file."""
DAYS_MAX = 400
"""A year and its margin: each day is a table by key."""
PLUS = " + "
"""Between the fields that a measure adds up."""

_LATER_KINDS = ("absence", "frequency", "baseline", "peer")
_PARTS: dict[str, tuple[str, ...]] = {
    "ratio": ("hits", "of"),
    "mean": ("value",),
    "count": ("value",),
    "population": ("entity", "from", "max_age"),
    "response": ("from", "to", "per", "max_age"),
    "funnel": ("entity", "within", "steps"),
}
_MORE: dict[str, tuple[str, ...]] = {
    "population": ("until", "among", "share", "state", "unchanged_for"),
    "response": ("hours", "open_after", "within"),
}
"""Parts that a kind may have."""
_EVERY_PART = tuple(
    dict.fromkeys(name for parts in (_PARTS, _MORE) for some in parts.values() for name in some)
)
_VERBS_OF: dict[str, tuple[Verb, ...]] = {
    "ratio": ("count", "sum", "distinct", "seconds_in"),
    "mean": ("mean", "min", "max"),
    "count": ("count", "sum", "distinct", "seconds_in"),
}


def _known_kind(value: Any) -> Any:
    if value in _LATER_KINDS:
        message = f"indicators of kind {value} are not supported yet"
        raise fault(message, "a kind is ratio, mean, count, population, response or funnel")
    return value


def _kind_of_window(value: Any) -> str:
    """Which of the ways it is written in, so that only that one's faults are told."""
    if isinstance(value, Part):
        return type(value).__name__.lower()
    if isinstance(value, dict):
        return next((name for name in ("days", "anchored") if name in value), "calendar")
    return "now" if value == NOW else "sliding"


def _duration_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise fault("not a window", "write a duration such as 30m, or {calendar: day, tz: …}")
    try:
        length = parse_duration(value)
    except ValueError as error:
        raise fault(str(error), "write a whole number and a unit: 5m, 30m, 24h, 7d") from error
    if length == 0:
        raise fault("a window of no length", "write a duration such as 30m")
    return value


def _text(value: Any) -> Any:
    return {"en": value} if isinstance(value, str) else value


def _added(value: str) -> str:
    return PLUS.join(part.strip() for part in value.split("+"))


Added = Annotated[str, AfterValidator(_added)]
ID_MAX = 63
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Measure(Part):
    """One figure over events: exactly one verb, and the events it looks at."""

    count: Types | None = None
    """Events of these types."""
    sum: Added | None = None
    """A numeric field, summed; or several that are added up: `talk_s + hold_s`."""
    mean: Added | None = None
    """A numeric field, or several added up, averaged over the events that have any of them."""
    min: str | None = None
    """The smallest value of a numeric field."""
    max: str | None = None
    """The largest value of a numeric field."""
    distinct: str | None = None
    """How many different values a field has."""
    seconds_in: str | None = None
    """Seconds spent in the states that pass `where`, told by events of this type."""
    on: Types | None = None
    """Event type, or several as a list; with count and seconds_in it stands beside the verb."""
    where: str | None = None
    """Condition on the event's fields."""
    all: Annotated[tuple[Selection, ...], some(10)] | None = None
    """With distinct: only values seen in every one of these."""
    max_age: DurationMs = MAX_AGE_MS
    """With seconds_in: how long a state lasts when nothing more is heard."""

    @property
    def verb(self) -> Verb:
        """What is done with the events."""
        return next(self._verbs())

    @property
    def field(self) -> str | None:
        """The field that is summed, averaged, compared or counted."""
        if self.verb in {"count", "seconds_in"}:
            return None
        found: str = getattr(self, self.verb)
        return found

    @property
    def added(self) -> tuple[str, ...]:
        """The fields that are added up in each event; one, where nothing is added to it."""
        return () if self.field is None else tuple(self.field.split(PLUS))

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The events it looks at; several only for an intersection."""
        if self.all is not None:
            return self.all
        types = self.count or self.on or (self.seconds_in or "",)
        return (Selection.model_construct(on=types, where=self.where),)

    @property
    def loc_of_types(self) -> str:
        """The key under which the types stand."""
        return self.verb if self.verb in {"count", "seconds_in"} else "on"

    def _verbs(self) -> Iterator[Verb]:
        return (verb for verb in VERBS if getattr(self, verb) is not None)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        verbs = list(self._verbs())
        if len(verbs) != 1:
            found = f"found {' and '.join(verbs)}" if verbs else "found none"
            message = f"a measure has exactly one verb, {found}"
            raise fault(message, f"one of {', '.join(VERBS)}")
        verb = verbs[0]
        if self.all is not None:
            if verb != "distinct":
                raise fault("`all` goes with distinct only")
            if self.on is not None or self.where is not None:
                raise fault("`all` takes the place of `on` and `where`", "move them into `all`")
        elif verb in {"count", "seconds_in"}:
            if self.on is not None:
                message = f"the event type is the value of {verb}, it has no `on`"
                raise fault(message, f"{verb}: {self.on[0]}")
        elif self.on is None:
            message = f"{verb} needs `on`"
            raise fault(message, "on: call.ended")
        if verb != "seconds_in" and "max_age" in self.model_fields_set:
            raise fault("`max_age` goes with seconds_in only")
        if self.max_age == 0:
            raise fault("max_age is longer than nothing")
        return self


class Calendar(Local):
    """A local day, ISO week or month."""

    calendar: Period
    """Which: weeks begin on Monday."""


class Days(Local):
    """Today and whole local days before it."""

    days: int = Field(ge=1, le=DAYS_MAX)
    """How many, today among them."""


SlidingText = Annotated[
    str,
    AfterValidator(_duration_text),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h|d)$",
            "description": "A sliding window, such as 30m, 24h, 7d",
        }
    ),
]


class Anchored(Part):
    """From the first event of a key on, for so long; then from the next one."""

    anchored: SlidingText
    """How long, such as 1h."""


Window = Annotated[
    Annotated[SlidingText, Tag("sliding")]
    | Annotated[Literal["now"], Tag("now")]
    | Annotated[Calendar, Tag("calendar")]
    | Annotated[Days, Tag("days")]
    | Annotated[Anchored, Tag("anchored")],
    Discriminator(_kind_of_window),
]


def window_key(window: str | Calendar | Days | Anchored) -> str:
    """The name of a window in rules, decisions and metrics.

    ``30m``, ``day@Asia/Shanghai``, ``30d@Asia/Shanghai``, ``1h@first``.
    """
    match window:
        case str():
            return window
        case Anchored():
            return f"{window.anchored}@first"
        case Days():
            return f"{window.days}d@{window.tz}"
        case Calendar():
            return f"{window.calendar}@{window.tz}"


class Indicator(NowParts, FunnelParts):
    """A named figure over windows, by scope."""

    id: Identifier
    """Its name, by which rules look at it."""
    title: Annotated[dict[Language, str], BeforeValidator(_text)] = Field(default={})
    """What people call it: text, or one text a language."""
    description: Annotated[dict[Language, str], BeforeValidator(_text)] = Field(default={})
    """What it means: text, or one text a language."""
    class_: Class | None = Field(default=None, alias="class")
    """A row of dashboards: what leads, what it costs, what comes of it."""
    area: Area | None = None
    """Which of the four sides of the business it shows; boards group by it."""
    kind: Annotated[Kind, BeforeValidator(_known_kind)]
    """How its figure is made."""
    hits: Measure | None = None
    """Of a ratio: what is above the line."""
    of: Measure | None = None
    """Of a ratio: what is below the line."""
    value: Measure | None = None
    """Of a mean or a count: the figure itself."""
    by: Annotated[tuple[Dimensions, ...], some(20)]
    """Scopes: dimensions, or pairs of them as lists."""
    windows: Annotated[tuple[Window, ...], some(10)] = ()
    """Of all kinds but a population, which is as of now."""
    better: Literal["lower", "higher"] = "lower"
    """Which way is good."""
    target: Threshold | None = None
    """What the best teams hold."""
    exact: bool = False
    """For limits: rows leave the window at their own tick, not pane by pane."""
    pane: DurationMs | None = None
    """The grain at which rows leave sliding windows; by default a sixtieth of the window."""

    @property
    def measures(self) -> dict[str, Measure]:
        """The measures, by the key they stand under."""
        found = {name: getattr(self, name) for name in ("hits", "of", "value")}
        return {name: measure for name, measure in found.items() if measure is not None}

    @property
    def figure(self) -> Figure:
        """What the figure is: a share, a mean or a plain number."""
        if self.kind == "funnel":
            return "ratio"
        if self.kind == "response":
            return "mean" if self.within is None else "ratio"
        if self.kind != "population":
            return self.kind
        return "count" if self.share is None and self.unchanged_for is None else "ratio"

    @property
    def window_keys(self) -> tuple[str, ...]:
        """The names of the windows, as written."""
        if self.kind == "population":
            return (NOW,)
        return tuple(window_key(window) for window in self.windows)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._check_parts()
        for name, measure in self.measures.items():
            allowed = _VERBS_OF[self.kind]
            if measure.verb not in allowed:
                message = f"`{name}` of a {self.kind} cannot be {measure.verb}"
                raise fault(message, f"it is one of {', '.join(allowed)}")
        self._check_windows()
        if self.kind == "population":
            self.check_population()
        if self.kind == "response":
            self.check_response()
        if self.kind == "funnel":
            if self.target is not None:
                raise fault("a funnel has no target of its own", "write it in a step")
            if self.within == 0:
                raise fault("within is longer than nothing")
        return self

    def _check_parts(self) -> None:
        parts, more = _PARTS[self.kind], _MORE.get(self.kind, ())
        known = f"it has {', '.join(parts + more)}"
        if not more:
            known = " and ".join(known.rsplit(", ", 1))
        for name in _EVERY_PART:
            given = getattr(self, "from_" if name == "from" else name) is not None
            if given and name not in parts + more:
                message = f"a {self.kind} has no `{name}`"
                raise fault(message, known)
            if not given and name in parts:
                message = f"a {self.kind} needs `{name}`"
                raise fault(message, known)

    def _check_windows(self) -> None:
        if self.kind == "population":
            if self.windows not in {(), (NOW,)}:
                raise fault("a population is as of now", "leave `windows` out")
            if self.exact or self.pane is not None:
                raise fault("a population has no `exact` and no `pane`", "it is as of now")
            return
        if not self.windows:
            message = f"a {self.kind} needs `windows`"
            raise fault(message, "windows: [30m, 24h]")
        if NOW in self.windows:
            message = f"a {self.kind} is over a window, not as of now"
            raise fault(message, "write a duration such as 30m")
        if self.exact and self.pane is not None:
            raise fault("`exact` has no `pane`", "leave one of them out")


class IndicatorFile(Part):
    """The whole of ``indicators.yaml``."""

    version: Literal[1]
    """Of the file's form: 1."""
    indicators: Annotated[tuple[Indicator, ...], some(INDICATORS_MAX)]
    """Named figures."""
