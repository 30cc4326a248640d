"""Checkpoints in files: every value as it was, the newest that is whole, never half of one."""

from __future__ import annotations

import errno
import hashlib
import io
import math
import os
import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from structlog.testing import capture_logs

from monitor.errors import CheckpointError, StoreError
from monitor.store import state as states
from monitor.store.checkpoint import Checkpoints


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def checkpoints(directory: Path) -> Checkpoints:
    return Checkpoints(directory)


def same(one: Any, other: Any) -> bool:
    """Equal to the bit, types included."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    return bool(one == other)


def there_and_back(state: dict[str, Any]) -> dict[str, Any]:
    return states.read(io.BytesIO(b"".join(map(bytes, states.pack(state).pieces()))))


DTYPES = st.sampled_from(
    ["<i8", "<i4", "<i2", "i1", "<u8", "<u4", "<u2", "u1", "<f8", "<f4", "bool"]
).map(np.dtype)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_every_state_comes_back_to_the_bit(state: dict[str, Any]) -> None:
    assert same(there_and_back(state), state)


@pytest.mark.parametrize(
    "number", [-(2**63) - 1, -(2**63), -1, 0, 2**63, 2**64 - 1, 2**64, -(2**71), 2**71 - 1]
)
def test_integers_at_the_ends_of_64_bits(number: int) -> None:
    assert there_and_back({"x": number, "l": [number, number]}) == {"x": number, "l": [number] * 2}


def test_odd_arrays_are_kept_as_plain_ones() -> None:
    grid = np.arange(12, dtype=np.int64).reshape(3, 4)
    back = there_and_back(
        {"big_endian": grid.astype(">i4"), "strided": grid[:, ::2], "transposed": grid.T}
    )
    assert back["big_endian"].dtype == np.dtype("<i4")
    for name, expected in (
        ("big_endian", grid),
        ("strided", grid[:, ::2]),
        ("transposed", grid.T),
    ):
        np.testing.assert_array_equal(back[name], expected)
        assert back[name].flags.writeable
        assert back[name].flags.c_contiguous


def test_scalars_of_numpy_become_plain_ones() -> None:
    back = there_and_back({"x": [np.int64(3), np.float64(0.1), np.bool_(True), np.float32(0.5)]})
    assert same(back, {"x": [3, 0.1, True, 0.5]})
    assert math.isnan(there_and_back({"x": np.float64("nan")})["x"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": {"b": [1, (2, 3)]}}, r"state\.a\.b\[1\]: a snapshot may not hold a tuple"),
        ({"a": {1: 2}}, r"state\.a: the keys of a mapping in a snapshot are strings"),
        ({"a": {1, 2}}, r"state\.a: a snapshot may not hold a set"),
        ({"a": np.array(["x"])}, r"state\.a: a snapshot may not hold an array of <U1"),
        ({"a": np.array([None])}, r"state\.a: a snapshot may not hold an array of object"),
        ({"a": np.zeros(2, dtype=np.complex128)}, "an array of complex128"),
        ({"a": "\ud800"}, "not valid Unicode"),
    ],
)
def test_what_a_snapshot_may_not_hold_is_named_with_its_place(
    checkpoints: Checkpoints, directory: Path, value: dict[str, Any], message: str
) -> None:
    checkpoints.save({"good": 1})
    with pytest.raises(CheckpointError, match=message):
        checkpoints.save(value)
    assert checkpoints.load() == {"good": 1}
    assert len(list(directory.iterdir())) == 1


def test_the_last_two_are_kept_and_the_newest_is_read(
    checkpoints: Checkpoints, directory: Path
) -> None:
    assert checkpoints.load() is None
    for number in range(1, 12):
        saved = checkpoints.save({"number": number})
        assert checkpoints.load() == {"number": number}
    names = sorted(path.name for path in directory.iterdir())
    assert names == ["checkpoint-000000000010.ckpt", "checkpoint-000000000011.ckpt"]
    assert (directory / names[1]).stat().st_size == saved.written == saved.size
    assert Checkpoints(directory).load() == {"number": 11}


def test_one_that_cannot_be_opened_is_logged_and_the_older_is_read(
    checkpoints: Checkpoints, directory: Path
) -> None:
    checkpoints.save({"number": 1})
    checkpoints.save({"number": 2})
    path = directory / "checkpoint-000000000002.ckpt"
    path.unlink()
    path.mkdir()
    with capture_logs() as logs:
        assert checkpoints.load() == {"number": 1}
    assert "cannot be read: Is a directory" in logs[0]["detail"]


def test_a_full_disk_leaves_what_there_was(
    checkpoints: Checkpoints, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.save({"number": 1})

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="cannot be written: No space left on device"):
            checkpoints.save({"number": 2})
    assert [path.name for path in directory.iterdir()] == ["checkpoint-000000000001.ckpt"]
    assert checkpoints.load() == {"number": 1}


def test_strange_files_in_the_directory_are_left_alone(
    checkpoints: Checkpoints, directory: Path
) -> None:
    directory.mkdir()
    (directory / "checkpoint-notes.ckpt").write_text("mine")
    (directory / "checkpoint-000000000007.tmp").write_text("a crash left it")
    assert checkpoints.load() is None
    checkpoints.save({"number": 1})
    assert checkpoints.load() == {"number": 1}


def test_a_large_state_is_compressed(checkpoints: Checkpoints) -> None:
    state = {"names": ["+862150000007"] * 50_000, "zeros": np.zeros(1_000_000)}
    assert checkpoints.save(state).written < 100_000
    assert same(checkpoints.load(), state)


# --- a reader for bytes that no writer of ours made -----------------------------------------------


def tree(value: Any, *buffers: bytes) -> io.BytesIO:
    packed = msgspec.msgpack.encode(value)
    return io.BytesIO(struct.pack("<Q", len(packed)) + packed + b"".join(buffers))


def array(index: int, dtype: str, shape: list[int]) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(1, msgspec.msgpack.encode((index, dtype, shape)))


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (io.BytesIO(b""), "cut short"),
        (io.BytesIO(struct.pack("<Q", 9) + b"x"), "cut short"),
        (io.BytesIO(struct.pack("<Q", 2**33)), "larger than any"),
        (io.BytesIO(struct.pack("<Q", 1) + b"\xc1"), "cannot be read"),
        (tree([1]), "holds no state"),
        (tree({"a": 1}, b"x"), "longer than it says"),
        (tree({"a": array(0, "<i8", [2])}, b"1234567"), "cut short"),
        (tree({"a": array(1, "<i8", [1])}, bytes(8)), "out of order"),
        (tree({"a": array(0, "O", [1])}, bytes(8)), "array of object"),
        (tree({"a": array(0, "<i8", [-1])}), "cannot be read"),
        (tree({"a": array(0, "nonsense", [1])}), "cannot be read"),
        (tree({"a": msgspec.msgpack.Ext(9, b"")}), "unknown extension 9"),
    ],
)
def test_wrong_bytes_are_an_error(stream: io.BytesIO, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        states.read(stream)


def test_a_right_checksum_over_a_wrong_stream_is_an_error(
    checkpoints: Checkpoints, directory: Path
) -> None:
    directory.mkdir()
    head = struct.pack("<8sII", b"MONCKPT\n", 1, 0)
    body = b"not zstd"
    digest = hashlib.blake2b(head + body, digest_size=32).digest()
    (directory / "checkpoint-000000000001.ckpt").write_bytes(head + digest + body)
    with pytest.raises(CheckpointError, match="cannot be unpacked"):
        checkpoints.load()
