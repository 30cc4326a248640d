"""A process that sends commands together and is killed before it can say so (test_kafka.py).

Arguments: bootstrap, topic, transactional id, where to die (``before_commit``, ``after_commit``),
and the ids of the commands. The last line it prints is the mark; then it dies by SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from kafka import KafkaProducer

from monitor.source.settings import KafkaConnection
from monitor.telephony.kafka import KafkaCommandChannel
from monitor.telephony.settings import TelephonySettings


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def main(bootstrap: str, topic: str, transactional_id: str, place: str, *ids: str) -> None:
    settings = TelephonySettings(kind="kafka", commands=topic, transactional_id=transactional_id)
    channel = KafkaCommandChannel(settings, KafkaConnection(bootstrap=bootstrap))
    sys.stdout.write(f"{channel.prepare()}\n")
    sys.stdout.flush()
    if place == "before_commit":
        KafkaProducer.commit_transaction = lambda _self: die()
    channel.send_all(
        [(b'{"command_id":"%s"}' % each.encode(), "+862150000007", each) for each in ids]
    )
    die()


if __name__ == "__main__":
    main(*sys.argv[1:])
