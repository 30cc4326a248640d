"""The document that is kept beside the decisions."""

from __future__ import annotations

from monitor.store.kept import text_of
from monitor.store.store import Recording, Store
from tests.store.made import alert


def test_nothing_then_what_was_saved_last(store: Store) -> None:
    assert store.kept.load() is None
    first = {"layout": 2, "desk": {"number": "+862150000007", "until": None, "rate": 0.25}}
    store.kept.save({"kept": text_of(first)})
    assert store.kept.load() == first
    store.record(Recording([alert()], judged_to_ms=60_000))
    store.kept.save({"kept": text_of({"layout": 3, "big": 2**62, "text": "停用"})})
    assert store.kept.load() == {"layout": 3, "big": 2**62, "text": "停用"}
    assert store.journal.judged_to_ms() == 60_000, "and nothing else is touched"
