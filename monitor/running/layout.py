"""The layout of what a checkpoint holds, and the way from older ones to today's.

Owns one upgrade per step. The form of the file is ``monitor.store.checkpoint``; what the parts mean
by their state is theirs. A layout from the future is not read: the log is read again instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from monitor.errors import CheckpointError
from monitor.numbers.seen import to_columns
from monitor.sealed import Sealed
from monitor.windows.dedup import packed

State = dict[str, Any]

LAYOUT: Final = 4
"""What :mod:`monitor.running.keep` writes.

2: the ids seen lately are packed in chunks. 3: numbers are out of service for a set of causes;
rules know of waves, of their terms and of suspensions that outlast them. 4: what does not change
stands in parts that are written once, and what does is ordered by id, so that changes show.
"""


def upgraded(state: State) -> State:
    """``state`` in today's layout.

    Raises:
        CheckpointError: it is of a newer program, or not a state at all.
    """
    layout = state.get("layout", 1)
    if not isinstance(layout, int) or not 1 <= layout <= LAYOUT:
        msg = f"it has layout {layout}, and this program reads 1 to {LAYOUT}"
        raise CheckpointError(msg)
    for step in range(layout, LAYOUT):
        state = _STEPS[step](state)
    return {**state, "layout": LAYOUT}


def _packed_ids(state: State) -> State:
    """1 → 2."""
    engine: Mapping[str, Any] = state["engine"]
    ids = {name: engine["dedup"][name] for name in ("current", "previous")}
    blobs = {name: [packed(some)] if some else [] for name, some in ids.items()}
    return {**state, "engine": {**engine, "dedup": {**engine["dedup"], **blobs}}}


def _causes(state: State) -> State:
    """2 → 3."""
    engine: Mapping[str, Any] = state["engine"]
    ledger = engine["desk"]["ledger"]
    records = [_with_causes(record) for record in ledger["records"]]
    changed: State = {"desk": {**engine["desk"], "ledger": {**ledger, "records": records}}}
    if "rules" in engine:  # what the store keeps of a state is the numbers alone
        rules = engine["rules"]
        entries = {mark: _with_waves(entry) for mark, entry in rules["rules"].items()}
        changed["rules"] = {**rules, "rules": entries, "parted": []}
    return {**state, "engine": {**engine, **changed}}


def _with_causes(record: State) -> State:
    """One cause, which was all that a number could have: its scope was not kept."""
    gone = ("release", "old_until_ms", "old_release")
    until_ms = record["until_ms"]
    terms: State = {"causes": [], "told_ms": until_ms, "kept_ms": until_ms}
    if record["old_release"] is not None:
        terms["kept_ms"] = record["old_until_ms"]
    out = record["state"] in {"suspending", "suspended"} and not record["owed"]
    if out:
        cause = {name: record[name] for name in ("rule", "episode", "route", "until_ms", "release")}
        terms["causes"] = [{**cause, "scope": ""}]
    return {**{k: v for k, v in record.items() if k not in gone}, **terms}


def _with_waves(entry: State) -> State:
    """Rules on events have marks; what ends their suspensions is known to the rules in force."""
    state = entry["state"]
    if "marked" in state:
        state = {**state, "wave": {"folded": [], "recent": [], "told": 0}}
    else:
        state = {**state, "resting": False}
    return {**entry, "until": None, "by": [], "state": state}


def _in_parts(state: State) -> State:
    """3 → 4."""
    engine: Mapping[str, Any] = state["engine"]
    desk = engine["desk"]
    seen = [Sealed(to_columns(desk["book"]["seen"]))]
    changed: State = {"desk": {**desk, "book": {**desk["book"], "seen": seen}}}
    if "rules" in engine:  # what the store keeps of a state is the numbers alone
        dedup, owners, rules = engine["dedup"], engine["owners"], engine["rules"]
        scopes = engine["indicators"]["scopes"]
        ids = {name: [Sealed(blob) for blob in dedup[name]] for name in ("current", "previous")}
        logs = {name: _log_in_parts(owners[name]) for name in ("calls", "owners")}
        entries = {mark: _with_evidence_by_id(entry) for mark, entry in rules["rules"].items()}
        scopes = {by: _scope_in_parts(scope) for by, scope in scopes.items()}
        changed |= {
            "dedup": {**dedup, **ids},
            "owners": {**owners, **logs},
            "indicators": {**engine["indicators"], "scopes": scopes},
            "rules": {**rules, "rules": entries},
        }
    site = {"site": Sealed(state["site"])} if "site" in state else {}
    return {**state, **site, "engine": {**engine, **changed}}


def _log_in_parts(blobs: Sequence[bytes]) -> State:
    return {"full": [Sealed(b) for b in blobs[:-1]], "rest": [Sealed(b) for b in blobs[-1:]]}


def _scope_in_parts(scope: State) -> State:
    windows = {name: _window_in_parts(window) for name, window in scope["windows"].items()}
    distinct = {
        name: {**table, "pairs": [Sealed(table["pairs"])]}
        for name, table in scope["distinct"].items()
    }
    spans = {
        name: {**table, "entities": [Sealed(table["entities"])]}
        for name, table in scope["spans"].items()
    }
    named = {"keys": [Sealed(scope["keys"])], "distinct": distinct, "spans": spans}
    return {**scope, "windows": windows, **named}


def _window_in_parts(window: State) -> State:
    tables: State = {}
    for name in ("sums", "extremes"):
        closing = window[name]["closing"]
        tables[name] = {
            "panes": [_pane_in_parts(pane) for pane in window[name]["panes"]],
            "closing": None if closing is None else _pane_in_parts(closing),
        }
    return {**window, **tables}


def _pane_in_parts(pane: State) -> State:
    return {
        "start": pane["start"],
        "parts": [Sealed({"keys": pane["keys"], "values": pane["values"]})],
    }


def _with_evidence_by_id(entry: State) -> State:
    state = entry["state"]
    if "evidence" not in state:
        return entry
    evidence = {level: _by_id(found) for level, found in state["evidence"].items()}
    return {**entry, "state": {**state, "evidence": evidence}}


def _by_id(found: State) -> State:
    ids = found["ids"]
    size = int(ids.max()) + 1 if len(ids) else 0
    m = np.zeros((size, found["m"].shape[1]))
    last = np.full(size, -1, dtype=np.int64)
    m[ids], last[ids] = found["m"], found["last"]
    return {"m": m, "last": last}


_STEPS: Final[Mapping[int, Callable[[State], State]]] = {1: _packed_ids, 2: _causes, 3: _in_parts}
