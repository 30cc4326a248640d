"""What goes wrong, every few seconds, by a seed.

Owns the lists of faults and their order. Two hands are at work at once: one at the daemons, one at
all around them, so that a daemon is killed while a broker is away, too. Each fault leaves things as
they were once it is over, but for what it killed and started again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog

from tests.soak.world import IN_FLIGHT, World

log = structlog.get_logger(__name__)

Fault = Callable[[World], bool]
"""False: there was nothing to do it to."""


def kill_active(world: World) -> bool:
    """kill -9 of the daemon that decides; back after a second."""
    active = world.group.active()
    if active is None:
        return False
    world.kill(active)
    world.pause_s(1)
    active.start()
    return True


def kill_stand_by(world: World) -> bool:
    """kill -9 of one that stands by."""
    active = world.group.active()
    other = next(each for each in world.group.daemons if each is not active)
    world.kill(other)
    other.start()
    return True


def pause_active(world: World) -> bool:
    """SIGSTOP of the one that decides, for longer than its lease; then SIGCONT."""
    active = world.group.active()
    if active is None:
        return False
    active.pause()
    world.may_repeat(world.in_flight())
    world.pause_s(6)
    active.go_on()
    return True


def bounce_broker(world: World) -> bool:
    """kill -9 of one broker of three, which moves its partitions' leaders; back after 2 s."""
    node = world.trio.nodes[world.bounced % len(world.trio.nodes)]
    world.bounced += 1
    node.kill()
    world.pause_s(2)
    node.launch(heap="512M")
    node.await_answer()
    world.pause_s(4)  # two of three must hold a record: it has to catch up before the next goes
    return True


def move_leaders(world: World) -> bool:
    """Every partition goes back to the leader it was made with."""
    world.trio.elect()
    return True


def restart_store(world: World) -> bool:
    """PostgreSQL crashes and comes back."""
    assert world.server is not None
    world.server.stop("immediate")
    world.may_repeat(IN_FLIGHT)
    world.pause_s(1)
    world.server.start()
    return True


def hold_store(world: World) -> bool:
    """What daemons and store say to each other comes 3 s late."""
    world.store_proxy.hold()
    world.may_repeat(IN_FLIGHT)
    world.pause_s(3)
    world.store_proxy.pass_on()
    return True


def lose_store(world: World) -> bool:
    """Nothing that daemons and store say to each other arrives; then the connections are dead."""
    world.store_proxy.swallow()
    world.may_repeat(IN_FLIGHT)
    world.pause_s(3)
    world.store_proxy.pass_on()
    return True


def hold_brokers(world: World) -> bool:
    """What clients and brokers say to each other comes 3 s late."""
    for proxy in world.trio.proxies:
        proxy.hold()
    world.pause_s(3)
    for proxy in world.trio.proxies:
        proxy.pass_on()
    return True


def lose_brokers(world: World) -> bool:
    """Nothing that clients and brokers say arrives; then the connections are dead."""
    for proxy in world.trio.proxies:
        proxy.swallow()
    world.pause_s(3)
    for proxy in world.trio.proxies:
        proxy.pass_on()
    return True


def failing_receiver(world: World) -> bool:
    """The webhook answers 503 for a while."""
    world.refuse(seconds=4)
    return True


Hand = Mapping[str, tuple[Fault, int]]
"""Name, what it does, and how often beside the others."""

DAEMONS: Hand = {
    "kill -9, active daemon": (kill_active, 4),
    "kill -9, stand-by": (kill_stand_by, 1),
    "SIGSTOP 6 s, active daemon": (pause_active, 1),
}
AROUND: Hand = {
    "kill -9, one broker of three": (bounce_broker, 2),
    "leaders moved": (move_leaders, 1),
    "PostgreSQL crashed and restarted": (restart_store, 1),
    "network to PostgreSQL holds all back for 3 s": (hold_store, 1),
    "network to PostgreSQL loses all for 3 s": (lose_store, 1),
    "network to Kafka holds all back for 3 s": (hold_brokers, 1),
    "network to Kafka loses all for 3 s": (lose_brokers, 1),
    "webhook answers 503 for 4 s": (failing_receiver, 1),
}


def go_wrong(world: World, *, seconds: float, every_s: float, seed: int) -> Counter[str]:
    """Faults by both hands for ``seconds``; how often each came."""
    end_s = world.clock.monotonic_s() + seconds

    def work(hand: Hand, name: str, pause_s: float) -> Counter[str]:
        return _work(world, hand, random.Random(f"{seed} {name}"), end_s, pause_s)

    with ThreadPoolExecutor(1) as other:
        # A daemon that never gets to work has nothing in flight to lose.
        daemons = other.submit(work, DAEMONS, "daemons", 1.5 * every_s)
        # In this thread: the kernel ends a broker with the thread that has started it.
        around = work(AROUND, "around", every_s)
        return around + daemons.result()


def _work(
    world: World, hand: Hand, draw: random.Random, end_s: float, pause_s: float
) -> Counter[str]:
    """One fault after the other."""
    bag: list[str] = []
    counted: Counter[str] = Counter()
    while (left_s := end_s - world.clock.monotonic_s()) > 0:
        world.check()
        if not bag:
            bag = [name for name, (_, weight) in hand.items() for _ in range(weight)]
            draw.shuffle(bag)
        name = bag.pop()
        log.info("fault", what=name, left_s=round(left_s))
        counted[name] += hand[name][0](world)
        world.pause_s(pause_s * (0.5 + draw.random()))
    return counted
