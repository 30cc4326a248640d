"""Calls as columns: who is dialled, what comes of it, how long it takes.

Owns the draws for one round of attempts, a column a field, no loop over calls. When an agent dials
is ``traffic``'s; what is written of it is ``lines``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.simulate import shift
from monitor.simulate.centre import Centre
from monitor.simulate.truth import HEALTHY, Planted

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

OUTCOMES: Final = (
    "answered",
    "no_answer",
    "busy",
    "failed",
    "rejected",
    "voicemail",
    "abandoned",
    "blocked",
)
SIP_CODES: Final = (200, 480, 486, 503, 603, 200, 200, 608)
BLOCKED: Final = OUTCOMES.index("blocked")
_UNANSWERED: Final = np.cumsum([0.62, 0.15, 0.05, 0.08, 0.09, 0.01])
RING_MAX_S: Final = 45.0
SHARED_MAX: Final = 0.6
"""Numbers in trouble make at most so much of their campaign's calls, together."""
COUNTING_COMPLAINTS: Final = 0.9
"""Complaints that are about unwanted calls or their content, of all."""


@dataclass(slots=True)
class Attempts:
    """One round of attempts, all columns of the same length; durations in tenths of a second."""

    agent: Int64
    number: Int64
    started_ms: Int64
    outcome: Int64
    ring: Int64
    talk: Int64
    wrap: Int64
    by_customer: Bool
    need: Bool
    intent: Bool
    inbound: Bool
    complains: Bool
    rated: Bool
    score: Int64

    @classmethod
    def joined(cls, rounds: Sequence[Attempts]) -> Attempts:
        """All attempts of several rounds, one round after the other."""
        names = [item.name for item in fields(cls)]
        return cls(**{n: np.concatenate([getattr(one, n) for one in rounds]) for n in names})

    @property
    def answered(self) -> Bool:
        """Which of them were answered."""
        return np.equal(self.outcome, 0)

    @property
    def answered_ms(self) -> Int64:
        """When the ringing stopped."""
        return self.started_ms + self.ring * 100

    @property
    def ended_ms(self) -> Int64:
        """When the line was free again; the event's time."""
        return self.answered_ms + self.talk * 100


class Dialler:
    """Draws attempts; the planted causes bend their rates."""

    def __init__(
        self, centre: Centre, planted: Sequence[Planted], random: np.random.Generator
    ) -> None:
        self._centre = centre
        self._random = random
        names = {
            "number": centre.numbers.to_list(),
            "agent": centre.agents.to_list(),
            "campaign": centre.campaigns.to_list(),
        }
        self._planted = [(item, names[item.kind].index(item.name)) for item in planted]
        self._during = self._planted
        index = np.arange(len(centre.numbers))
        # Some numbers are dialled with twice as often as others.
        self._weights = np.linspace(1.0, 2.0, 7)[index * 3 % 7]
        self._order = np.argsort(centre.number_campaign, kind="stable")

    def prepare(self, begin_ms: int, end_ms: int, blocked: Bool) -> None:
        """What follows begins in ``[begin_ms, end_ms)``, without the ``blocked`` numbers.

        A campaign whose numbers are all blocked goes on with all of them.
        """
        self._during = [
            (item, index)
            for item, index in self._planted
            if item.from_ms < end_ms and begin_ms < item.until_ms
        ]
        campaign = self._centre.number_campaign
        everybody = self._shared()
        weights = np.where(blocked, 0.0, everybody)
        empty = np.bincount(campaign, weights=weights)[campaign] == 0
        weights = np.where(empty, everybody, weights)
        self._cumulative = np.cumsum(weights[self._order])
        totals = np.bincount(campaign, weights=weights)
        self._offset = np.concatenate([[0.0], np.cumsum(totals)])

    def attempts(self, agent: Int64, started_ms: Int64) -> Attempts:
        """One attempt by each of ``agent`` at ``started_ms``, shape ``(n,)`` both."""
        random, count = self._random, len(agent)
        number = self._pick(self._centre.agent_campaign[agent])
        rates = self._rates(agent, number, started_ms)
        outcome = np.searchsorted(_UNANSWERED, random.random(count) * _UNANSWERED[-1]) + 1
        outcome = np.where(random.random(count) < rates["blocked"], BLOCKED, outcome)
        answered = random.random(count) < rates["answer"]
        outcome = np.where(answered, 0, outcome)
        hangup = answered & (random.random(count) < rates["hangup"])
        talk = np.where(answered, self._talk(hangup), 0.0)
        long = talk >= shift.LONG_TALK_S[0]
        need = long & (random.random(count) < shift.NEED_CAPTURED)
        ring = np.minimum(2.0 + random.exponential(shift.RING_S - 2.0, count), RING_MAX_S)
        # Few complain without having talked to somebody, so those who have make up for all.
        complains = rates["complaint"] / COUNTING_COMPLAINTS / rates["answer"]
        return Attempts(
            agent=agent,
            number=number,
            started_ms=started_ms,
            outcome=outcome.astype(np.int64),
            ring=_tenths(np.where(outcome == BLOCKED, 0.3, ring)),
            talk=_tenths(talk),
            wrap=_tenths(np.where(answered, random.exponential(shift.WRAP_S, count), 0.0)),
            by_customer=hangup | (random.random(count) < 0.45),
            need=need,
            intent=need & (random.random(count) < 0.35),
            inbound=answered & (random.random(count) < 0.02),
            complains=answered & (random.random(count) < complains),
            rated=answered & ~hangup & (random.random(count) < 0.3),
            score=np.clip(np.rint(random.normal(rates["score"], 0.6)), 1, 5).astype(np.int64),
        )

    def _pick(self, campaign: Int64) -> Int64:
        low, high = self._offset[campaign], self._offset[campaign + 1]
        at = low + self._random.random(len(campaign)) * (high - low)
        found = np.searchsorted(self._cumulative, at, side="right")
        chosen: Int64 = self._order[np.minimum(found, len(self._order) - 1)]
        return chosen

    def _talk(self, hangup: Bool) -> Float64:
        random, count = self._random, len(hangup)
        least, above, most = shift.LONG_TALK_S
        long = np.minimum(least + random.exponential(above, count), most)
        middle = random.uniform(*shift.MIDDLE_TALK_S, count)
        talk = np.where(random.random(count) < shift.LONG_SHARE, long, middle)
        return np.where(hangup, random.uniform(*shift.SHORT_TALK_S, count), talk)

    def _rates(self, agent: Int64, number: Int64, started_ms: Int64) -> dict[str, Float64]:
        names = ("answer", "hangup", "complaint", "blocked", "score")
        rates = {name: np.full(len(agent), getattr(HEALTHY, name)) for name in names}
        who = {
            "number": number,
            "agent": agent,
            "campaign": self._centre.agent_campaign[agent],
        }
        for item, index in self._during:
            during = (started_ms >= item.from_ms) & (started_ms < item.until_ms)
            mask = during & (who[item.kind] == index)
            if mask.any():
                for name in names:
                    rates[name][mask] = getattr(item.rates, name)
        return rates

    def _shared(self) -> Float64:
        """The numbers' weights with those in trouble making their share of the calls."""
        weights = self._weights.copy()
        campaign = self._centre.number_campaign
        shares = {i: item.share for item, i in self._during if item.share and item.kind == "number"}
        for place in sorted({int(campaign[index]) for index in shares}):
            ours = {index: share for index, share in shares.items() if campaign[index] == place}
            scale = min(1.0, SHARED_MAX / sum(ours.values()))
            rest = weights[campaign == place].sum() - weights[list(ours)].sum()
            left = 1.0 - scale * sum(ours.values())
            for index, share in ours.items():
                weights[index] = (rest or 1.0) * scale * share / left
        return weights


def _tenths(seconds: Float64) -> Int64:
    return np.rint(seconds * 10).astype(np.int64)
