"""A simulation from its parameters: the plan, the truth, and the records in order of arrival.

Owns how the parts are put together. Where the records go is ``sinks``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import polars as pl

from monitor.errors import UsageError
from monitor.simulate import shift
from monitor.simulate.centre import Centre, build_centre
from monitor.simulate.delivery import Road
from monitor.simulate.lines import TYPES
from monitor.simulate.scenarios import SCENARIOS, Delivery, Plan, Scenario
from monitor.simulate.traffic import EVENTS_PER_CALL, LIVE_EVENTS_PER_CALL, WARM_UP_MS, Traffic
from monitor.simulate.truth import Truth

CHUNK_EVENTS = 40_000
CHUNK_MS_MIN, CHUNK_MS_MAX = 1_000, 600_000
LATE_MS = 1_000
NUMBERS_DEFAULT = 200


@dataclass(slots=True)
class Simulation:
    """One run: :meth:`chunks` gives the records, once; ``truth`` counts them as it does."""

    truth: Truth
    centre: Centre
    traffic: Traffic
    road: Road
    plan: Plan
    chunk_ms: int

    def chunks(
        self, blocked: Callable[[], Collection[str]] = tuple, live_ms: int | None = None
    ) -> Iterator[pl.DataFrame]:
        """Records in order of arrival (``delivery.ARRIVED``), in pieces of bounded size.

        Args:
            blocked: asked before each piece for the numbers that telephony has taken out of
                service. Calls without them are other bytes, so it is for live demonstrations.
            live_ms: from here on the pieces are a second long, so that ``blocked`` tells soon.
        """
        start, end = self.truth.start_ms, self.truth.end_ms
        marks = sorted({start, end, end if live_ms is None else min(max(live_ms, start), end)})
        begin, inside = start - WARM_UP_MS, pl.col("time").is_between(start, end, closed="left")
        for mark in marks:
            longest = CHUNK_MS_MIN if live_ms is not None and begin >= live_ms else self.chunk_ms
            while begin < mark:
                until = min(begin + longest, mark)
                made = self.traffic.make(begin, until, blocked())
                yield self._counted(self.road.send(made.filter(inside), until))
                begin = until
        yield self._counted(self.road.rest())

    def _counted(self, records: pl.DataFrame) -> pl.DataFrame:
        truth, took = self.truth, pl.col("arrival") - pl.col("time")
        originals = records.filter(~pl.col("copy"))
        for kind, count in originals["type"].value_counts().sort("type").iter_rows():
            truth.events[TYPES[kind]] += count
        truth.duplicates += records.height - originals.height
        far = self.plan.delivery.too_late_ms[0]
        truth.too_late += originals.filter(took >= far).height
        truth.late += originals.filter((took >= far).not_() & (took > LATE_MS)).height
        return records


def simulate(
    scenario: str | Scenario,
    *,
    start_ms: int,
    seed: int = 1,
    rate: float | None = None,
    duration_ms: int | None = None,
    numbers: int = NUMBERS_DEFAULT,
    agents: int | None = None,
    delivery: Delivery | None = None,
    live_states: bool = False,
    chunk_ms: int | None = None,
) -> Simulation:
    """Plan a run of ``scenario`` from ``start_ms`` on.

    Args:
        scenario: one of ``SCENARIOS`` by name, or one of your own.
        start_ms: event time of the beginning, ms since 1970 UTC.
        seed: the same arguments and seed give the same bytes.
        rate: events in a second, on average; the scenario's own when None.
        duration_ms: event time from beginning to end; the scenario's own when None.
        numbers: own outbound numbers.
        agents: at the busiest time; as many as the rate needs when None.
        delivery: disorder, lateness and duplicates instead of the scenario's own.
        live_states: also ``call.started``, ``call.connected`` and each change of an agent's state.
        chunk_ms: event time of one piece; by the rate when None.

    Raises:
        UsageError: no such scenario, or figures that do not fit together.
    """
    recipe = _recipe(scenario)
    name = scenario if isinstance(scenario, str) else "own"
    rate = recipe.rate if rate is None else rate
    duration_ms = recipe.duration_ms if duration_ms is None else duration_ms
    if not 0 < rate <= 1_000_000 or duration_ms < 1_000:
        msg = f"rate must be above 0 and at most 1000000, and the duration a second or more: {rate}"
        raise UsageError(msg)
    end_ms = start_ms + duration_ms
    # Silences depend on the span alone, so the plan can be asked for them before there is a centre.
    silences = recipe.make(build_centre(2, 2), start_ms, end_ms).silences
    floor = shift.Floor(start_ms, end_ms, silences, around_the_clock=recipe.around_the_clock)
    per_call = EVENTS_PER_CALL + (LIVE_EVENTS_PER_CALL if live_states else 0.0)
    calls_per_s = rate / per_call / (floor.mean or 1.0)
    count, idle_s = shift.staffing(calls_per_s, agents)
    centre = build_centre(count, numbers)
    plan = recipe.make(centre, start_ms, end_ms)
    chosen = plan.delivery if delivery is None else delivery
    plan = Plan(plan.planted, plan.should_suspend, plan.may_suspend, plan.silences, chosen)
    return Simulation(
        truth=_truth(name, seed, (start_ms, end_ms), rate, plan, centre),
        centre=centre,
        traffic=Traffic(
            centre,
            plan.planted,
            floor,
            calls_per_s=calls_per_s,
            idle_s=idle_s,
            seed=seed,
            start_ms=start_ms,
            live_states=live_states,
        ),
        road=Road(chosen, seed),
        plan=plan,
        chunk_ms=_chunk_ms(rate, floor) if chunk_ms is None else chunk_ms,
    )


def _recipe(scenario: str | Scenario) -> Scenario:
    if isinstance(scenario, Scenario):
        return scenario
    found = SCENARIOS.get(scenario)
    if found is None:
        msg = f"no scenario {scenario!r}; there are {', '.join(SCENARIOS)}"
        raise UsageError(msg)
    return found


def _chunk_ms(rate: float, floor: shift.Floor) -> int:
    return max(CHUNK_MS_MIN, min(CHUNK_MS_MAX, int(CHUNK_EVENTS / rate * floor.mean * 1_000)))


def _truth(
    name: str, seed: int, span: tuple[int, int], rate: float, plan: Plan, centre: Centre
) -> Truth:
    return Truth(
        scenario=name,
        seed=seed,
        start_ms=span[0],
        end_ms=span[1],
        rate=rate,
        planted=plan.planted,
        should_suspend=plan.should_suspend,
        may_suspend=plan.may_suspend,
        silences=plan.silences,
        late_share=plan.delivery.late_share,
        too_late_share=plan.delivery.too_late_share,
        duplicate_share=plan.delivery.duplicate_share,
        pools=centre.pools(),
    )
