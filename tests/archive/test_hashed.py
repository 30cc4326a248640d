"""An archive without customers: nobody is in it, and it decides what the plain one decides."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from monitor.archive.files import pieces
from monitor.archive.hashing import IDS, NAMES, TEXTS, Hasher
from monitor.archive.settings import ArchiveSettings
from monitor.archive.source import mark_of
from monitor.archive.tokens import Tokens
from monitor.decisions import Decision
from monitor.errors import SecretError, SourceError
from monitor.events.catalogue import EVENT_TYPES, FIELDS
from monitor.events.decode import Decoder
from monitor.events.places import Whereabouts, area, country
from monitor.events.rejects import MemoryDeadLetters
from monitor.events.settings import EventSettings
from monitor.mapping.decoder import MappedDecoder
from monitor.mapping.load import loads_mapping
from monitor.replay import replay_engine
from monitor.secret import Secret
from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.simulation import simulate
from monitor.simulate.sinks import FolderSink
from monitor.site import SHIPPED_PACKS, Site, load_site
from monitor.source.base import Fetched, Partition, Source
from monitor.source.files import FileSource
from monitor.source.memory import MemorySource
from monitor.source.settings import FilesSettings
from tests.archive.made import Keeper, all_rows, archived, clock_at, log_of, started
from tests.archive.traffic import CUSTOMERS, traffic
from tests.events import hostile
from tests.mapping.test_decoder import MAPPING

KEY = b"k" * 32
EVENTS = EventSettings()
TOKENS = Tokens(KEY, EVENTS)
PACKS = sorted(path.parent for path in SHIPPED_PACKS.glob("*/rules.yaml"))


def hashed(folder: Path, log: MemorySource, tokens: Tokens = TOKENS, **more: Any) -> Keeper:
    keeper = Keeper(folder, log, clock_at(), hasher=Hasher(tokens), every=2_000, **more)
    keeper.finish()
    return keeper


def batch(*values: bytes | None, topic: str = "calls") -> Fetched:
    offsets = np.arange(len(values), dtype=np.int64)
    return Fetched(
        Partition(topic, 0), offsets, offsets + 5, append_time=False, values=values,
        next_position=len(values),
    )  # fmt: skip


def named(text: str, known: dict[str, str]) -> str:
    for customer, token in known.items():
        text = text.replace(customer, token)
    return text


def decided(site: Site, source: Source, known: dict[str, str]) -> tuple[Counter[str], Counter[str]]:
    """Decisions with tokens for customers, and dead letters by reason and place.

    Ids of decisions are made of scopes, so those about customers have others.
    """
    told: list[Decision] = []
    dead = MemoryDeadLetters()
    engine = replay_engine(site, source, told.append, dead_letters=dead)
    engine.run_to_end()
    lines = Counter[str]()
    for each in told:
        said = each.to_json()
        if any(key == "customer" for key, _ in getattr(each, "scope", ())) or "customer" in said:
            said = {key: value for key, value in said.items() if key not in {"id", "episode"}}
        lines[named(json.dumps(said, ensure_ascii=False, sort_keys=True), known)] += 1
    return lines, Counter(f"{each.partition} {each.offset} {each.reason}" for each in dead.kept)


def test_the_shipped_packs_decide_the_same(tmp_path: Path) -> None:
    everything = load_site(None, packs=PACKS)
    log = log_of(traffic(1, count=2_000, spread_ms=5_400_000))
    Keeper(tmp_path / "plain", log, clock_at(), every=2_000).finish()
    hashed(tmp_path / "hashed", log)
    known = TOKENS.of(CUSTOMERS)
    plain = decided(everything, archived(tmp_path / "plain"), known)
    assert decided(everything, archived(tmp_path / "hashed"), known) == plain
    told = [json.loads(line) for line in plain[0]]
    about = {each["rule"] for each in told if "customer" in each.get("scope", ())}
    assert len(about) > 4, about
    assert len({each.get("rule") for each in told} - about) > 10
    assert plain[1]


def test_a_busy_hour_decides_the_same(tmp_path: Path) -> None:
    recipe = replace(SCENARIOS["late-and-duplicate"], around_the_clock=True)
    made = simulate(recipe, start_ms=1_795_309_200_000, seed=5, rate=8.0, duration_ms=900_000)
    sink = FolderSink(tmp_path / "files")
    for records in made.chunks():
        sink.write(records)
    sink.close()
    log = MemorySource([])
    reading = FileSource(
        FilesSettings(kind="files", paths=(str(tmp_path / "files" / "*.jsonl"),)), clock_at()
    )
    rows = all_rows(started(reading), 5_000)
    log = MemorySource(sorted(rows))
    for part, each in rows.items():
        log.append(part, [row[3] for row in each], timestamp_ms=-1)
    log.finish()
    site = load_site(None, packs=[SHIPPED_PACKS / "telemarketing"])
    hashed(tmp_path / "hashed", log)
    plain = decided(site, started(log.reopened()), {})
    assert decided(site, archived(tmp_path / "hashed"), {}) == plain
    assert sum(plain[0].values()) > 3


def test_no_customer_is_in_any_file(tmp_path: Path) -> None:
    log = log_of(traffic(3))
    plain = Keeper(tmp_path / "plain", log, clock_at(), every=2_000)
    plain.finish()
    hashed(tmp_path / "hashed", log)
    digits = [re.sub(r"\D", "", each)[-8:] for each in CUSTOMERS if each.startswith("+")]
    names = [each for each in CUSTOMERS if not each.startswith("+")]
    searched = re.compile("|".join(map(re.escape, [*digits, *names])))
    found = {"plain": 0, "hashed": 0}
    for folder in found:
        for path in (tmp_path / folder).glob("*/*"):
            assert not searched.search(path.read_bytes().decode("latin-1")) or folder == "plain"
            for column in pl.read_parquet(path).get_columns():
                for value in column.to_list():
                    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                    bare = re.sub(r"(?<=[0-9])[ ()./\-]+(?=[0-9])", "", str(text))
                    found[folder] += bool(searched.search(bare) or searched.search(str(text)))
    assert found["plain"] > 3_000
    assert found["hashed"] == 0


def test_what_is_kept_of_an_event_and_what_is_not() -> None:
    event = {
        "id": "x-139", "type": "call.ended", "time": "2026-11-22T09:00:00+08:00",
        "customer": "139 7710 2345", "number": "+862150000001", "agent": "li", "talk_s": 12.5,
        "call_id": "c-1", "sip_reason": "OK, said 8613977102345", "phone": "13977102345",
        "customer_tz": "Asia/Shanghai", "need_captured": True,
    }  # fmt: skip
    made = Hasher(TOKENS).hashed(batch(json.dumps(event).encode(), None))
    assert made.as_kept
    assert made.values[1] is None
    assert isinstance(made.values[0], bytes)
    kept = json.loads(made.values[0])
    token = TOKENS.of(["+8613977102345"])["+8613977102345"]
    assert re.fullmatch(r"#86:[0-9a-f]{32}", token)
    struck = kept.pop("sip_reason")
    assert re.fullmatch(r"OK, said #:[0-9a-f]{32}", struck)
    same = {"time", "type", "number", "agent", "talk_s", "customer_tz", "need_captured"}
    assert kept == {name: event[name] for name in same} | {
        "id": TOKENS.of_id("x-139"),
        "customer": token,
        "call_id": TOKENS.of_id("c-1"),
    }


def test_each_record_is_read_as_it_was() -> None:
    """Row by row and column by column, whatever is wrong with it."""
    fields, types = frozenset(FIELDS), frozenset(EVENT_TYPES)
    decoder = Decoder(fields, types, EVENTS)
    records = [each.value for each in hostile.corpus() if len(each.value) < 1_100_000]
    records += [each.value for each in traffic(9) if each.value is not None]
    fetched = batch(*records)
    before = decoder.decode(fetched)
    after = MappedDecoder(decoder, ()).decode(Hasher(TOKENS).hashed(fetched))
    assert [(e.offset, e.reason) for e in after.rejects] == [
        (e.offset, e.reason) for e in before.rejects
    ]
    assert len(before.rejects) > 50
    tokens = {"id", *IDS}
    known = TOKENS.of(before.frame["customer"].drop_nulls().to_list())
    wanted = before.frame.with_columns(
        pl.col("customer").replace(known),
        *(pl.col(name).map_elements(TOKENS.of_id, return_dtype=pl.String) for name in tokens),
        pl.when(pl.col("type").is_in(sorted(EVENT_TYPES))).then("type").otherwise(pl.lit("other")),
    )
    struck = [*TEXTS, *(NAMES - {"campaign"})]
    assert_frame_equal(after.frame.drop(struck), wanted.drop(struck))
    said = [name for name in struck if before.frame[name].count()]
    assert len(said) > 10
    for name in said:
        assert (after.frame[name].is_null() == before.frame[name].is_null()).all()


def test_spellings_of_one_customer_are_one_token() -> None:
    found = TOKENS.of(["13977102345", "+86 139-7710-2345", "+8613977102345", "+8613977102346"])
    assert len(set(found.values())) == 2
    assert Tokens(b"K" * 32, EVENTS).of(["13977102345"])["13977102345"] not in found.values()
    names = EventSettings.model_validate({"identity": {"names": True}})
    tokens = Tokens(KEY, names)
    one, other = tokens.of(["Acme Ltd.", "ACME LTD"]).values()
    assert one == other
    decoder = Decoder(frozenset(), frozenset({"call.ended"}), names)
    made = Hasher(tokens).hashed(batch(hostile.good(1, customer="Acme Ltd.")))
    assert decoder.decode(made).frame["customer"].to_list() == [one], "it is no name itself"


@settings(deadline=None)
@given(st.lists(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), max_size=50))
def test_a_token_tells_where_its_customer_is_and_no_more(numbers: list[str]) -> None:
    tokens = pl.Series([TOKENS.of([each])[each] for each in numbers], dtype=pl.String)
    plain = pl.Series(numbers, dtype=pl.String)
    nothing = pl.Series([None] * len(numbers), dtype=pl.String)
    assert country(tokens).to_list() == country(plain).to_list()
    assert area(tokens).to_list() == area(plain).to_list()
    where, before = Whereabouts.of(tokens, nothing), Whereabouts.of(plain, nothing)
    assert where.code.tolist() == before.code.tolist()
    told: dict[tuple[object, ...], str] = {}
    for *place, token in zip(
        country(plain), area(plain), before.code.tolist(), tokens, strict=True
    ):
        digits = token.partition(":")[0]
        assert told.setdefault(tuple(place), digits) == digits, "nothing beyond the place"


def test_records_that_are_mapped_are_kept_as_their_events(tmp_path: Path) -> None:
    mapper = loads_mapping(MAPPING, tmp_path / "mine.yaml").mapper
    topics = [("pbx.*", mapper)]
    decoder = MappedDecoder(
        Decoder(frozenset({"outcome"}), frozenset({"call.ended"}), EVENTS), topics
    )

    def call(name: str, **more: Any) -> dict[str, Any]:
        return {"id": name, "at": 1_795_915_800_000, "end": "answered", **more}

    records = [
        json.dumps({"calls": [call("a"), call("b", end=None), call("c")]}).encode(),
        json.dumps({"calls": [call("d")]}).encode(),
        json.dumps({"calls": [], "secret": "+8613977102345"}).encode(),
        None,
        b'{"calls": "+8613977102345"}',
        b"+8613977102345",
    ]
    fetched = batch(*records, topic="pbx.1")
    before, after = decoder.decode(fetched), decoder.decode(Hasher(TOKENS, topics).hashed(fetched))
    assert after.frame.drop("id", "call_id").equals(before.frame.drop("id", "call_id"))
    assert after.frame["offset"].to_list() == [0, 0, 1]
    assert after.frame["call_id"].to_list() == [TOKENS.of_id(name) for name in "acd"]
    assert [(e.offset, e.reason) for e in after.rejects] == [
        (e.offset, e.reason) for e in before.rejects
    ]
    assert len(after.rejects) == 3
    assert (after.tombstones, after.unmapped) == (before.tombstones, before.unmapped) == (1, 1)
    values = Hasher(TOKENS, topics).hashed(fetched).values
    assert not any(b"13977102345" in value for value in values if value is not None)
    forged = decoder.decode(replace(fetched, values=[b"[1]", *values[1:]], as_kept=True))
    assert forged.rejects[0].reason == "not_an_object"


def test_an_archive_is_of_one_kind_and_one_key(tmp_path: Path) -> None:
    log = log_of(traffic(1, count=50))
    hashed(tmp_path / "hashed", log)
    assert mark_of(tmp_path / "hashed") == TOKENS.mark
    assert {piece.note().hashed for piece in pieces(tmp_path / "hashed")} == {TOKENS.mark}
    hashed(tmp_path / "hashed", log)
    with pytest.raises(SourceError, match=r"by the key .*, not in clear: begin a new folder"):
        Keeper(tmp_path / "hashed", log, clock_at())
    with pytest.raises(SourceError, match=r"by the key .*, not by the key"):
        hashed(tmp_path / "hashed", log, Tokens(b"K" * 32, EVENTS))
    Keeper(tmp_path / "plain", log, clock_at()).finish()
    assert mark_of(tmp_path / "plain") == ""
    with pytest.raises(SourceError, match="holds customers in clear, not by the key"):
        hashed(tmp_path / "plain", log)


def test_the_key_is_a_secret_of_some_length(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="hashed needs a key"):
        ArchiveSettings(customers="hashed")
    monkeypatch.setenv("ARCHIVE_KEY", "short")
    made = ArchiveSettings(customers="hashed", key=Secret(env="ARCHIVE_KEY"))
    with pytest.raises(SecretError, match="fewer than 32 characters") as caught:
        made.secret()
    assert "short" not in str(caught.value)
    monkeypatch.setenv("ARCHIVE_KEY", KEY.decode())
    assert made.secret() == KEY
