"""What bench.latency is made of: events by the clock, and the daemon's notes."""

from __future__ import annotations

import json
from pathlib import Path

from bench import paced
from bench.paced import CALLS, LEAD_S, PREFIX, SLOT_MS, TAIL_S
from bench.stages import Notes, read


def test_each_number_goes_bad_at_its_last_call_and_all_events_are_in_their_slots() -> None:
    start_ms, seconds, rate = 1_795_338_000_000, 30.0, 100
    slots, decides = paced.slots_of(rate, seconds, 7, start_ms)
    assert len(decides) == 7
    last = {}
    for place, batches in enumerate(slots):
        for batch in batches.values():
            # Record batches hold the values as they are.
            for number in decides:
                if number.encode() in batch:
                    last[number] = place
    assert last == decides
    for number, slot in decides.items():
        assert number.startswith(PREFIX)
        assert LEAD_S - 4 <= slot * SLOT_MS / 1_000 <= seconds - TAIL_S
    held = sum(batch.count(b'"id"') for batches in slots for batch in batches.values())
    assert held == rate * seconds + 7 * CALLS


def test_notes_are_read_by_what_they_are_of(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    notes.tick("begun", 5_000, 1.0)
    notes.tick("begun", 5_000, 2.0)
    notes.tick("stored", 5_000)
    notes.commands("sent", ["c1", "c2"])
    notes.held("figures published", 3.0)
    notes.held("figures published", 4.0)
    notes.close()
    ticks, commands, held = read(tmp_path / "notes")
    assert ticks["begun", 5_000] == 2.0
    assert set(ticks) == {("begun", 5_000), ("stored", 5_000)}
    assert commands["sent", "c1"] == commands["sent", "c2"]
    assert held == {"figures published": [3.0, 4.0]}
    assert json.loads((tmp_path / "notes").read_text().splitlines()[0])["stage"] == "begun"
