"""Who hears of an alert: what silences it, and who was told, or why nobody was.

Owns the joining of silences and of what routing keeps with an alert; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from monitor.decisions import Alert, iso
from monitor.people.matchers import labels_of, misses
from monitor.store.handled import InboxRow
from monitor.store.silenced import Silence
from monitor.store.store import Store


class Telling(BaseModel):
    """What became of one transition of an alert on its way to people."""

    at: str = Field(description="When; of what goes without routes, the tick")
    route: str = Field(description="The route of `delivery.routing`; empty: it goes without")
    state: str = Field(description="`told`, `digest` (told with others) or `held`")
    cause: str = Field(description="Why it is held: `silenced`, `inhibited`, `flapping`, …")
    to: list[dict[str, str]] = Field(
        description="Each `receiver`, and the `state` of its delivery: `sent`, `queued`, `retry`, …"
    )


def silence_of(row: InboxRow, silences: Sequence[Silence], pack: str) -> Silence | None:
    """The silence that covers an alert the longest; the delivery side looks at the same labels."""
    labels = labels_of(row.alert, team=row.team, pack=pack)
    found = [each for each in silences if not misses(each.matchers, labels)]
    return max(found, key=lambda each: each.until_ms, default=None)


def silenced_until(row: InboxRow, silences: Sequence[Silence], pack: str) -> str | None:
    """When an alert's silence ends; None: people hear of it."""
    found = silence_of(row, silences, pack)
    return None if found is None else iso(found.until_ms)


def tellings(store: Store, episode: str, course: Sequence[Alert]) -> list[dict[str, Any]]:
    """Who was told of an episode, or why nobody was, the oldest first; see :class:`Telling`."""
    kept = store.routing.told(episode)
    sent = store.routing.receivers([*(each.notice for each in kept if each.notice),
                                    *(each.id for each in course)])  # fmt: skip
    by_route = [
        _telling(iso(each.at_ms), each.route, each.state, each.cause, sent.get(each.notice, ()))
        for each in kept
    ]
    named = {each.notice for each in kept}
    direct = [
        _telling(iso(each.at_ms), "", *_became(sent[each.id]), sent[each.id])
        for each in course
        if each.id in sent and each.id not in named
    ]
    return sorted([*by_route, *direct], key=_when)


def _became(to: Sequence[tuple[str, str]]) -> tuple[str, str]:
    quiet = all(state == "silenced" for _, state in to)
    return ("held", "silenced") if quiet else ("told", "")


def _when(telling: Mapping[str, Any]) -> str:
    return str(telling["at"])


def _telling(
    at: str, route: str, state: str, cause: str, to: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    receivers = [{"receiver": name, "state": became} for name, became in to]
    return {"at": at, "route": route, "state": state, "cause": cause, "to": receivers}
