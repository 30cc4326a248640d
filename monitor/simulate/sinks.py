"""Where simulated records go: a file, a folder with a file a topic, a file that is rotated, Kafka.

Owns the writing only. When a record is due is ``pacing``'s.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import polars as pl
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from monitor.simulate.lines import FORMS, TOPICS, TYPES
from monitor.source.kafka_client import Link, bridge_client_log, open_producer, translate
from monitor.source.settings import KafkaConnection

_TOPIC_OF: Final = tuple(topic for topic, _, _ in FORMS.values())


class Sink(Protocol):
    """Takes records in order of arrival (``delivery.ARRIVED``)."""

    def write(self, records: pl.DataFrame) -> None:
        """Take the next records."""
        ...

    def close(self) -> None:
        """All is written, or let go."""
        ...


class FileSink:
    """One JSONL file with all topics, written anew."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("wb")

    def write(self, records: pl.DataFrame) -> None:
        """Append the lines."""
        _write(self._file, records)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class FolderSink:
    """A folder with ``calls.jsonl``, ``crm.jsonl`` and ``sms.jsonl``, written anew."""

    def __init__(self, folder: Path) -> None:
        self._files = {topic: FileSink(folder / f"{topic}.jsonl") for topic in TOPICS}

    def write(self, records: pl.DataFrame) -> None:
        """Append each line to its topic's file."""
        for topic, file in self._files.items():
            file.write(records.filter(pl.col("type").is_in(_types_of(topic))))

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


class RotatingSink:
    """One JSONL file that is renamed to ``.1`` (and ``.1`` to ``.2`` …) when it is full."""

    def __init__(self, path: Path, *, bytes_max: int, keep: int) -> None:
        """At most ``keep`` old files stay, each at most ``bytes_max`` and one write long."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._bytes_max, self._keep = path, bytes_max, keep
        for number in range(1, keep + 1):
            self._old(number).unlink(missing_ok=True)
        self._file: BinaryIO = path.open("wb")

    def write(self, records: pl.DataFrame) -> None:
        """Append the lines, and hand them to whoever follows the file."""
        _write(self._file, records)
        self._file.flush()
        if self._file.tell() >= self._bytes_max:
            self._file.close()
            for number in range(self._keep, 0, -1):
                younger = self._old(number - 1) if number > 1 else self._path
                with contextlib.suppress(FileNotFoundError):
                    younger.rename(self._old(number))
            self._file = self._path.open("wb")

    def close(self) -> None:
        """Close the file; what was written stays."""
        self._file.close()

    def _old(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class KafkaSink:
    """Topics ``calls``, ``crm`` and ``sms``: partitions by the record's key, stamped on arrival."""

    def __init__(
        self, connection: KafkaConnection, *, partitions: int = 4, prefix: str = "", **options: Any
    ) -> None:
        """Topics that are missing are made with so many partitions.

        ``prefix`` goes before the topics' names; ``options`` to the producer, over the
        connection's.

        Raises:
            SourceUnavailable: no broker answers.
            SourceError: it never will, or forbids it.
        """
        self._topics = [prefix + topic for topic in _TOPIC_OF]
        _make_topics(connection, [prefix + topic for topic in TOPICS], partitions)
        _make_topics(connection, [prefix + topic for topic in TOPICS], partitions)
        batching = {"linger_ms": 20, "batch_size": 2**17}
        self._producer, _ = open_producer(connection, **(batching | options))
        self._faults: list[Exception] = []

    def write(self, records: pl.DataFrame) -> None:
        """Send the records and wait until the broker has them all.

        Raises:
            SourceUnavailable, SourceError: it has not.
        """
        columns = ("type", "arrival", "key", "line")
        try:
            for kind, arrival, key, line in records.select(columns).iter_rows():
                self._producer.send(
                    self._topics[kind],
                    line.encode(),
                    key=key.encode(),
                    timestamp_ms=arrival,
                ).add_errback(self._faults.append)
            self._producer.flush()
        except KafkaError as fault:
            raise translate(fault, "sending simulated records") from fault
        if self._faults:
            raise translate(self._faults[0], "sending simulated records")

    def close(self) -> None:
        """Let go of the broker."""
        self._producer.close()


def _write(file: BinaryIO, records: pl.DataFrame) -> None:
    if records.height:
        file.write("\n".join(records["line"].to_list()).encode() + b"\n")


def _types_of(topic: str) -> list[int]:
    return [index for index, kind in enumerate(TYPES) if FORMS[kind][0] == topic]


def _make_topics(connection: KafkaConnection, topics: list[str], partitions: int) -> None:
    bridge_client_log()
    link = Link()
    try:
        admin = KafkaAdminClient(**connection.options(), kafka_client=link)
    except KafkaError as fault:
        link.close()  # the client that did not come to life leaves its thread behind otherwise
        raise translate(fault, f"connecting to {connection.bootstrap}") from fault
    try:
        missing = sorted(set(topics) - set(admin.list_topics()))
        if missing:
            with contextlib.suppress(TopicAlreadyExistsError):
                admin.create_topics([NewTopic(name, partitions, -1) for name in missing])
    except KafkaError as fault:
        raise translate(fault, f"making topics at {connection.bootstrap}") from fault
    finally:
        admin.close()
