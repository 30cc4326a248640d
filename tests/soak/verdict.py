"""After the faults: was anything lost, sent twice, or decided wrongly.

Owns the comparison. The reference is a replay of the same topics with the journal of the live runs:
the same engine undisturbed, from the first record on (``tests/e2e`` holds that one against DuckDB).
What receivers got is counted where they stand: records of the commands' topic, requests at the
webhook.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from monitor.decisions import Decision, iso
from monitor.store.schema import OUTBOX
from monitor.store.store import Store
from tests.e2e.daemons import commands, wait
from tests.soak.world import PREFIX, World

SETTLE_S = 600
RATE_KEPT = 0.98
"""Of the rate that was asked for; with less it is another test."""
MEANWHILE = 0.5
"""Of all requests, that come while faults go on; what is sent in peace shows nothing."""
_EXAMPLES = 5


@dataclass
class Verdict:
    """What was found; the figures that should be 0 are."""

    seconds: float
    rate: int
    seed: int
    faults: dict[str, int] = field(default_factory=dict)
    events: int = 0
    """On the topic, by its offsets."""
    events_per_s: int = 0
    events_given_up: int = 0
    starts: int = 0
    daemons_fallen: int = 0
    decisions: int = 0
    decisions_lost: int = 0
    decisions_invented: int = 0
    decisions_with_wrong_figures: int = 0
    commands: int = 0
    commands_on_topic: int = 0
    """Records, raw."""
    commands_stale: int = 0
    commands_repeated: int = 0
    commands_missing: int = 0
    commands_unknown: int = 0
    commands_out_of_order: int = 0
    notices: int = 0
    """Alerts, and refusals of guards."""
    requests: int = 0
    """At the webhook, raw."""
    requests_meanwhile: int = 0
    """Of these, while faults went on."""
    requests_refused: int = 0
    notices_unheard: int = 0
    notices_unknown: int = 0
    notices_changed: int = 0
    notices_out_of_order: int = 0
    notices_repeated: int = 0
    repeats_allowed: int = 0
    parked: int = 0
    catch_up_s: float = 0.0
    notes: dict[str, list[str]] = field(default_factory=dict)
    """Of what should not be, the first few."""

    @property
    def good(self) -> bool:
        """Nothing lost, nothing twice where it may not be, nothing wrong, and all of the load."""
        return (
            not any(asdict(self)[name] for name in ZERO)
            and self.notices_repeated <= self.repeats_allowed
            and self.events_per_s >= RATE_KEPT * self.rate
            and self.requests_meanwhile >= MEANWHILE * self.requests
        )

    def plain(self) -> dict[str, Any]:
        """For the results file."""
        return asdict(self) | {"good": self.good}

    def count(self, name: str, found: Iterable[object]) -> None:
        """How many there are, and which."""
        each = sorted(map(str, found))
        setattr(self, name, len(each))
        if each:
            self.notes[name] = each[:_EXAMPLES]


ZERO = (
    "events_given_up",
    "daemons_fallen",
    "decisions_lost",
    "decisions_invented",
    "decisions_with_wrong_figures",
    "commands_repeated",
    "commands_missing",
    "commands_unknown",
    "commands_out_of_order",
    "notices_unheard",
    "notices_unknown",
    "notices_changed",
    "notices_out_of_order",
    "parked",
)
"""What must not be."""


def judge(world: World, verdict: Verdict) -> Verdict:
    """Let things settle, and compare."""
    verdict.requests_meanwhile = len(world.hook.requests)
    world.traffic.stop()
    world.check()
    verdict.catch_up_s = round(_settle(world), 1)
    world.stop_daemons()
    verdict.events = world.traffic.on_topic()
    verdict.events_per_s = round(verdict.events / world.traffic.took_s)
    verdict.events_given_up = world.traffic.given_up
    verdict.starts = world.starts()
    verdict.count("daemons_fallen", world.fell)
    with Store.open(world.store_settings(), world.clock, daemon=False) as store:
        judged_to_ms = store.journal.judged_to_ms() or 0
        stored = _stored(store)
        stale = _in_state(store, "stale")
        verdict.count("parked", _in_state(store, "parked"))
    expected = _replay(world.group.daemons[0].folder / "config.yaml", world.url, judged_to_ms)
    _compare(verdict, stored, expected)
    _commands(verdict, world, expected, stale)
    _notices(verdict, world, expected)
    return verdict


def _settle(world: World) -> float:
    """Wait until all is judged and delivered; the seconds that took."""
    ended_s, last_ms = world.clock.monotonic_s(), world.clock.now_ms()
    with Store.open(world.store_settings(), world.clock, daemon=False) as store:

        def settled() -> bool:
            counts = store.outbox.counts()
            open_ones = sum(n for (_, state), n in counts.items() if state in _OPEN)
            return (store.journal.judged_to_ms() or 0) >= last_ms and not open_ones

        wait("all is judged and delivered", settled, SETTLE_S)
    return world.clock.monotonic_s() - ended_s


_OPEN = {"queued", "retry", "sending"}


def _stored(store: Store) -> dict[str, dict[str, Any]]:
    """Decisions of the live runs, by id."""
    history, all_of_them = store.history, 10**6
    decisions: list[Decision] = [
        *history.alerts(limit=all_of_them),
        *history.commands(limit=all_of_them),
        *history.refusals(limit=all_of_them),
    ]
    return {each.id: each.to_json() for each in decisions}


def _in_state(store: Store, state: str) -> set[str]:
    """Decisions with a delivery in this state."""
    with store.outbox._database.read() as connection:
        return set(connection.scalars(select(OUTBOX.c.decision).where(OUTBOX.c.state == state)))


def _compare(
    verdict: Verdict, stored: Mapping[str, dict[str, Any]], expected: Mapping[str, dict[str, Any]]
) -> None:
    verdict.decisions = len(stored)
    verdict.count("decisions_lost", expected.keys() - stored.keys())
    verdict.count("decisions_invented", stored.keys() - expected.keys())
    both = stored.keys() & expected.keys()
    verdict.count("decisions_with_wrong_figures", (i for i in both if stored[i] != expected[i]))


def _commands(
    verdict: Verdict, world: World, expected: Mapping[str, dict[str, Any]], stale: set[str]
) -> None:
    numbers = {i: each["number"] for i, each in expected.items() if each["kind"] == "command"}
    sent = [each["command_id"] for each in commands(world.trio.bootstrap, PREFIX)]
    verdict.commands, verdict.commands_on_topic = len(numbers), len(sent)
    verdict.commands_stale = len(stale & numbers.keys())
    verdict.count("commands_repeated", [i for i, n in Counter(sent).items() for _ in range(n - 1)])
    verdict.count("commands_missing", numbers.keys() - set(sent) - stale)
    verdict.count("commands_unknown", set(sent) - numbers.keys())
    verdict.count("commands_out_of_order", out_of_order(sent, numbers))


def _notices(verdict: Verdict, world: World, expected: Mapping[str, dict[str, Any]]) -> None:
    keys = {i: _key(each) for i, each in expected.items() if each["kind"] != "command"}
    requests = list(world.hook.requests)
    taken = [each for each in requests if each.status == 200]
    bodies: dict[str, set[str]] = defaultdict(set)
    for each in requests:
        bodies[each.headers["X-Monitor-Delivery"]].add(decided(each.body))
    heard = Counter(each.headers["X-Monitor-Delivery"] for each in taken)
    verdict.notices, verdict.requests = len(keys), len(requests)
    verdict.requests_refused = len(requests) - len(taken)
    verdict.count("notices_unheard", keys.keys() - heard.keys())
    verdict.count("notices_unknown", bodies.keys() - keys.keys())
    verdict.count("notices_changed", (i for i, each in bodies.items() if len(each) > 1))
    verdict.count("notices_out_of_order", out_of_order(heard, keys))
    verdict.notices_repeated = len(taken) - len(heard)
    verdict.repeats_allowed = world.repeats_allowed


def decided(body: bytes) -> str:
    """What a request says of the decision: all but the remark on it.

    What an alert's records have in common is found beside the engine and kept nowhere, so what a
    daemon that died did not see acknowledged goes out again without it (docs/explain.md).
    """
    said = json.loads(body)
    said.pop("common", None)
    return json.dumps(said, sort_keys=True)


def _key(decision: Mapping[str, Any]) -> str:
    """What notices have in common that must come in their order."""
    if decision["kind"] == "alert":
        return f"{decision['rule']} {decision['scope']}"
    return str(decision["number"])


def out_of_order(heard: Iterable[str], keys: Mapping[str, str]) -> set[str]:
    """Keys of which something came before something that was decided earlier.

    ``heard``: ids as they came, repeats among them; ``keys``: of each id, in the order decided.
    """
    places = {each: place for place, each in enumerate(keys)}
    last: dict[str, int] = {}
    found = set()
    for each in dict.fromkeys(heard):
        if each in keys:
            key = keys[each]
            if places[each] < last.get(key, -1):
                found.add(key)
            last[key] = max(places[each], last.get(key, -1))
    return found


def _replay(config: Path, url: str, judged_to_ms: int) -> dict[str, dict[str, Any]]:
    """Decisions of the same topics and journal, by id, in order; up to ``judged_to_ms``."""
    text = config.read_text(encoding="utf-8")
    place = config.with_name("replay.yaml")
    start = text.index('url: {value: "') + len('url: {value: "')
    place.write_text(text[:start] + url + text[text.index('"', start) :], encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "monitor", "replay", "-c", str(place)),
            *("--kafka", "--journal", "store", "--format", "json"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=1_200,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    limit = iso(judged_to_ms)[:19]
    return {line["id"]: line for line in lines if line["at"][:19] <= limit}
