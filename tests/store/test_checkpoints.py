"""Checkpoints wherever they are kept: in files, and in PostgreSQL."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from sqlalchemy import delete, func, insert, select
from structlog.testing import capture_logs

from monitor.errors import CheckpointError, LeaseLost, StoreError
from monitor.store.checkpoint import Checkpoints, CheckpointStore
from monitor.store.checkpoint_rows import (
    CHECKPOINTS,
    CHUNK_BYTES,
    CHUNKS,
    PARTS,
    CheckpointRows,
)
from monitor.store.checkpoints import open_checkpoints
from monitor.store.postgres import PostgresDatabase
from monitor.store.settings import StoreSettings
from tests.store.stores import settings_of, take_lease


class Place(Protocol):
    """Where checkpoints are, looked at from behind."""

    def open(self) -> CheckpointStore: ...

    def numbers(self) -> list[int]: ...

    def content(self, number: int) -> bytes: ...

    def overwrite(self, number: int, content: bytes) -> None: ...


class Folder:
    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings

    def open(self) -> CheckpointStore:
        return open_checkpoints(self._settings)

    def numbers(self) -> list[int]:
        return sorted(int(path.stem[11:]) for path in self._settings.checkpoints.iterdir())

    def content(self, number: int) -> bytes:
        return self._path(number).read_bytes()

    def overwrite(self, number: int, content: bytes) -> None:
        self._path(number).write_bytes(content)

    def _path(self, number: int) -> Path:
        return self._settings.checkpoints / f"checkpoint-{number:012d}.ckpt"


class Rows:
    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self.database = PostgresDatabase(settings)

    def open(self) -> CheckpointStore:
        return open_checkpoints(self.settings, token=take_lease(self.settings))

    def numbers(self) -> list[int]:
        with self.database.read() as connection:
            return sorted(connection.scalars(select(CHECKPOINTS.c.number)))

    def content(self, number: int) -> bytes:
        with self.database.read() as connection:
            where = CHUNKS.c.number == number
            chunks = select(CHUNKS.c.content).where(where).order_by(CHUNKS.c.position)
            return b"".join(connection.scalars(chunks))

    def overwrite(self, number: int, content: bytes) -> None:
        with self.database.aside() as connection:
            connection.execute(delete(CHUNKS).where(CHUNKS.c.number == number))
            if content:
                row = {"number": number, "position": 0, "content": content}
                connection.execute(insert(CHUNKS).values(row))


@pytest.fixture
def rows(tmp_path: Path, database_url: str) -> Iterator[Rows]:
    place = Rows(settings_of(tmp_path, database_url))
    yield place
    place.database.close()


@pytest.fixture(params=["files", "rows"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "rows":
        found: Rows = request.getfixturevalue("rows")
        return found
    return Folder(settings_of(tmp_path))


@pytest.fixture
def checkpoints(place: Place) -> Iterator[CheckpointStore]:
    opened = place.open()
    yield opened
    opened.close()


def test_the_settings_choose(tmp_path: Path) -> None:
    files = open_checkpoints(settings_of(tmp_path))
    assert isinstance(files, Checkpoints)
    url = "postgresql://nobody@127.0.0.1:1/none"
    assert isinstance(open_checkpoints(settings_of(tmp_path, url)), CheckpointRows)


def test_the_last_two_are_kept_and_the_newest_is_read(
    checkpoints: CheckpointStore, place: Place
) -> None:
    assert checkpoints.load() is None
    for number in range(1, 8):
        saved = checkpoints.save({"number": number, "array": np.arange(number)})
        loaded = checkpoints.load()
        assert loaded is not None
        assert (loaded["number"], loaded["array"].tolist()) == (number, list(range(number)))
    assert place.numbers() == [6, 7]
    assert len(place.content(7)) == saved.written
    again = place.open()
    assert (again.load() or {})["number"] == 7
    again.close()


def test_both_places_hold_the_same_bytes(tmp_path: Path, rows: Rows) -> None:
    state: dict[str, Any] = {"names": ["a", "b"], "sums": np.arange(100_000, dtype=np.int64)}
    files = Folder(settings_of(tmp_path / "other"))
    for place in (files, rows):
        opened = place.open()
        opened.save(state)
        opened.close()
    assert files.content(1) == rows.content(1)


def test_what_a_snapshot_may_not_hold_leaves_what_there_was(
    checkpoints: CheckpointStore, place: Place
) -> None:
    checkpoints.save({"good": 1})
    with pytest.raises(CheckpointError, match=r"state\.bad: a snapshot may not hold a set"):
        checkpoints.save({"bad": {1}})
    assert checkpoints.load() == {"good": 1}
    assert place.numbers() == [1]


def spoilt(content: bytes, how: str) -> bytes:
    match how:
        case "cut":
            return content[:-1]
        case "empty":
            return b""
        case "flipped":
            return content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
        case "magic":
            return b"X" + content[1:]
        case "newer":
            return content[:8] + struct.pack("<I", 3) + content[12:]
        case _:
            return content + b"x"


FAULTS = {
    "cut": "checksum is wrong",
    "empty": "not a checkpoint",
    "flipped": "checksum is wrong",
    "magic": "not a checkpoint",
    "newer": "it has format 3, and this program reads 1 to 2",
    "longer": "checksum is wrong",
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_damaged_newest_one_is_logged_and_the_older_is_read(
    checkpoints: CheckpointStore, place: Place, how: str
) -> None:
    checkpoints.save({"number": 1})
    checkpoints.save({"number": 2})
    place.overwrite(2, spoilt(place.content(2), how))
    with capture_logs() as logs:
        assert checkpoints.load() == {"number": 1}
    (line,) = logs
    assert line["event"] == "checkpoint_unreadable"
    assert FAULTS[how] in line["detail"]


def test_none_readable_is_an_error_that_names_each(
    checkpoints: CheckpointStore, place: Place
) -> None:
    checkpoints.save({"number": 1})
    checkpoints.save({"number": 2})
    for number in (1, 2):
        place.overwrite(number, spoilt(place.content(number), "cut"))
    with pytest.raises(CheckpointError, match=r"no checkpoint can be read: .*2.*checksum.*1.*"):
        checkpoints.load()
    checkpoints.save({"number": 3})
    assert checkpoints.load() == {"number": 3}


# --- in PostgreSQL ------------------------------------------------------------------------------


def test_a_large_one_comes_in_chunks_none_of_which_is_kept_too_long(rows: Rows) -> None:
    noise = np.random.default_rng(1).integers(0, 2**63, 500_000)  # does not compress
    checkpoints = rows.open()
    for number in range(4):
        checkpoints.save({"number": number, "noise": noise})
    loaded = checkpoints.load()
    assert loaded is not None
    np.testing.assert_array_equal(loaded["noise"], noise)
    checkpoints.close()
    with rows.database.read() as connection:
        lengths = func.length(PARTS.c.content)
        found = connection.execute(select(PARTS.c.number, lengths).order_by(*PARTS.c[:2])).all()
    each = [length for number, length in found if number == 1]
    assert {number for number, _ in found} == {1}, "it did not change"
    assert set(each[:-1]) == {CHUNK_BYTES}
    assert 0 < each[-1] <= CHUNK_BYTES
    assert len(each) == 4


def test_a_reader_needs_no_lease_and_saves_nothing(rows: Rows) -> None:
    checkpoints = rows.open()
    checkpoints.save({"number": 1})
    with_no_token = open_checkpoints(rows.settings)
    assert with_no_token.load() == {"number": 1}
    with pytest.raises(StoreError, match="by the holder of the lease alone"):
        with_no_token.save({"number": 2})
    for opened in (checkpoints, with_no_token):
        opened.close()


def test_who_lost_the_lease_saves_nothing(rows: Rows) -> None:
    old = rows.open()
    old.save({"by": "old"})
    new = rows.open()
    with pytest.raises(LeaseLost):
        old.save({"by": "old, late"})
    assert new.load() == {"by": "old"}
    new.save({"by": "new"})
    assert old.load() == {"by": "new"}
    for opened in (old, new):
        opened.close()


def test_no_decision_waits_for_a_checkpoint(rows: Rows) -> None:
    """And no checkpoint for a decision: neither takes the other's turn."""
    checkpoints = rows.open()
    checkpoints.save({"number": 1})  # the tables are there
    with rows.database.write():
        assert checkpoints.save({"number": 2}).written > 0
    checkpoints.close()
