"""What routing remembers: groups and who is in them, what comes and goes, what people were sent.

Owns the shapes and their stored form: a row of the store each, so that a change writes what it
changed. They are made of texts, numbers, lists and mappings alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import msgspec

from monitor.decisions import Level, NoticeWhy

PENDING_MAX: Final = 100
"""Transitions of one episode that wait to be told."""
SHOWN_MAX: Final = 20
"""Alerts that a message shows in full; the others it counts."""
PAGES_MAX: Final = 1_000
"""Pages of whole pools that are remembered, the newest; older ones stand for nothing any more."""

Kind = Literal["group", "member", "flap", "budget", "page"]
Key = tuple[Kind, str]
Cause = Literal[
    "silenced",
    "inhibited",
    "flapping",
    "out_of_hours",
    "acknowledged",
    "over_before_told",
    "unchanged",
    "moved",
    "ends_not_told",
    "nobody",
]
"""Why nobody was told of a transition."""


@dataclass(slots=True)
class Member:
    """An episode in a group."""

    group: str
    episode: str
    labels: dict[str, str]
    level: Level
    firing: bool
    alert: str
    """The latest transition."""
    at_ms: int
    """Its tick."""
    key: str
    """Rule and scope: what comes and goes is told by it, and its deliveries stay in order."""
    pending: list[str] = field(default_factory=list)
    """Transitions of which nothing is settled."""
    told: str = ""
    """The level at which people were told of it last; empty: they were not."""
    told_ms: int = 0
    """When they were first told of this level."""
    step: int = 0
    """Steps of escalation that have been taken."""
    heard: list[list[str]] = field(default_factory=list)
    """Who was told: the person, or none, and the receivers."""
    held: Cause | Literal[""] = ""
    """Why people are not told just now."""
    moved: bool = False
    """It is on other routes now: people here hear no more of it than its end."""
    again: bool = False
    """The rule asks for people to be told again."""
    once: bool = False
    """It is a refusal: told, and told on while nobody acknowledges, but never to be over."""
    behind: str = ""
    """Of a refusal, the episode with which it is over, and acknowledged; empty: with none."""
    taken_ms: int = 0
    """Of a refusal, when it came: who acknowledged its alert before knew nothing of it."""

    def back(self) -> None:
        """It is on this route, after others it may have been on meanwhile: then it is news here."""
        if self.moved:
            self.moved, self.told, self.step = False, "", 0


@dataclass(slots=True)
class Group:
    """Alerts that are told together."""

    name: str
    route: str
    of_rule: str
    """The route that its rules name."""
    alone: bool
    """Of one episode."""
    number: int
    """Of two that are due at one time the lower one comes first."""
    begun_ms: int
    """Wall time: one of the same name may come after it, with messages of its own."""
    due_ms: int | None = None
    """When to look at it next; None: when something happens."""
    told_ms: int | None = None
    """When people were last told of news."""
    repeat_ms: int | None = None
    repeats: int = 0
    sent: int = 0
    """Messages, ever."""
    members: dict[str, Member] = field(default_factory=dict)
    """By episode."""


@dataclass(slots=True)
class Flap:
    """What of one rule and scope has come and gone lately."""

    begins: list[int] = field(default_factory=list)
    """Ticks at which episodes began."""
    held: bool = False
    calm_ms: int = 0
    """Held till then, unless it goes on."""
    told: list[str] = field(default_factory=list)
    """Routes that were told that it flaps."""
    crit: list[str] = field(default_factory=list)
    """Those that were told so when it was critical."""


@dataclass(slots=True)
class Page:
    """The one refusal that stands for alerts of a whole pool."""

    at_ms: int
    """Wall time at which it came."""
    receivers: list[str] = field(default_factory=list)
    """Whom it goes to; the others are told of the alerts."""


@dataclass(slots=True)
class Waiting:
    """What a person will be told of in one."""

    due_ms: int
    level: Level
    receivers: list[str]
    counts: dict[str, int] = field(default_factory=dict)
    """By what, rule and level, with blanks between."""
    from_ms: int = 2**62
    to_ms: int = 0
    shown: list[str] = field(default_factory=list)
    """The newest alerts."""


@dataclass(slots=True)
class Budget:
    """What one person was sent lately."""

    sent: list[int] = field(default_factory=list)
    """When."""
    urgent: list[int] = field(default_factory=list)
    """When those that went beyond the rate."""
    digests: int = 0
    waiting: Waiting | None = None


class Message(NamedTuple):
    """One message to one person, or to receivers that are nobody's."""

    id: str
    """Of the notice; the alert's own where it says that alone."""
    why: NoticeWhy
    route: str
    person: str
    receivers: tuple[str, ...]
    language: str
    level: Level
    counts: Mapping[str, int]
    from_ms: int
    to_ms: int
    shown: tuple[str, ...]
    """Alerts and refusals, the newest last."""
    plain: bool
    """It is one alert or refusal, told for the first time."""
    key: str
    """Messages of one key reach a receiver in order."""

    @classmethod
    def plainly(cls, member: Member, route: str, receivers: tuple[str, ...]) -> Message:
        """The latest of an episode as it is, to receivers that are nobody's."""
        return cls(
            id=member.alert,
            why="alerts",
            route=route,
            person="",
            receivers=receivers,
            language="",
            level=member.level,
            counts={},
            from_ms=member.at_ms,
            to_ms=member.at_ms,
            shown=(member.alert,),
            plain=True,
            key=member.key,
        )


class Telling(NamedTuple):
    """What became of one transition on one route."""

    alert: str
    route: str
    episode: str
    state: Literal["told", "held", "digest"]
    cause: str
    notice: str


@dataclass(slots=True)
class Effects:
    """What a step led to; kept in one transaction, or not at all."""

    messages: list[Message] = field(default_factory=list)
    tellings: dict[tuple[str, str], Telling] = field(default_factory=dict)
    changed: dict[Key, str] = field(default_factory=dict)
    gone: set[Key] = field(default_factory=set)


class State:
    """All of it, and what of it has changed since it was stored."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.of_episode: dict[str, set[str]] = {}
        """Names of groups by episode."""
        self.flaps: dict[str, Flap] = {}
        self.budgets: dict[str, Budget] = {}
        self.pages: dict[str, Page] = {}
        """By the page's id, the oldest first."""
        self.beside: dict[str, set[tuple[str, str]]] = {}
        """By episode, groups and refusals that are over with it."""
        self._last_number = 0
        self._touched: set[Key] = set()

    @classmethod
    def loaded(cls, rows: Iterable[tuple[str, str, str]]) -> State:
        """From rows of kind, name and body."""
        state = cls()
        members: list[Member] = []
        for kind, name, body in rows:
            match kind:
                case "group":
                    state.groups[name] = _GROUP.decode(body)
                case "member":
                    members.append(_MEMBER.decode(body))
                case "flap":
                    state.flaps[name] = _FLAP.decode(body)
                case "budget":
                    state.budgets[name] = _BUDGET.decode(body)
                case "page":
                    state.pages[name] = _PAGE.decode(body)
        in_order = sorted(state.groups.items(), key=lambda each: each[1].number)
        state.groups = dict(in_order)
        state._last_number = in_order[-1][1].number if in_order else 0
        state.pages = dict(sorted(state.pages.items(), key=lambda each: each[1].at_ms))
        for member in members:
            group = state.groups.get(member.group)
            if group is not None:
                state._note(group, member)
        return state

    def note_page(self, name: str, page: Page) -> None:
        """A refusal stands for alerts from now on."""
        self.pages[name] = page
        self.touch("page", name)
        while len(self.pages) > PAGES_MAX:
            oldest = next(iter(self.pages))
            del self.pages[oldest]
            self.touch("page", oldest)

    def not_paged(self, receivers: Sequence[str], members: Sequence[Member]) -> tuple[str, ...]:
        """Those that are not sent a page that stands for each of these; all, where one has none."""
        names = [member.labels.get("inhibited_by", "") for member in members]
        pages = [set(self.pages[name].receivers) if name in self.pages else set() for name in names]
        paged = set[str].intersection(*pages) if pages else set[str]()
        return tuple(name for name in receivers if name not in paged)

    def next_number(self) -> int:
        """For a new group: it comes after those there are."""
        self._last_number += 1
        return self._last_number

    def touch(self, kind: Kind, name: str) -> None:
        """It has changed, or is gone."""
        self._touched.add((kind, name))

    def touch_member(self, member: Member) -> None:
        """Likewise, of a member."""
        self._touched.add(("member", _name(member)))

    def add(self, group: Group, member: Member) -> None:
        """Somebody is in a group."""
        self._note(group, member)
        self.touch_member(member)

    def _note(self, group: Group, member: Member) -> None:
        group.members[member.episode] = member
        self.of_episode.setdefault(member.episode, set()).add(group.name)
        if member.behind:
            self.beside.setdefault(member.behind, set()).add((group.name, member.episode))

    def drop(self, group: Group, member: Member) -> None:
        """Nobody need remember an episode any more."""
        group.members.pop(member.episode, None)
        names = self.of_episode.get(member.episode, set())
        names.discard(group.name)
        if not names:
            self.of_episode.pop(member.episode, None)
        refused = self.beside.get(member.behind, set())
        refused.discard((group.name, member.episode))
        if not refused:
            self.beside.pop(member.behind, None)
        self.touch_member(member)

    def drain(self, effects: Effects) -> None:
        """Put what has changed into ``effects``."""
        for kind, name in self._touched:
            body = self._body(kind, name)
            if body is None:
                effects.gone.add((kind, name))
            else:
                effects.changed[kind, name] = body
        self._touched.clear()

    def _body(self, kind: Kind, name: str) -> str | None:
        found: object | None
        match kind:
            case "group":
                group = self.groups.get(name)
                if group is None:
                    return None
                fields = {f: getattr(group, f) for f in Group.__slots__ if f != "members"}
                return msgspec.json.encode(fields).decode()
            case "member":
                of, _, episode = name.partition("/")
                within = self.groups.get(of)
                found = None if within is None else within.members.get(episode)
            case "flap":
                found = self.flaps.get(name)
            case "budget":
                found = self.budgets.get(name)
            case "page":
                found = self.pages.get(name)
        return None if found is None else msgspec.json.encode(found).decode()


def _name(member: Member) -> str:
    return f"{member.group}/{member.episode}"


_GROUP = msgspec.json.Decoder(Group)
_MEMBER = msgspec.json.Decoder(Member)
_FLAP = msgspec.json.Decoder(Flap)
_PAGE = msgspec.json.Decoder(Page)
_BUDGET = msgspec.json.Decoder(Budget)
