"""Events of a made-up call centre, chunk by chunk, in the order of their making.

Owns the state that runs through a simulation: when each agent is free again, who is signed in, how
many events were made. Rates are ``calls``, times of day ``shift``, order of arrival ``delivery``.
Every draw comes from one generator in one order, so a seed gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.simulate import messages, shift
from monitor.simulate.calls import OUTCOMES, SIP_CODES, Attempts, Dialler
from monitor.simulate.centre import Centre
from monitor.simulate.lines import SCHEMA, write
from monitor.simulate.messages import TAGS, Messages, customer_names
from monitor.simulate.truth import HEALTHY, Planted

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

AUTO_LOGGED: Final = 0.97
FOLLOWED_UP: Final = 0.99
WARM_UP_MS: Final = 900_000
"""So long before the start the calls begin, unseen: else the first to end would all be short."""
SLEEP_MS: Final = 300_000
"""An agent who is not needed looks again so much later, give or take half of it."""
EVENTS_PER_CALL: Final = (
    1 + FOLLOWED_UP + 0.3 * HEALTHY.answer * (1 - HEALTHY.hangup) + 0.35 * messages.EVENTS_PER_SMS
)
LIVE_EVENTS_PER_CALL: Final = 1 + HEALTHY.answer * 4
"""More with live states: a start, and for each answered call a connection and three states."""

_CATEGORIES = pl.Series(["unsolicited"] * 6 + ["content"] * 3 + ["frequency"])
_CHANNELS = pl.Series(["hotline", "regulator", "survey"])
_STATES = pl.Series(["offline", "ready", "talking", "wrap", "break"])
_OFFLINE, _READY, _TALKING, _WRAP, _BREAK = range(5)

_States = tuple[Int64, Int64, Int64]
"""Agents, when, and what each is doing from then on."""


class Traffic:
    """Makes the events that begin in one span after the other."""

    def __init__(
        self,
        centre: Centre,
        planted: Sequence[Planted],
        floor: shift.Floor,
        *,
        calls_per_s: float,
        idle_s: float,
        seed: int,
        start_ms: int,
        live_states: bool,
    ) -> None:
        """``calls_per_s``: attempts at the busiest time; ``idle_s``: an agent's idling for each."""
        self._random = np.random.default_rng(seed)
        self._centre = centre
        self._planted = planted
        self._floor = floor
        self._calls_per_s = calls_per_s
        self._idle_s = idle_s
        self._live = live_states
        # Two runs of one seed into one topic are two days of a centre, not one twice.
        self._run = f"{seed}-{start_ms:x}"
        self._start_ms = start_ms
        self._made = 0
        self._calls = 0
        self._dialler = Dialler(centre, planted, self._random)
        self._messages = Messages(self._random, centre.campaigns)
        agents = len(centre.agents)
        # The first call of each comes within an average call's time, so that no wave runs through.
        spread = (shift.busy_s() + idle_s) * 1_000
        first_ms = start_ms - WARM_UP_MS
        self._free_ms = first_ms + (self._random.random(agents) * spread).astype(np.int64)
        self._rank = self._random.permutation(agents) / agents
        self._signed_in = np.zeros(agents, dtype=np.bool_)
        self._doing = np.full(agents, _OFFLINE)

    def make(self, begin_ms: int, end_ms: int, blocked: Collection[str] = ()) -> pl.DataFrame:
        """Records (``lines.SCHEMA``) of all that begins in ``[begin_ms, end_ms)``; none is earlier.

        What follows from it may have a later time. ``blocked`` numbers are not dialled with. The
        first span begins ``WARM_UP_MS`` before the start, and one ends with the start.
        """
        numbers = self._centre.numbers
        self._dialler.prepare(begin_ms, end_ms, numbers.is_in(sorted(blocked)).to_numpy())
        parts = [self._flags(begin_ms, end_ms), self._sms(begin_ms, end_ms)]
        nobody = np.empty(0, dtype=np.int64)
        states: list[_States] = [(nobody, nobody, nobody)]
        rounds: list[Attempts] = []
        free = self._free_ms
        while len(agent := np.flatnonzero(free < end_ms)):
            at_work = self._rank[agent] < self._floor.at_work(free[agent])
            states.append(self._sign(agent, at_work))
            if at_work.any():
                made = self._dialler.attempts(agent[at_work], free[agent[at_work]])
                states += self._busy(made)
                rounds.append(made)
        if rounds:
            parts += self._call_events(Attempts.joined(rounds), begin_ms)
        parts.append(self._states(states, end_ms))
        return pl.concat(part for part in parts if part.height or part is parts[0])

    # -- agents -----------------------------------------------------------------------------

    def _sign(self, agent: Int64, at_work: Bool) -> _States:
        """Those whose work begins or ends at the moment they are free, and who goes to sleep."""
        change = at_work != self._signed_in[agent]
        now = self._free_ms[agent]
        self._signed_in[agent] = at_work
        asleep = agent[~at_work]
        nap = self._random.uniform(0.5, 1.5, len(asleep)) * SLEEP_MS
        self._free_ms[asleep] += nap.astype(np.int64)
        return agent[change], now[change], np.where(at_work[change], _READY, _OFFLINE)

    def _busy(self, made: Attempts) -> list[_States]:
        """Until when each agent is taken, and the changes of state on the way there."""
        random, agent, answered = self._random, made.agent, made.answered
        count = len(agent)
        gap_s = shift.DIAL_S + random.exponential(max(self._idle_s, 0.001), count)
        rest = answered & (random.random(count) < 1 / shift.BREAK_EVERY)
        rest_s = np.where(rest, random.uniform(*shift.BREAK_S, count), 0.0)
        # The dialler rings ahead: only the attempt that is answered costs its agent the ringing.
        talked = np.where(answered, made.ended_ms, made.started_ms)
        wrapped = talked + made.wrap * 100
        back = wrapped + (rest_s * 1_000).astype(np.int64)
        self._free_ms[agent] = back + (gap_s * 1_000).astype(np.int64)
        states = [_became(_BREAK, agent, wrapped, rest), _became(_READY, agent, back, rest)]
        if self._live:
            states += [
                _became(_TALKING, agent, made.answered_ms, answered),
                _became(_WRAP, agent, talked, answered),
                _became(_READY, agent, wrapped, answered & ~rest),
            ]
        return states

    def _states(self, states: Sequence[_States], end_ms: int) -> pl.DataFrame:
        agent, times, state = (np.concatenate(column) for column in zip(*states, strict=True))
        unseen = np.flatnonzero(times < self._start_ms)
        unseen = unseen[np.argsort(times[unseen], kind="stable")]
        self._doing[agent[unseen]] = state[unseen]
        seen = times >= self._start_ms
        rows = [(agent[seen], times[seen], state[seen])]
        if end_ms == self._start_ms:
            # Who is at work already says so at the start.
            who = np.flatnonzero(self._doing != _OFFLINE)
            rows.append((who, np.full(len(who), end_ms), self._doing[who]))
        agent, times, state = (np.concatenate(column) for column in zip(*rows, strict=True))
        frame = pl.DataFrame({"time": times, "state": _STATES.gather(state)})
        return self._write("agent.state", frame.with_columns(*self._place(agent)))

    # -- calls and what follows --------------------------------------------------------------

    def _call_events(self, made: Attempts, before_ms: int) -> list[pl.DataFrame]:
        random = self._random
        call = self._call_frame(made, before_ms)
        parts = [self._write("call.ended", self._ended(call, made))]
        logged = random.random(call.height) < FOLLOWED_UP
        after = made.ended_ms + random.integers(1_000, 8_000, call.height)
        auto = pl.Series("auto", random.random(call.height) < AUTO_LOGGED)
        parts.append(self._follow("followup.logged", call.with_columns(auto), after, logged))
        after = made.ended_ms + random.integers(20_000, 90_000, call.height)
        score = pl.Series("score", made.score)
        parts.append(self._follow("call.rated", call.with_columns(score), after, made.rated))
        if made.complains.any():
            parts.append(self._complaints(call, made))
        if self._live:
            parts.append(self._write("call.started", call))
            parts.append(self._follow("call.connected", call, made.answered_ms, made.answered))
        return parts

    def _call_frame(self, made: Attempts, before_ms: int) -> pl.DataFrame:
        """What all events of a call have in common; ``time`` is its start."""
        random, centre, count = self._random, self._centre, len(made.agent)
        customer = random.integers(0, messages.CUSTOMERS, count)
        wished = np.flatnonzero(random.random(count) < messages.PER_CALL)
        warm = self._messages.take(len(wished), before_ms)
        customer[wished[: len(warm)]] = warm
        preheated = np.zeros(count, dtype=np.bool_)
        preheated[wished[: len(warm)]] = True
        calls = pl.Series("call_id", np.arange(self._calls, self._calls + count)).cast(pl.String)
        self._calls += count
        return pl.DataFrame(
            {
                "time": made.started_ms,
                "number": centre.numbers.gather(made.number),
                "number_type": centre.number_types.gather(made.number),
                "customer": customer_names(customer),
                "customer_tag": TAGS.gather(customer % len(TAGS)),
                "campaign": centre.campaigns.gather(centre.agent_campaign[made.agent]),
                "call_id": pl.select(pl.lit(f"k-{self._run}-") + calls).to_series(),
                "direction": pl.Series(["outbound", "inbound"]).gather(made.inbound.astype(int)),
                "sms_preheated": preheated,
            }
        ).with_columns(*self._place(made.agent))

    def _ended(self, call: pl.DataFrame, made: Attempts) -> pl.DataFrame:
        answered = pl.Series("answered", made.answered)
        tenth = 0.1
        columns: dict[str, Any] = {
            "outcome": pl.Series(OUTCOMES).gather(made.outcome),
            "started_at": made.started_ms,
            "ring_s": (made.ring * tenth).round(1),
            "sip_code": np.array(SIP_CODES)[made.outcome],
            "cost": (made.talk * tenth / 60 * 0.12).round(3),
        }
        only_answered: dict[str, Any] = {
            "answered_at": made.answered_ms,
            "talk_s": (made.talk * tenth).round(1),
            "wait_s": ((made.ring % 7) * tenth).round(1),
            "wrap_s": (made.wrap * tenth).round(1),
            "hangup_by": pl.Series(["agent", "customer"]).gather(made.by_customer.astype(int)),
            "need_captured": made.need,
            "intent_confirmed": made.intent,
        }
        frame = call.with_columns(
            pl.Series("time", made.ended_ms),
            *(pl.Series(name, values) for name, values in (columns | only_answered).items()),
        )
        return frame.with_columns(
            pl.when(answered).then(pl.col(name)).alias(name) for name in only_answered
        )

    def _complaints(self, call: pl.DataFrame, made: Attempts) -> pl.DataFrame:
        random, count = self._random, call.height
        delay = 60_000 + random.exponential(480_000.0, count)
        after = made.ended_ms + np.minimum(delay, 3_600_000.0).astype(np.int64)
        frame = call.with_columns(
            _CATEGORIES.gather(random.integers(0, len(_CATEGORIES), count)).alias("category"),
            _CHANNELS.gather(random.integers(0, len(_CHANNELS), count)).alias("channel"),
        )
        return self._follow("complaint.filed", frame, after, made.complains)

    def _follow(
        self, kind: str, frame: pl.DataFrame, times_ms: Int64, chosen: Bool
    ) -> pl.DataFrame:
        return self._write(
            kind, frame.with_columns(pl.Series("time", times_ms)).filter(pl.Series(chosen))
        )

    # -- flags and SMS ------------------------------------------------------------------------

    def _flags(self, begin_ms: int, end_ms: int) -> pl.DataFrame:
        parts = []
        for item in self._planted:
            moments = [("number.flagged", item.from_ms), ("number.cleared", item.cleared_ms)]
            for kind, at in moments if item.flagged_by else []:
                if at is not None and begin_ms <= at < end_ms:
                    row = {"time": at, "number": item.name, "by": item.flagged_by, "label": "spam"}
                    parts.append(self._write(kind, pl.DataFrame([row])))
        return pl.concat(parts) if parts else pl.DataFrame(schema=SCHEMA)

    def _sms(self, begin_ms: int, end_ms: int) -> pl.DataFrame:
        per_ms = self._calls_per_s * messages.PER_CALL / 1_000
        count = int(self._random.poisson(per_ms * (end_ms - begin_ms)))
        times = np.sort(self._random.integers(begin_ms, end_ms, count))
        times = times[self._random.random(count) < self._floor.at_work(times)]
        frames = self._messages.send(times)
        return pl.concat([self._write(kind, frame) for kind, frame in frames.items()])

    # -- rows ---------------------------------------------------------------------------------

    def _place(self, agent: Int64) -> list[pl.Series]:
        centre = self._centre
        return [
            centre.agents.gather(agent).alias("agent"),
            centre.groups.gather(centre.agent_group[agent]).alias("group"),
            centre.teams.gather(centre.agent_team[agent]).alias("team"),
        ]

    def _write(self, kind: str, frame: pl.DataFrame) -> pl.DataFrame:
        ids = pl.Series("id", np.arange(self._made, self._made + frame.height)).cast(pl.String)
        self._made += frame.height
        numbered = frame.with_columns(
            pl.select(pl.lit(f"e-{self._run}-") + ids).to_series().alias("id")
        )
        return write(kind, numbered)


def _became(state: int, agent: Int64, times_ms: Int64, chosen: Bool) -> _States:
    return agent[chosen], times_ms[chosen], np.full(int(chosen.sum()), state)
