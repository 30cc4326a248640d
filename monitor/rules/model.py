"""What ``rules.yaml`` may say: frozen pydantic models of rules and actions.

Owns the shapes and every check that a rule can be given on its own; ``levels`` has its thresholds.
Whether its indicator, scope and windows exist is ``monitor.rules.load``'s; what a rule does is
``monitor.rules.evaluate``'s.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from monitor.decisions import OrderAction
from monitor.rules.absence import Absent, WhileField
from monitor.rules.fields import (
    Dimensions,
    Identifier,
    Messages,
    NoData,
    Part,
    Parts,
    Status,
    Text,
    Values,
    WindowKey,
    fault,
)
from monitor.rules.levels import EvidenceRule, Level, Levels, Raw, Sequential, Wilson
from monitor.rules.relative import PeerQuantile
from monitor.rules.term import Moment, Term
from monitor.units import DurationMs, Rate, Share

__all__ = [
    "EvidenceRule",
    "Level",
    "Levels",
    "Raw",
    "Rule",
    "RulesFile",
    "Sequential",
    "Suspend",
    "Wilson",
]


class EventMatch(Part):
    """A rule on single events instead of a figure."""

    on: str
    """Type of the event that fires it."""
    until: str | None = None
    """The event that ends it."""
    where: str | None = None
    """Which of the ``on`` events count."""


class Pending(Part):
    """How long a breach must last before it fires."""

    for_ms: DurationMs = Field(default=0, alias="for")


class Recovering(Part):
    """How long, and on how much, the value must have let go before the episode ends."""

    for_ms: DurationMs = Field(default=0, alias="for")
    min_of: int = Field(default=1, ge=1)
    """And this much below the line."""


class Except(Part):
    """Scopes the rule leaves alone: all the dimensions named must match."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = ""
    """What people call it; for people alone."""
    __pydantic_extra__: dict[str, Values]

    @property
    def match(self) -> dict[str, tuple[str, ...]]:
        """Values by dimension."""
        return dict(self.__pydantic_extra__)

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.__pydantic_extra__:
            raise fault("names no dimension", 'such as number: ["+8621…"]')
        return self


class Notify(Part):
    """Who hears of it, and how often again while it lasts."""

    route: str = ""
    """A route of `delivery.routes` in the configuration."""
    repeat: DurationMs | None = None
    """Pause before the first repetition; it doubles each time, up to ``repeat_max``."""
    repeat_max: DurationMs | None = None
    """The longest pause between repetitions."""

    @model_validator(mode="after")
    def _pauses(self) -> Self:
        if self.repeat == 0:
            raise fault("repeat: 0s would repeat at every tick")
        if self.repeat_max is not None and (self.repeat is None or self.repeat_max < self.repeat):
            raise fault("repeat_max needs a repeat that is not longer")
        return self


class Probation(Part):
    """How a number proves itself after it came back."""

    calls: int = Field(ge=1)
    """So many calls prove it."""
    max_ms: DurationMs = Field(alias="max")


class Suspend(Part):
    """Take the number out of use."""

    ttl: DurationMs | None = None
    """For how long, the first time."""
    until: Literal["cleared"] | None = None
    """Instead of `ttl`: until the event comes that ends the alert."""
    backoff: Literal["none", "linear", "double"] = "none"
    """How `ttl` grows when it happens again soon."""
    ttl_max: DurationMs | None = None
    """The longest it grows to."""
    probation: Probation | None = None
    """How the number is looked at once it is back."""
    max_fraction: Share | None = None
    """Of the number's pools, for this rule alone; the pool's own holds where it is tighter."""
    min_left: int | None = Field(default=None, ge=0)
    """Likewise."""
    blame: Literal["number", "agent"] = "number"
    """``agent``: a number does not rest for an agent who is bad on others too."""

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.ttl is None) == (self.until is None):
            raise fault("a suspension has one end: ttl, or until: cleared")
        if self.max_fraction == 0:
            raise fault("0% would still let one number of the pool be suspended", "status: shadow")
        if self.ttl == 0:
            raise fault("ttl: 0s would suspend for no time")
        if self.ttl is None and (self.ttl_max is not None or self.backoff != "none"):
            raise fault("backoff and ttl_max need a ttl")
        if self.ttl is not None and self.ttl_max is not None and self.ttl_max < self.ttl:
            raise fault("ttl_max is shorter than ttl")
        return self


class Action(Part):
    """What is done about it beyond telling people."""

    suspend: Suspend
    """Take the number out of service."""


class Rule(Part):
    """One rule, as written."""

    id: Identifier
    """Its name, in every alert and command; small letters, digits and hyphens."""
    title: Text = Field(default_factory=dict)
    """What people call it, by language."""
    indicator: str | None = None
    """The figure it looks at, of `indicators.yaml`."""
    event: EventMatch | None = None
    """Instead of a figure: single events."""
    by: Dimensions
    status: Status = "active"
    """`active`; `shadow`: decides and records, sends nothing; `off`."""
    levels: Levels
    """Where it fires and where it lets go."""
    window: WindowKey | None = None
    """Over how long, one of the indicator's windows; `now` of a population."""
    windows: tuple[WindowKey, ...] = ()
    """Instead of `window`, several: the shortest with enough evidence is judged."""
    evidence: EvidenceRule | None = None
    """How sure it has to be."""
    pending: Pending = Pending()
    """A breach fires once it has lasted so long."""
    recovering: Recovering = Recovering()
    """How long the value must have let go before it is over."""
    no_data: NoData | None = None
    """Nothing below the line: `hold` waits, `resolve` ends, `alert` fires."""
    except_: tuple[Except, ...] = Field(default=(), alias="except")
    """Scopes that it leaves alone."""
    notify: Notify = Notify()
    """Who hears of it."""
    wave: Rate | None = None
    """For rules without figures of their own: more scopes than that (usually 30/10m) are one
    alert, and nothing is suspended for them."""
    message: Messages = Field(default_factory=dict)
    order: OrderAction | None = None
    """What another system is told to do with the customer when it fires."""
    action: Action | None = None
    """What is done about it."""
    jurisdiction: str = ""
    """Of a limit set by law: whose."""
    effective_from: Moment | None = None
    """In force from then on; a date is its midnight in UTC."""
    effective_to: Moment | None = None
    """In force before then, no more at it; its episodes end with reason ``rule_over``."""
    source: str = ""
    """Where the limit is written."""
    runbook: str = ""
    """What to do about it: text, or an address."""
    absent: Absent | None = None
    """What has to come, while `while` holds, at least once in `for`."""
    for_ms: DurationMs | None = Field(default=None, alias="for")
    """With absent: how long nothing may come."""
    while_: WhileField = Field(default=None, alias="while")
    all_of: Parts = None
    """Other rules of the file: it fires where all of them do."""
    any_of: Parts = None
    """Other rules of the file, by the same scope: it fires where one of them does."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = (self.indicator, self.event, self.absent, self.all_of, self.any_of)
        if sum(each is not None for each in kinds) != 1:
            raise fault(
                "a rule is on an `indicator`, an `event`, what is `absent`, or rules, one of them"
            )
        if self.absent is None and (self.for_ms is not None or self.while_ is not None):
            raise fault("`for` and `while` go with `absent` only", "pending: {for: 5m}")
        if self.event is not None:
            self._check_event(self.event)
        elif self.absent is not None:
            self._check_absent()
        elif self.parts:
            self._check_combined()
        elif (self.window is None) == (not self.windows):
            raise fault("say `window: 30m` or `windows: [30m, 4h]`, one of them")
        else:
            self._check_bounds()
        return self

    def _check_bounds(self) -> None:
        for level in dict(self.levels.items()).values():
            if level.bound is None and level.relative is None:
                raise fault("a level needs a threshold", "above, below, at_least or at_most")
            if level.relative is None:
                continue
            if not isinstance(level.evidence or self.evidence, Raw):
                raise fault(
                    "a threshold that moves goes with raw evidence",
                    "evidence: {method: raw, min_of: 50}",
                )
            if self.windows:
                raise fault("a threshold that moves is judged in one window", "window: 30m")
            peers = any(isinstance(call, PeerQuantile) for call in level.relative.calls)
            if peers and level.gap is None:
                raise fault(
                    "peer_quantile needs a gap, or a fifth of every group fires for ever",
                    "gap: 10%",
                )

    def _check_plain(self, what: str) -> None:
        """A rule without figures: no window, no evidence, one level without a threshold."""
        if self.window is not None or self.windows or self.evidence is not None:
            message = f"a rule on {what} has no window and no evidence"
            raise fault(message)
        if any(level.bound or level.relative for _, level in self.levels.items()):
            message = f"a rule on {what} has no threshold"
            raise fault(message, "write `levels: {crit: {}}`")
        if self.levels.warn is not None and self.levels.crit is not None:
            message = f"a rule on {what} has one level"
            raise fault(message)
        if self.pending.for_ms:
            message = f"a rule on {what} fires at once; leave `pending` out"
            raise fault(message)

    def _check_combined(self) -> None:
        self._check_plain("other rules")
        if len(set(self.parts)) != len(self.parts):
            raise fault("a rule stands twice")
        if self.recovering != Recovering():
            raise fault("it is over when its parts are; leave `recovering` out")

    def _check_absent(self) -> None:
        self._check_plain("absence")
        if self.recovering != Recovering():
            raise fault("what was absent has come or has not; leave `recovering` out")
        if not self.for_ms:
            raise fault("say how long nothing may come", "for: 30m")
        if self.while_ is None:
            raise fault(
                "say while what its absence matters, or it fires for ever for what is gone",
                "\"state != 'offline'\", or {on: customer.claimed, until: customer.released}",
            )
        if self.while_.max_age is not None and self.while_.max_age <= self.for_ms:
            raise fault("max_age of `while` is not longer than `for`: it would never fire")

    def _check_event(self, event: EventMatch) -> None:
        self._check_plain("an event")
        if event.until is None and self.recovering.for_ms == 0:
            raise fault(
                "an event is a moment: say what ends the alert",
                "`until: <event type>` in `event`, or `recovering: {for: 30m}`",
            )

    @model_validator(mode="after")
    def _has_a_term(self) -> Self:
        begin, end = self.effective_from, self.effective_to
        if begin is not None and end is not None and begin >= end:
            raise fault("effective_to is not after effective_from", "it would never be in force")
        if self.wave is not None and self.indicator is not None:
            raise fault("wave is for rules without figures of their own", "leave it out")
        return self

    @model_validator(mode="after")
    def _orders(self) -> Self:
        if self.order is not None and "customer" not in self.by:
            message = f"it is by {', '.join(self.by)}"
            raise fault("a rule that orders something must be by customer", message)
        return self

    @model_validator(mode="after")
    def _acts(self) -> Self:
        if self.action is None:
            return self
        if "number" not in self.by:
            raise fault("a rule that suspends must be by number", f"it is by {', '.join(self.by)}")
        if self.no_data is None:
            raise fault("a rule that acts must say no_data", "hold, resolve or alert")
        if self.levels.crit is None:
            raise fault("a rule that only warns cannot act", "name its level crit")
        until_cleared = self.action.suspend.until == "cleared"
        if until_cleared and (self.event is None or self.event.until is None):
            raise fault("until: cleared needs an event with `until`", "or give it a ttl")
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """The rules it is on, if it is on others."""
        return self.all_of or self.any_of or ()

    @property
    def shadow(self) -> bool:
        """It decides and records, and nothing is sent."""
        return self.status == "shadow"

    @property
    def term(self) -> Term:
        """From when to when it is in force."""
        return Term(self.effective_from, self.effective_to)

    @property
    def window_keys(self) -> tuple[str, ...]:
        """The windows judged, as written; empty for a rule on an event."""
        return self.windows or (() if self.window is None else (self.window,))


class RulesFile(Part):
    """A whole ``rules.yaml``."""

    version: Literal[1]
    """Of the file's form: 1."""
    rules: tuple[Rule, ...]
    """Each on one figure, event, absence, or on other rules."""
