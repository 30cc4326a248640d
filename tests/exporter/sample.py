"""A realistic snapshot: three teams, six groups, eighteen agents, forty numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from monitor.decisions import Figures
from monitor.indicators.model import Indicator
from monitor.site import load_site
from monitor.snapshot import (
    AgentPlace,
    AlertStanding,
    CheckpointStanding,
    DiskRoom,
    IncidentStanding,
    IndicatorFigures,
    IndicatorInfo,
    KeyCount,
    NumberStanding,
    PartitionStanding,
    Queue,
    RuleLevel,
    RuleStanding,
    Snapshot,
    Table,
    Watch,
)
from monitor.stats import Stats

TEAMS = ("team-1", "team-2", "team-3")
PLACES = tuple(AgentPlace(f"agent-{i:02}", f"group-{i // 3}", TEAMS[i // 6]) for i in range(18))
NUMBERS = tuple(f"+8621500000{i:02}" for i in range(20))
KEYS = {
    "team": TEAMS,
    "group": tuple(f"group-{i}" for i in range(6)),
    "agent": tuple(place.agent for place in PLACES),
    "number": NUMBERS,
    "campaign": ("campaign-7",),
    "number_type": ("400", "95", "mobile"),
    "customer_tag": ("new", "old"),
    "company": ("all",),
}


@dataclass(frozen=True)
class Told:
    """What the shipped pack says of one indicator."""

    info: IndicatorInfo
    scopes: tuple[tuple[str, ...], ...]
    windows: tuple[str, ...]


def _told(indicator: Indicator) -> Told:
    info = IndicatorInfo(
        indicator.id,
        indicator.figure,
        indicator.better,
        {str(language): text for language, text in indicator.title.items()},
        indicator.class_ or "",
        None if indicator.target is None else float(indicator.target),
        indicator.area or "",
    )
    return Told(info, indicator.by, indicator.window_keys)


INDICATORS = tuple(map(_told, load_site(None).indicators))


def figures(
    info: IndicatorInfo, by: tuple[str, ...], window: str, names: tuple[str, ...]
) -> IndicatorFigures:
    """Figures from three fifths of the target to seven fifths, along the names."""
    of = np.array([100.0 + 7 * i for i in range(len(names))])
    target = 0.4 if info.target is None else info.target
    return IndicatorFigures(
        indicator=info.id,
        kind=info.kind,
        by=by,
        window=window,
        names=names,
        hits=np.round(of * target * np.linspace(0.6, 1.4, len(names)), 3),
        of=of,
    )


# Made once: a picture a tenth of a second is published from it.
FIGURES = tuple(
    figures(told.info, by, window, KEYS[by[0]] if len(by) == 1 else ("a\x1fb",))
    for told in INDICATORS
    for by in told.scopes
    for window in told.windows
)
HANGUP = next(told.info for told in INDICATORS if told.info.id == "hangup_rate")


def stats() -> Stats:
    made = Stats()
    made.records.update({"calls": 9_000, "sms": 1_200, "crm": 800})
    made.events.update(
        {
            ("call.ended", "accepted"): 8_400,
            ("call.ended", "duplicate"): 12,
            ("sms.sent", "accepted"): 900,
            ("sms.opened", "accepted"): 300,
            ("agent.state", "accepted"): 700,
        }
    )
    made.rejects.update({"not_json": 3, "too_late": 2})
    made.key_overflow.update({("number", "keys"): 0, ("number", "pairs"): 7})
    made.late, made.resumed_late, made.unknown_types, made.tombstones = 17, 1, 4, 2
    made.unmapped = 6
    made.alerts.update({("number-hangup", "crit", "firing"): 2})
    made.commands.update({("suspend", "issued"): 3, ("suspend", "applied"): 2})
    made.refusals.update({"max_fraction": 1})
    made.listings.update({("add", "opted_out"): 2})
    made.deliveries.update({("supervisors", "ok"): 5, ("supervisors", "timeout"): 1})
    made.ticks = 720
    for seconds in (0.0005, 0.001, 0.0011, 3.0):
        made.tick_time.observe(seconds)
    made.decision_delay.observe(6.2)
    made.checkpoints = 4
    made.checkpoint_time.observe(0.2)
    made.checkpoint_hold.observe(0.01)
    made.checkpoints_delayed = 1
    made.reloads.update({"ok": 1})
    made.web.update({"200": 3, "401": 1})
    return made


WATCH = Watch(
    turn_s=0.2,
    deliveries_s={"log": 0.0, "telephony": 0.4},
    disks=(DiskRoom("store", 60 * 2**30, 100 * 2**30),),
    clock_jumps={"forward": 0, "backward": 1},
)
"""What the watchdog of a daemon with which nothing is wrong saw; its clock was set back once."""


def snapshot(now_ms: int) -> Snapshot:
    """The centre at ``now_ms``: one number bad, one suspended, nothing wrong with the daemon."""
    shown = Figures(0.5, 50.0, 100.0, "30m")
    return Snapshot(
        wall_ms=now_ms - 400,
        stats=stats(),
        at_ms=now_ms - 2_000,
        tick_ms=now_ms - 2_000 - (now_ms - 2_000) % 5_000,
        indicators=tuple(told.info for told in INDICATORS),
        figures=FIGURES,
        rules=(
            RuleStanding(
                "number-hangup",
                "hangup_rate",
                ("number",),
                "30m",
                "active",
                (RuleLevel("warn", 0.25, "above"), RuleLevel("crit", 0.3, "above")),
                {"ok": 37, "insufficient": 2, "firing": 1},
                runbook="https://wiki.example.com/number-hangup",
            ),
            RuleStanding(
                "number-flagged", "", ("number",), "", "active", (), {"ok": 39, "firing": 1}
            ),
            RuleStanding(
                "redial",
                "redial_frequency",
                ("number", "customer"),
                "day@Asia/Shanghai",
                "shadow",
                (RuleLevel("warn", 2.0, "above"),),
                {"ok": 5, "firing": 2},
            ),
        ),
        alerts=(
            AlertStanding(
                "number-hangup",
                "crit",
                (("number", NUMBERS[7]),),
                now_ms - 60_000,
                "e1",
                shown,
                "supervisors",
            ),
            AlertStanding(
                "redial",
                "warn",
                (("number", NUMBERS[8]), ("customer", "+8613912345678")),
                now_ms - 50_000,
                "e2",
                shown,
                shadow=True,
            ),
            AlertStanding(
                "redial",
                "warn",
                (("number", NUMBERS[8]), ("customer", "c-opaque")),
                now_ms - 90_000,
                "e3",
                shown,
                shadow=True,
            ),
        ),
        numbers=Counter(active=38, wanted=1, suspended=1),
        standing=(
            NumberStanding(
                NUMBERS[3], "suspended", now_ms - 600_000, now_ms + 1_200_000, "number-hangup"
            ),
            NumberStanding(NUMBERS[7], "wanted", now_ms - 60_000, None, "number-hangup"),
        ),
        incidents=(
            IncidentStanding(
                "approval",
                "spring",
                now_ms - 60_000,
                "3 numbers wait",
                3,
                ref="0a1b2c3d",
                until_ms=now_ms + 60_000,
            ),
            IncidentStanding("min_left", "winter", now_ms - 30_000, "2 of 3 would be left", 1),
        ),
        partitions=tuple(
            PartitionStanding(
                topic,
                number,
                100,
                103,
                None if topic == "sms" else now_ms - 1_500,
                idle=topic == "sms",
            )
            for topic in ("calls", "crm", "sms")
            for number in range(2)
        ),
        queues=(
            Queue("pending_rows", 120, 1_000_000),
            Queue("outbox", 2, 10_000, now_ms - 1_000),
        ),
        tables=(Table("ids", 4_000, 5_000_000, 0), Table("owners", 900, 200_000)),
        deliveries={("supervisors", "queued"): 2, ("supervisors", "parked"): 1},
        acks_ignored={"malformed": 0, "unknown": 3},
        dead_letters_lost=2,
        keys={"number": KeyCount(40, 100_000), "number+customer": KeyCount(900, 1_000_000)},
        agents=PLACES,
        checkpoint=CheckpointStanding(now_ms - 30_000, 1_234_567, 56_789),
        config_hash="abc123",
    )
