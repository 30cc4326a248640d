"""A small seeded part of the fuzzing; ``python -m tests.fuzz`` does as many as are asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.events.batch import REJECT_REASONS
from monitor.events.strict import Fault, StrictDecoder
from tests.fuzz import documents, records
from tests.fuzz.campaign import FuzzError, Target, run, save
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.untraced


@pytest.mark.parametrize(("name", "count"), [("records", 4_000), ("yaml", 1_500)])
def test_some_inputs_of_a_fixed_seed(name: str, count: int) -> None:
    outcome = run(TARGETS[name], seed=20261122, count=count)
    assert outcome.count == count
    assert outcome.accepted > count // 100, "next to nothing is accepted: mutations are too wild"


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_an_input_depends_on_seed_and_number_alone(name: str) -> None:
    target = TARGETS[name]
    made = [target.make(1, number) for number in range(50)]
    assert made == [target.make(1, number) for number in range(50)]
    assert made != [target.make(2, number) for number in range(50)]
    assert len(set(made)) > 30


def test_mutations_reach_every_reason_of_the_door() -> None:
    """Otherwise a million of them would say little."""
    strict = StrictDecoder(records._COLUMNS, records._TYPES, records._LIMITS)
    verdicts = [strict.decode(records.make(1, number)) for number in range(20_000)]
    reasons = {verdict.reason for verdict in verdicts if isinstance(verdict, Fault)}
    not_here = {"from_the_future", "too_late", "not_allowed"}  # by the watermark, by the topic
    assert reasons == set(REJECT_REASONS) - not_here
    assert sum(not isinstance(verdict, Fault) for verdict in verdicts) > 2_000


def test_every_kind_of_document_is_mutated() -> None:
    kinds = {documents.make(1, number).kind for number in range(200)}
    assert kinds == {"config", "indicators", "rules"}


def test_a_disagreement_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = records._STRICT.decode

    def lying(record: bytes) -> object:
        verdict = honest(record)
        return verdict if isinstance(verdict, Fault) else (*verdict[:-1], "another")

    monkeypatch.setattr(records._STRICT, "decode", lying)
    with pytest.raises(FuzzError, match="--seed 1 --first"):
        run(TARGETS["records"], seed=1, count=200)


def _refuse_seven(inputs: Sequence[bytes]) -> int:
    for made in inputs:
        if json.loads(made) == 7:
            raise RecursionError("seven")
    return len(inputs)


SEVEN = Target("seven", lambda _seed, number: b"%d" % number, _refuse_seven, chunk=4)


def test_a_failure_names_its_input_and_makes_it_again(tmp_path: Path) -> None:
    said: list[int] = []
    with pytest.raises(FuzzError, match=r"seven --seed 3 --first 7 --count 1: RecursionError"):
        run(SEVEN, seed=3, count=100, progress=said.append)
    assert said == [4]
    assert save(SEVEN, 3, 7, tmp_path / "new").read_bytes() == b"7"
    with pytest.raises(FuzzError):
        run(SEVEN, seed=3, first=7, count=1)
    assert run(SEVEN, seed=3, first=8, count=10).accepted == 10


def test_growth_and_slowness_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytearray] = []

    def leak(inputs: Sequence[bytes]) -> int:
        kept.append(bytearray(b"x" * 20 * 2**20))
        return len(inputs)

    with pytest.raises(FuzzError, match="memory grew by"):
        run(Target("leak", SEVEN.make, leak, chunk=4), seed=1, count=40)
    kept.clear()
    monkeypatch.setattr("tests.fuzz.campaign.CHUNK_S_MAX", -1.0)
    with pytest.raises(FuzzError, match="a chunk took"):
        run(SEVEN, seed=1, first=8, count=4)
