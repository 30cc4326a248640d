"""Which commands stand in the topic: the look back after an attempt that ended in doubt.

Owns reading the topic of commands from a mark to its end. Marks are ``monitor.telephony.kafka``'s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from monitor.clock import Clock
from monitor.errors import DeliveryError, MonitorError
from monitor.source.base import Partition, Standing
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from monitor.telephony.kafka_faults import delivery_error
from monitor.telephony.settings import SystemSettings

_SCAN_RECORDS = 5_000


class _Sent(msgspec.Struct):
    """What is needed of a command."""

    command_id: str


def ids_after(
    mark: str,
    settings: SystemSettings,
    connection: KafkaConnection,
    clock: Clock,
    *,
    partitions: AbstractSet[int],
) -> set[str]:
    """Command ids in the topic from ``mark`` to its end, of committed transactions only.

    ``partitions``: that the topic has, as its producer knows.

    Raises:
        DeliveryError: the end of each of them was not reached within ``send_timeout``: what was
            not read may be there.
    """
    try:
        offsets = msgspec.json.decode(mark, type=dict[str, int])
    except msgspec.MsgspecError:  # made by another kind of system: the whole topic, then
        offsets = {}
    topic, timeout_s = settings.commands, settings.send_timeout / 1000
    source = KafkaSource(KafkaSettings.of(connection, topic), clock)
    deadline_s = clock.monotonic_s() + timeout_s
    found: set[str] = set()
    try:
        source.start({Partition(topic, int(n)): at for n, at in offsets.items()}, None)
        wanted = {Partition(topic, n) for n in {*partitions, *map(int, offsets)}}
        while not _read_whole(source.standings(), wanted):
            if clock.monotonic_s() > deadline_s:
                # Behind a transaction that another producer holds open there may be ours.
                msg = f"the end of {topic} was not reached in {timeout_s:g} s"
                raise DeliveryError(msg, retry=True, reason="timeout")
            for chunk in source.poll(_SCAN_RECORDS, 0.1):
                found.update(_ids(chunk.values))
    except MonitorError as fault:
        raise delivery_error(fault, connection, settings, "Read") from fault
    finally:
        source.close()
    return found


def _read_whole(standings: Mapping[Partition, Standing], wanted: AbstractSet[Partition]) -> bool:
    """Every partition is read to its end; one that the client does not know of yet is not."""
    return wanted <= standings.keys() and all(
        each.position >= each.end for each in standings.values()
    )


def _ids(values: Iterable[bytes | None]) -> Iterator[str]:
    for value in values:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):  # not one of ours
            yield msgspec.json.decode(value or b"", type=_Sent).command_id
