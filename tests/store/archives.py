"""Stores to back up, and backups to spoil."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import zstandard

from monitor.clock import ManualClock
from monitor.store.checkpoint import Checkpoints
from monitor.store.outbox import PlannedDelivery
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import alert, command, manual


def fill(settings: StoreSettings, clock: ManualClock, *, number: int = 1) -> None:
    """A store with something of everything, and two checkpoints."""
    with Store.open(settings, clock) as store:
        plan = [PlannedDelivery(command().id, "telephony", command().number)]
        store.record(Recording([alert(), command()], plan, judged_to_ms=60_000))
        store.requests.put(manual())
    checkpoints = Checkpoints(settings.checkpoints)
    for each in (number, number + 1):
        checkpoints.save({"number": each})


def contents(settings: StoreSettings) -> dict[str, bytes]:
    """Every file of the store, but what only says that somebody has been there."""
    roots = (settings.path.parent, settings.checkpoints)
    return {
        str(path): path.read_bytes()
        for root in roots
        if root.exists()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def rewritten(archive: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """The archive with its members changed, packed as it was."""
    members: dict[str, bytes] = {}
    with archive.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        unpacked = io.BytesIO(stream.read())
    with tarfile.open(fileobj=unpacked) as plain:
        for member in plain:
            content = plain.extractfile(member)
            assert content is not None
            members[member.name] = content.read()
    change(members)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as made:
        for name, data in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            made.addfile(header, io.BytesIO(data))
    archive.write_bytes(zstandard.compress(packed.getvalue()))
