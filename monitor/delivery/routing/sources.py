"""What fires and makes other alerts needless.

Owns the look-up by the labels that both must have alike. It follows from the episodes that fire, so
it is stored nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from monitor.delivery.routing.settings import Inhibition
from monitor.people.matchers import misses

_Place = tuple[int, tuple[str, ...], bool]
"""Which inhibition, the values to be equal, and whether sources there are targets too."""


class Sources:
    """Episodes that are a source of some inhibition."""

    def __init__(
        self,
        inhibitions: Sequence[Inhibition],
        firing: Iterable[tuple[str, Mapping[str, str]]] = (),
    ) -> None:
        """``firing``: episodes and their labels."""
        self._inhibitions = tuple(inhibitions)
        self._at: dict[_Place, set[str]] = {}
        self._of: dict[str, set[_Place]] = {}
        for episode, labels in firing:
            self.follow(episode, labels, firing=True)

    def follow(self, episode: str, labels: Mapping[str, str], *, firing: bool) -> bool:
        """An episode goes on, or is over; whether something may be told again now."""
        places = self._places(labels) if firing else set()
        before = self._of.pop(episode, set())
        for place in before - places:
            self._at[place].discard(episode)
            if not self._at[place]:
                del self._at[place]
        for place in places:
            self._at.setdefault(place, set()).add(episode)
        if places:
            self._of[episode] = places
        return bool(before - places)

    def mute(self, episode: str, labels: Mapping[str, str]) -> bool:
        """Whether another episode makes this one needless.

        As with Alertmanager, of two that are both source and target neither mutes the other.
        """
        for index, inhibition in enumerate(self._inhibitions):
            values = _values(inhibition, labels)
            if values is None or misses(inhibition.target, labels):
                continue
            for both in (False, True) if misses(inhibition.source, labels) else (False,):
                sources = self._at.get((index, values, both), ())
                if len(sources) > (episode in sources):
                    return True
        return False

    def _places(self, labels: Mapping[str, str]) -> set[_Place]:
        return {
            (index, values, not misses(each.target, labels))
            for index, each in enumerate(self._inhibitions)
            if not misses(each.source, labels) and (values := _values(each, labels)) is not None
        }


def _values(inhibition: Inhibition, labels: Mapping[str, str]) -> tuple[str, ...] | None:
    values = tuple(labels.get(name, "") for name in inhibition.equal)
    return None if "" in values else values
