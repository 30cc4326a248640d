"""What people do about alerts over HTTP: acknowledge, assign, silence.

Owns the routes and who may use them: a supervisor acts on alerts of its teams, an operator on those
of all. What an act is, and that it is kept, is ``monitor.people.desk``'s.
"""

from __future__ import annotations

import glob
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from monitor.decisions import iso
from monitor.people.desk import PeopleDesk, UnknownError
from monitor.people.matchers import masked
from monitor.store.handled import InboxRow
from monitor.store.silenced import Silence
from monitor.store.store import Store
from monitor.units import DurationMs
from monitor.web.access import Caller
from monitor.web.alerts_api import EpisodePath, tables_or_none
from monitor.web.application import Operator, Supervisor, Viewer, words_for
from monitor.web.office import office_of
from monitor.web.problems import ProblemError
from monitor.web.requested import Key, name_of
from monitor.web.room import room_of
from monitor.web.settings import Role

T = TypeVar("T")
Text = Annotated[str, Field(max_length=2_000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Note(_Body):
    """What is said with an acknowledgement."""

    note: Text = Field("", description="What is known, or done about it")


class Assignee(_Body):
    """Who has it from now on."""

    to: str | None = Field(max_length=200, description="Null: nobody")


class Quiet(_Body):
    """For how long nobody is told, and why."""

    ttl: DurationMs = Field(alias="for", gt=0, description="Such as 1h")
    reason: str = Field(min_length=1, max_length=2_000, description="Kept with it")


class NewSilence(Quiet):
    """Of which alerts, too."""

    matchers: dict[str, str | list[str]] = Field(
        description="Patterns by label: rule, level, team, or a dimension; `*` stands for anything"
    )


class SilenceRow(BaseModel):
    """Alerts that nobody is told of for a while."""

    id: str = Field(description="To end it by")
    matchers: dict[str, list[str]] = Field(description="Patterns by label; customers are masked")
    since: str = Field(description="When it began")
    until: str = Field(description="When it ends by itself")
    by: str = Field(description="Who said so")
    reason: str = Field(description="Why")
    ended_by: str | None = Field(description="Who ended it early")
    yours: bool = Field(description="Whether the caller may end it")


class Silences(BaseModel):
    """Silences that hold."""

    silences: list[SilenceRow] = Field(description="The oldest first")


class Done(BaseModel):
    """It is kept."""

    new: bool = Field(description="False: it had been done before, under the same key")


alerts = APIRouter(tags=["alerts"])
silences = APIRouter(tags=["silences"])


@alerts.post("/{episode}/acknowledge", summary="Say that somebody knows of it")
async def acknowledge(
    episode: EpisodePath, body: Note, caller: Supervisor, request: Request, key: Key = None
) -> Done:
    """Nobody further is told of it until it gets worse."""
    ident = name_of(caller, key)
    return await _act(
        request, caller, episode, "acknowledge",
        lambda desk, _: desk.acknowledge(episode, caller.name, body.note, ident=ident),
    )  # fmt: skip


@alerts.post("/{episode}/assign", summary="Say who has it")
async def assign(
    episode: EpisodePath, body: Assignee, caller: Supervisor, request: Request, key: Key = None
) -> Done:
    """Or that nobody has."""
    ident = name_of(caller, key)
    return await _act(
        request, caller, episode, "assign",
        lambda desk, _: desk.assign(episode, body.to, caller.name, ident=ident),
    )  # fmt: skip


@alerts.post("/{episode}/silence", summary="Tell nobody of it for a while")
async def silence_one(
    episode: EpisodePath, body: Quiet, caller: Supervisor, request: Request, key: Key = None
) -> SilenceRow:
    """Of this rule at this scope, also when it fires anew; it is decided and listed as ever."""
    ident = name_of(caller, key)
    until_ms = office_of(request).clock.now_ms() + body.ttl

    def work(desk: PeopleDesk, row: InboxRow) -> Silence:
        scope = {name: _exactly(value) for name, value in row.alert.scope}
        matchers = {"rule": _exactly(row.alert.rule), **scope}
        return desk.silence(matchers, until_ms, caller.name, body.reason, ident=ident)

    return shown(await _act_with(request, caller, episode, "silence", work), caller)


@silences.get("", summary="Silences that hold")
async def list_(caller: Viewer, request: Request) -> Silences:
    """The oldest first; customers are masked."""
    office = office_of(request)
    found = await office.ask(lambda store: PeopleDesk(store, office.clock).silences())
    return Silences(silences=[shown(each, caller) for each in found])


@silences.post("", summary="Tell nobody of some alerts for a while")
async def silence(
    body: NewSilence, caller: Operator, request: Request, key: Key = None
) -> SilenceRow:
    """Of all that match, whatever team's they are."""
    office, ident = office_of(request), name_of(caller, key)
    until_ms = office.clock.now_ms() + body.ttl
    matchers = {name: [each] if isinstance(each, str) else each for name, each in
                body.matchers.items()}  # fmt: skip
    try:
        found = await office.ask(
            lambda store: PeopleDesk(store, office.clock).silence(
                matchers, until_ms, caller.name, body.reason, ident=ident
            )
        )
    except ValueError as error:
        raise ProblemError(422, str(error)) from error
    room_of(request).hub.tell("acted", {"what": "silence"})
    return shown(found, caller)


@silences.post("/{ident}/end", summary="End a silence now")
async def end(
    ident: Annotated[
        str, Path(pattern=r"^[0-9a-f]{1,64}$", description="The silence, as in the list")
    ],
    caller: Supervisor,
    request: Request,
    key: Key = None,
) -> Done:
    """What still fires is told then. A supervisor: its own, or of its teams alone."""
    office, name = office_of(request), name_of(caller, key)

    def work(store: Store) -> bool | None:
        desk = PeopleDesk(store, office.clock)
        found = store.silenced.find(ident)
        if found is not None and not may_end(found, caller):
            return None
        return desk.end_silence(ident, caller.name, ident=name)

    try:
        new = await office.ask(work)
    except UnknownError as error:
        raise ProblemError(404, "there is no such silence") from error
    if new is None:
        raise ProblemError(403, "somebody else's silence, and not of your teams alone")
    room_of(request).hub.tell("acted", {"what": "end_silence"})
    return Done(new=new)


async def _act(
    request: Request,
    caller: Caller,
    episode: str,
    what: str,
    work: Callable[[PeopleDesk, InboxRow], bool],
) -> Done:
    return Done(new=await _act_with(request, caller, episode, what, work))


async def _act_with(
    request: Request,
    caller: Caller,
    episode: str,
    what: str,
    work: Callable[[PeopleDesk, InboxRow], T],
) -> T:
    """Do something about one alert, and tell whoever looks.

    Raises:
        ProblemError: there is no such alert, it is another team's, or what was said is wrong.
    """
    office, tables = office_of(request), tables_or_none(request)
    desk_of = PeopleDesk
    row = await office.ask(lambda store: desk_of(store, office.clock).entry(episode))
    if row is None:
        raise ProblemError(404, "there is no alert of this episode")
    team = row.team or ("" if tables is None else tables.team(row.alert.scope))
    if not caller.acts_on(team):
        raise ProblemError(403, "it is another team's alert")
    try:
        found = await office.ask(lambda store: work(desk_of(store, office.clock), row))
    except ValueError as error:
        raise ProblemError(422, str(error)) from error
    told: dict[str, Any] = {"what": what, "episode": episode, "by": caller.name}
    room_of(request).hub.tell("acted", told)
    return found


def _exactly(value: str) -> str:
    """A pattern for this value and no other."""
    pattern = glob.escape(value)
    return f"?{pattern[1:]}" if pattern.startswith("!") else pattern


def may_end(silence: Silence, caller: Caller) -> bool:
    """Whether it is the caller's own, or covers alerts of the caller's teams alone."""
    if caller.role >= Role.OPERATOR or silence.by == caller.name:
        return caller.role >= Role.SUPERVISOR
    teams = silence.matchers.get("team", ())
    return bool(teams) and all(_plain(each) and caller.acts_on(each) for each in teams)


def _plain(pattern: str) -> bool:
    return not pattern.startswith("!") and glob.escape(pattern) == pattern


def shown(found: Silence, caller: Caller) -> SilenceRow:
    """A silence as people see it; customers are masked."""
    return SilenceRow(
        id=found.id,
        matchers=masked(found.matchers),
        since=iso(found.begun_ms),
        until=iso(found.until_ms),
        by=found.by,
        reason=words_for(caller, found.reason),
        ended_by=found.ended_by,
        yours=may_end(found, caller),
    )
