"""What is taken from a socket at once."""

from __future__ import annotations

import selectors
import socket

import pytest
from kafka import KafkaProducer
from kafka.protocol import parser
from kafka.protocol.frame import KafkaBytes

from monitor.source.kafka import KafkaSource
from monitor.source.kafka_wire import (
    LARGE_BYTES,
    RECEIVE_BYTES,
    StillBytes,
    WideSocket,
    decode_in_place,
)
from monitor.source.settings import KafkaSettings
from tests.broker.broker import Cluster
from tests.source.contract import gather_count


def test_more_is_taken_than_is_asked_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, selectors.DefaultSelector() as selector:
        wide = WideSocket(ours)
        theirs.sendall(bytes(10_000))
        selector.register(wide, selectors.EVENT_READ)  # as the client waits for one
        assert [key.fileobj for key, _ in selector.select(10)] == [wide]
        selector.unregister(wide)
        assert len(wide.recv(4_096)) == 10_000
        wide.setblocking(False)
        with pytest.raises(BlockingIOError):
            wide.recv(4_096)
        theirs.close()
        assert wide.recv(4_096) == b""


def test_a_large_answer_is_looked_at_where_it_stands() -> None:
    answer = StillBytes(LARGE_BYTES + 4)
    answer.write(b"head" + bytes(range(256)) * (LARGE_BYTES // 256))
    answer.seek(0)
    assert answer.read(4) == b"head"
    rest = answer.read()
    assert isinstance(rest, memoryview)
    assert rest.obj is answer, "no copy"
    assert rest == bytes(range(256)) * (LARGE_BYTES // 256)
    assert answer.read() == b"", "all of it was read"


def test_a_small_answer_is_bytes_as_ever() -> None:
    answer = StillBytes(8)
    answer.write(b"abcdefgh")
    answer.seek(2)
    assert answer.read() == b"cdefgh"
    assert type(answer.read()) is bytes


@pytest.mark.parametrize("known", [True, False])
def test_only_a_client_that_is_known_is_changed(
    monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    if known:
        monkeypatch.setattr(parser, "KafkaBytes", KafkaBytes)
    else:
        monkeypatch.delattr(parser, "KafkaBytes")
    decode_in_place()
    assert vars(parser).get("KafkaBytes") is (StillBytes if known else None)


@pytest.mark.kafka
def test_the_client_reads_by_large_pieces(kafka: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = kafka.create_topic("wire")
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, max_request_size=2**22)
    producer.send(topic, bytes(1_000_000)).get(30)
    producer.close(timeout=10)
    sizes = []
    recv = WideSocket.recv

    def noted(self: WideSocket, size: int) -> bytes:
        received = recv(self, size)
        sizes.append(len(received))
        return received

    monkeypatch.setattr(WideSocket, "recv", noted)
    source = KafkaSource(KafkaSettings(kind="kafka", bootstrap=kafka.bootstrap, topics=(topic,)))
    source.start({}, None)
    gather_count(source, 1)
    source.close()
    assert 4_096 < max(sizes) <= RECEIVE_BYTES
    assert sum(sizes) > 1_000_000
