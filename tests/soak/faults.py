"""What goes wrong, one thing every few seconds, by a seed.

Owns the list of faults and their order. Each leaves things as they were once it is over, but for
what it killed and started again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from tests.e2e.daemons import Daemon
from tests.soak.world import World

log = structlog.get_logger(__name__)

Fault = Callable[[World], None]


def kill_active(world: World) -> None:
    """kill -9 of the daemon that decides; back after a second."""
    active = world.group.active()
    if active is not None:
        active.kill()
        world.pause_s(1)
        active.start()


def kill_stand_by(world: World) -> None:
    """kill -9 of one that stands by."""
    for daemon in _others(world):
        daemon.kill()
        daemon.start()
        return


def pause_active(world: World) -> None:
    """SIGSTOP of the one that decides, for longer than its lease; then SIGCONT."""
    active = world.group.active()
    if active is not None:
        active.pause()
        world.pause_s(6)
        active.go_on()


def bounce_broker(world: World) -> None:
    """kill -9 of one broker of three, which moves its partitions' leaders; back after 2 s."""
    node = world.trio.nodes[world.bounced % len(world.trio.nodes)]
    world.bounced += 1
    node.kill()
    world.pause_s(2)
    node.launch(heap="512M")
    node.await_answer()
    world.pause_s(4)  # two of three must hold a record: it has to catch up before the next goes


def move_leaders(world: World) -> None:
    """Every partition goes back to the leader it was made with."""
    world.trio.elect()


def restart_store(world: World) -> None:
    """PostgreSQL crashes and comes back."""
    assert world.server is not None
    world.server.stop("immediate")
    world.pause_s(1)
    world.server.start()


def hold_store(world: World) -> None:
    """What daemons and store say to each other comes 3 s late."""
    world.store_proxy.hold()
    world.pause_s(3)
    world.store_proxy.pass_on()


def lose_store(world: World) -> None:
    """Nothing that daemons and store say to each other arrives; then the connections are dead."""
    world.store_proxy.swallow()
    world.pause_s(3)
    world.store_proxy.pass_on()


def hold_brokers(world: World) -> None:
    """What clients and brokers say to each other comes 3 s late."""
    for proxy in world.trio.proxies:
        proxy.hold()
    world.pause_s(3)
    for proxy in world.trio.proxies:
        proxy.pass_on()


def lose_brokers(world: World) -> None:
    """Nothing that clients and brokers say arrives; then the connections are dead."""
    for proxy in world.trio.proxies:
        proxy.swallow()
    world.pause_s(3)
    for proxy in world.trio.proxies:
        proxy.pass_on()


def failing_receiver(world: World) -> None:
    """The webhook answers 503 for a while, and sometimes takes what it then denies."""
    world.refuse(seconds=4)


FAULTS: Mapping[str, tuple[Fault, int]] = {
    "kill -9, active daemon": (kill_active, 4),
    "kill -9, stand-by": (kill_stand_by, 1),
    "SIGSTOP 6 s, active daemon": (pause_active, 2),
    "kill -9, one broker of three": (bounce_broker, 2),
    "leaders moved": (move_leaders, 1),
    "PostgreSQL crashed and restarted": (restart_store, 1),
    "network to PostgreSQL holds all back for 3 s": (hold_store, 1),
    "network to PostgreSQL loses all for 3 s": (lose_store, 1),
    "network to Kafka holds all back for 3 s": (hold_brokers, 1),
    "network to Kafka loses all for 3 s": (lose_brokers, 1),
    "webhook answers 503 for 4 s": (failing_receiver, 1),
}
"""Name, what it does, and how often beside the others."""


def go_wrong(world: World, *, seconds: float, every_s: float, seed: int) -> Counter[str]:
    """One fault after the other for ``seconds``; how often each came."""
    draw = random.Random(seed)
    bag: list[str] = []
    counted: Counter[str] = Counter()
    end_s = world.clock.monotonic_s() + seconds
    while world.clock.monotonic_s() < end_s:
        if not bag:
            bag = [name for name, (_, weight) in FAULTS.items() for _ in range(weight)]
            draw.shuffle(bag)
        name = bag.pop()
        log.info("fault", what=name, left_s=round(end_s - world.clock.monotonic_s()))
        FAULTS[name][0](world)
        counted[name] += 1
        world.pause_s(every_s * (0.5 + draw.random()))
    return counted


def _others(world: World) -> list[Daemon]:
    active = world.group.active()
    return [daemon for daemon in world.group.daemons if daemon is not active]
