"""Checkpoints as what is new in them: parts written once, arrays as their changes, few files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.sealed import Sealed
from monitor.store import changes, holdings
from monitor.store.checkpoint import Checkpoints, CheckpointStore, Saved, ShelvedCheckpoints
from monitor.store.settings import StoreSettings
from monitor.store.shelf import Folder
from tests.small_parts import small_parts
from tests.store.parts import load, noise, numbers, opened, part, plain, shelf_of
from tests.store.stores import KINDS, settings_of
from tests.store.test_checkpoint import same


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    return settings_of(tmp_path, url)


@pytest.fixture
def checkpoints(settings: StoreSettings) -> Iterator[CheckpointStore]:
    checkpoints = opened(settings)
    yield checkpoints
    checkpoints.close()


# --- what is written ------------------------------------------------------------------------------


def test_a_part_is_written_once_and_goes_when_nothing_refers_to_it(
    settings: StoreSettings, checkpoints: CheckpointStore
) -> None:
    one, other = part(seed=1), part(seed=2)
    first = checkpoints.save({"parts": [one]})
    second = checkpoints.save({"parts": [one, other]})
    third = checkpoints.save({"parts": [one, other]})
    assert first.written > 8_000
    assert 8_000 < second.written < 9_500
    assert third.written < 500
    assert third.size > 16_000
    assert numbers(settings, "root") == [2, 3]
    assert numbers(settings, "parts") == [1, 2]
    checkpoints.save({"parts": [other]})
    assert numbers(settings, "parts") == [1, 2], "the older checkpoint still needs the first"
    checkpoints.save({"parts": [other]})
    assert numbers(settings, "parts") == [2]
    checkpoints.save({})
    checkpoints.save({})
    assert (len(numbers(settings, "root")), numbers(settings, "parts")) == (2, [])


def test_parts_are_still_stored_after_a_restart(
    settings: StoreSettings, checkpoints: CheckpointStore
) -> None:
    state = {"parts": [part(), Sealed(["a", None, "b"])], "twice": part(seed=2)}
    state["again"] = state["twice"]
    checkpoints.save(state)
    reader = opened(settings)
    loaded = reader.load()
    assert loaded is not None
    assert same(plain(loaded), plain(state))
    assert loaded["again"] is loaded["twice"]
    assert reader.save(loaded).written < 500
    reader.close()


def test_what_another_store_has_is_written_here(tmp_path: Path) -> None:
    state = {"part": part()}
    one, other = Checkpoints(tmp_path / "one"), Checkpoints(tmp_path / "other")
    for place in (one, other, one):
        place.save(state)
        loaded = place.load()
        assert loaded is not None
        assert same(plain(loaded), plain(state))


def test_an_array_that_changes_is_written_as_its_changes(
    settings: StoreSettings, checkpoints: CheckpointStore
) -> None:
    array = noise(40_000).astype(np.float64).reshape(-1, 4)
    whole = checkpoints.save({"rules": {"m": array.copy()}}).written
    assert whole > 300_000
    for row in range(0, 10_000, 250):
        array[row] = [row, np.nan, -0.0, 0.0]
        assert checkpoints.save({"rules": {"m": array.copy()}}).written < 6_000
        assert same(load(settings)["rules"]["m"], array)
    assert checkpoints.save({"rules": {"m": array.copy()}}).written < 1_000
    reader = opened(settings)
    loaded = reader.load()
    assert loaded is not None
    assert reader.save({"rules": {"m": array.copy()}}).written < 1_000, "nor after a restart"
    loaded["rules"]["m"][:] = 0  # it is the reader's own
    array[17] = 5
    reader.save({"rules": {"m": array.copy()}})
    assert same(load(settings)["rules"]["m"], array)
    reader.close()


def test_arrays_that_grow_shrink_and_turn_into_others(checkpoints: CheckpointStore) -> None:
    arrays = [
        noise(5_000),
        noise(5_003),
        noise(700),
        noise(6_000),
        noise(6_000).astype(np.int32),
        noise(6_000).reshape(-1, 2),
        noise(6_000).reshape(-1, 2) > 2**62,
        np.array(7),
        noise(2),
        np.zeros((0, 4)),
        noise(5_000, seed=2),
    ]
    for array in [*arrays, *reversed(arrays)]:
        checkpoints.save({"a": array.copy()})
        loaded = checkpoints.load()
        assert loaded is not None
        assert same(loaded["a"], array)


def test_an_idle_system_writes_next_to_nothing(checkpoints: CheckpointStore) -> None:
    """Bytes, not seconds: a state of megabytes of which nothing changes."""
    panes = [part(10_000, seed) for seed in range(20)]
    array = noise(100_000)
    state: dict[str, Any] = {"panes": panes, "m": array, "judged": 5_000}
    assert checkpoints.save(state).written > 2_400_000
    for tick in range(5):
        saved = checkpoints.save({**state, "m": array.copy(), "judged": tick})
        assert saved.written < 1_000
        assert saved.size > 2_400_000


# --- what it comes to -----------------------------------------------------------------------------


def churn(checkpoints: CheckpointStore, rounds: int) -> Iterator[tuple[Saved, int]]:
    """Parts come in each round and leave after a while, some very late; bytes that are needed."""
    rng = random.Random(7)
    living: list[tuple[int, Sealed]] = []
    array = noise(20_000)
    for number in range(rounds):
        stays = rng.choice([1, 2, 5, 30, 200])
        living.append((number + stays, part(rng.randrange(50, 3_000), number)))
        living = [(until, each) for until, each in living if until > number]
        array[rng.sample(range(20_000), 50)] = number
        state = {"parts": [each for _, each in living], "m": array.copy(), "number": number}
        needed = sum(each.content()["keys"].nbytes for _, each in living) + array.nbytes
        yield checkpoints.save(state), needed


def test_files_stay_few_and_small_over_hundreds_of_checkpoints(
    settings: StoreSettings, checkpoints: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdings, "SPARE_BYTES", 100_000)
    shelf, most, written = shelf_of(settings), 0.0, 0
    for saved, needed in churn(checkpoints, 300):
        sizes = shelf.sizes()
        written += saved.written
        most = max(most, (sum(sizes.values()) - 100_000) / needed)
        assert sum(blob.kind == "root" for blob in sizes) <= 2
        # Those of the newest, and what the one before it needs beside them.
        assert sum(blob.kind == "parts" for blob in sizes) <= 2 * holdings.FILES_MAX
        assert saved.size <= 2.5 * needed + 100_000
    assert most < 3
    assert written < 300 * 100_000, "and no checkpoint wrote all of it"
    loaded = load(settings)
    assert loaded["number"] == 299
    shelf.close()


def test_too_many_files_become_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "FILES_MAX", 5)
    checkpoints, parts = Checkpoints(tmp_path), list[Sealed]()
    for number in range(40):
        parts.append(part(100, number))
        saved = checkpoints.save({"parts": list(parts)})
        files = Folder(tmp_path).sizes()
        assert sum(blob.kind == "parts" for blob in files) <= 5 + 3
        assert saved.written < 40_000
    loaded = Checkpoints(tmp_path).load()
    assert loaded is not None
    assert same(plain(loaded["parts"]), plain(parts))


def test_files_are_emptied_a_bounded_amount_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdings, "SPARE_BYTES", 1_000)
    monkeypatch.setattr(holdings, "MOVED_BYTES", 40_000)
    monkeypatch.setattr(holdings, "MOVED_SHARE", 1_000)
    checkpoints = Checkpoints(tmp_path)
    parts = [part(1_000, seed) for seed in range(100)]
    checkpoints.save({"parts": parts})
    writes = [checkpoints.save({"parts": parts[::4]}).written for _ in range(12)]
    assert max(writes) < 60_000
    assert sum(writes) > 200_000, "in the end all of it was moved"
    assert writes[-1] < 1_000
    assert sum(Folder(tmp_path).sizes().values()) < 220_000


def test_both_places_hold_the_same_bytes(tmp_path: Path, database_url: str) -> None:
    contents = []
    for settings in (settings_of(tmp_path), settings_of(tmp_path, database_url)):
        checkpoints, shared, array = opened(settings), Sealed(["x", None]), noise(5_000)
        for number in range(3):
            array[number] = number
            state = {"number": number, "shared": shared, "own": part(), "m": array.copy()}
            checkpoints.save(state)
        checkpoints.close()
        shelf = shelf_of(settings)
        found = {}
        for blob in shelf.sizes():
            with shelf.opened(blob) as file:
                file.seek(0)
                found[blob] = file.read()
        shelf.close()
        contents.append(found)
    assert contents[0] == contents[1]
    assert len(contents[0]) == 5


@pytest.mark.parametrize("seed", range(4))
def test_any_state_comes_back_whatever_was_written_before(seed: int, tmp_path: Path) -> None:
    """Parts and arrays of a few rows, files that are emptied all the time, restarts."""
    rng = random.Random(seed)
    with small_parts():
        checkpoints: ShelvedCheckpoints = Checkpoints(tmp_path)
        parts: list[Sealed] = []
        arrays = [noise(rng.randrange(40), seed) for _ in range(3)]
        state: dict[str, Any] = {}
        for number in range(150):
            parts = [each for each in parts if rng.random() < 0.9]
            parts += [Sealed([f"{number}", rng.random()]) for _ in range(rng.randrange(3))]
            for index, array in enumerate(arrays):
                if rng.random() < 0.2:
                    arrays[index] = noise(rng.randrange(60), number)
                elif len(array):
                    array[rng.randrange(len(array))] = number
            copies = [array.copy() for array in arrays]
            state = {
                "n": number,
                "parts": parts[:],
                "arrays": copies,
                "by": {"m": copies[0].copy()},
            }
            checkpoints.save(state)
            if rng.random() < 0.2:
                checkpoints = Checkpoints(tmp_path)
                loaded = checkpoints.load()
                assert loaded is not None
                assert same(plain(loaded), plain(state))
                parts = loaded["parts"]
    assert changes.BYTES_MIN > 24, "the bounds are the product's again"
