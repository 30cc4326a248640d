"""The hostile corpus: each record lands where it must, alone and in company."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from monitor.compiled.json_text import token_end
from monitor.events.batch import REJECT_REASONS
from monitor.events.catalogue import EVENT_TYPES, FIELDS
from monitor.events.columns import _Block
from monitor.events.decode import Decoder
from monitor.events.settings import EventSettings
from monitor.source.base import Fetched, Partition
from tests.events.hostile import ACCEPTED, AT_MS, BY_TOPIC, BY_WATERMARK, Hostile, corpus, good

CORPUS = corpus()
FIELDS_IN_USE = frozenset(
    ["talk_s", "sip_code", "sip_reason", "outcome", "need_captured", "cost", "started_at"]
)
DECODER = Decoder(FIELDS_IN_USE, frozenset({"call.ended"}), EventSettings())


def fetched(values: list[bytes | None], first: int = 100) -> Fetched:
    offsets = np.arange(first, first + len(values), dtype=np.int64)
    return Fetched(
        Partition("calls", 3),
        offsets,
        offsets * 10,
        append_time=True,
        values=values,
        next_position=first + len(values),
    )


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda one: f"{one.expected}-{one.name}")
def test_alone(hostile: Hostile) -> None:
    decoded = DECODER.decode(fetched([hostile.value]))
    if hostile.decodes:
        assert decoded.rejects == []
        assert decoded.frame["offset"].to_list() == [100]
    else:
        (reject,) = decoded.rejects
        assert (reject.reason, reject.value) == (hostile.expected, hostile.value)
        assert (reject.partition, reject.offset) == (Partition("calls", 3), 100)
        assert reject.detail
        assert decoded.frame.height == 0


def test_the_good_ones_around_are_all_kept() -> None:
    values: list[bytes | None] = []
    for number, hostile in enumerate(CORPUS):
        values += [good(number), hostile.value, None]
    values += [good(len(CORPUS) + number) for number in range(2_000)]
    decoded = DECODER.decode(fetched(values))
    rejected = {reject.offset: reject for reject in decoded.rejects}
    for number, hostile in enumerate(CORPUS):
        offset = 100 + 3 * number + 1
        if hostile.decodes:
            assert offset not in rejected, hostile.name
        else:
            assert rejected[offset].reason == hostile.expected, hostile.name
            assert rejected[offset].value == hostile.value
    assert decoded.tombstones == len(CORPUS)
    kept = decoded.frame["offset"].to_list()
    assert sorted([*kept, *rejected]) == [
        100 + row for row, value in enumerate(values) if value is not None
    ]
    assert kept == sorted(kept)
    ids = decoded.frame["id"].to_list()
    assert [name for name in ids if name.startswith("good-")] == [
        f"good-{number}" for number in range(len(CORPUS) + 2_000)
    ]
    assert decoded.timestamps.to_list() == [offset * 10 for offset in kept]


def test_the_corpus_covers_every_reason() -> None:
    assert {hostile.expected for hostile in CORPUS} == {*REJECT_REASONS, ACCEPTED} - BY_TOPIC
    assert len(CORPUS) >= 60
    assert set(REJECT_REASONS) >= BY_WATERMARK


def row_of(name: str) -> dict[str, object]:
    (hostile,) = (one for one in CORPUS if one.name == name and one.decodes)
    return DECODER.decode(fetched([hostile.value])).frame.row(0, named=True)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("duplicate_key_first_wins", "agent", "first"),
        ("duplicate_key_first_wins", "talk_s", 1.0),
        ("time_twice_first_wins", "time", AT_MS),
        ("many_duplicates", "agent", "a"),
        ("empty_text", "agent", None),
        ("empty_text", "outcome", None),
        ("empty_text", "started_at", None),
        ("unknown_type", "agent", None),
        ("unknown_type", "type", "zzz.happened"),
        ("cloud_event", "agent", "a-1"),
        ("cloud_event", "talk_s", 12.5),
        ("cloud_event_without_data", "agent", "a-1"),
        ("emoji_escaped", "agent", "😀"),
        ("escaped_key", "agent", "a-1"),
        ("chinese_escaped", "agent", "王芳"),
        ("underflow", "talk_s", 0.0),
        ("time_nine_digits", "time", AT_MS + 123),
        ("time_twelve_digits", "time", AT_MS + 123),
        ("time_one_digit", "time", AT_MS + 100),
        ("time_nepal", "time", AT_MS),
        ("time_minus_zero", "time", AT_MS),
        ("time_lower_case", "time", AT_MS),
        ("time_integer", "time", AT_MS),
        ("text_that_looks_like_a_number", "agent", "1001"),
        ("newline_in_a_text", "sip_reason", "a\nb"),
    ],
)
def test_accepted_values(name: str, field: str, value: object) -> None:
    assert row_of(name)[field] == value


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda one: f"{one.expected}-{one.name}")
def test_with_every_field_in_use(hostile: Hostile) -> None:
    """What becomes of these does not hang on what rules look at."""
    decoder = Decoder(frozenset(FIELDS), frozenset(EVENT_TYPES), EventSettings())
    decoded = decoder.decode(fetched([good(1), hostile.value, good(2)]))
    reasons = [reject.reason for reject in decoded.rejects]
    assert reasons == ([] if hostile.decodes else [hostile.expected])


def test_nothing_is_read_far_beyond_the_last_record() -> None:
    """What does so is killed, so it is a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.events.guarded"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "batches read" in done.stdout


def test_rows_of_white_space_are_gone_through_once() -> None:
    """Each for itself, and not with all that follow: as long for the last as for the first."""
    raw = _Block.of([b" " * 50] * 10).raw
    assert token_end(raw, 0) == 50
