"""Records as a sequence: what a list of bytes would say."""

from __future__ import annotations

import numpy as np

from monitor.source.records import Records

RECORDS = Records(b"..one.two..three", np.array([2, 6, 11]), np.array([5, 9, 16]))


def test_it_is_a_sequence_of_bytes() -> None:
    said = [b"one", b"two", b"three"]
    assert list(RECORDS) == said
    assert [RECORDS[at] for at in range(3)] == said
    assert RECORDS[-1] == b"three"
    assert len(RECORDS) == 3
    assert said == RECORDS
    assert RECORDS != [b"one"]
    assert RECORDS != b"one"


def test_a_part_stands_in_the_same_memory() -> None:
    part = RECORDS[1:]
    assert list(part) == [b"two", b"three"]
    assert part.memory is RECORDS.memory
    assert list(RECORDS.chosen(np.array([0, 2]))) == [b"one", b"three"]


def test_no_record_is_a_tombstone() -> None:
    assert None not in RECORDS
    assert b"two" in RECORDS
    assert b"four" not in RECORDS
