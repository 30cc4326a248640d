"""Checkpoints: the newest two, each whole or not there, each written as what is new in it.

Owns the making of one and the choice among them. A checkpoint is a *root*, which is written each
time, and *parts*, which are written once and referred to by the roots after that. A file of parts
goes when neither of the two roots refers to it; when much of what the files hold is not referred
to any more, what still is, is written again (``monitor.store.holdings``).

They stand apart from the decisions, so that writing a large one never makes a decision wait. Where
they are kept is a ``Shelf``'s; what is in a file is ``monitor.store.checkpoint_format``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Protocol

import structlog

from monitor.errors import CheckpointError
from monitor.store.changes import ChangingArray
from monitor.store.checkpoint_format import OWN, write_parts, write_root
from monitor.store.draft import Draft
from monitor.store.holdings import Holdings
from monitor.store.loading import load, verify
from monitor.store.shelf import Blob, Folder, Shelf
from monitor.store.state import pack

log = structlog.get_logger(__name__)


class Saved(NamedTuple):
    """A checkpoint that is durable."""

    written: int
    """Bytes that were written for it."""
    size: int
    """Bytes of all that it is read from again."""


class CheckpointStore(Protocol):
    """Where checkpoints are kept. One thread at a time uses it."""

    def save(self, state: dict[str, Any]) -> Saved:
        """Write ``state`` as the newest checkpoint.

        Durable on return. The one before is kept, older ones are removed. Nobody changes anything
        in ``state`` from here on; parts of it that are stored already are only referred to.

        Raises:
            CheckpointError: the state holds what a snapshot may not.
            StoreError: it cannot be written; the checkpoints there were are untouched.
        """
        ...

    def load(self) -> dict[str, Any] | None:
        """The newest state that can be read; None when none was ever saved.

        A damaged newest one is logged, and the one before it is read instead: the records since
        then are read again, and lead to the same decisions. That one stays until there are two
        sound ones after it.

        Raises:
            CheckpointError: there are checkpoints, and none can be read.
            StoreError: they cannot be looked at just now.
        """
        ...

    def close(self) -> None:
        """Release what is held; twice is fine."""
        ...


class ShelvedCheckpoints:
    """The checkpoints on one shelf. One thread at a time uses it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._holdings = Holdings()
        self._mark = object()
        """By which parts know that they are stored here."""
        self._changing: dict[str, ChangingArray] = {}
        """By their path in the state."""

    def save(self, state: dict[str, Any]) -> Saved:
        """See :meth:`CheckpointStore.save`."""
        holdings = self._holdings
        holdings.see(self._shelf.sizes())
        draft = Draft(self._mark, holdings.usable(), holdings.moving(), self._changing)
        root, own = pack(state, draft), None
        digests, gone = holdings.digests(draft.living), holdings.gone_with(draft.living)
        with self._shelf.adding() as addition:
            if draft.fresh:
                fresh = [packed for _, packed in draft.fresh]
                own = addition.write("parts", lambda file: write_parts(file, fresh))
                digests[OWN] = own.digest
            written = addition.write("root", lambda file: write_root(file, root, digests))
            number = addition.commit(gone)
        draft.settle(number)
        holdings.added(number, draft.living, own, gone)
        self._changing = draft.changing
        new = written.size + (0 if own is None else own.size)
        return Saved(new, written.size + holdings.size_of(number))

    def load(self) -> dict[str, Any] | None:
        """See :meth:`CheckpointStore.load`."""
        holdings = self._holdings
        holdings.see(self._shelf.sizes())
        faults: list[str] = []
        for number in holdings.roots():
            title = self._shelf.titled(Blob("root", number))
            try:
                loaded = load(self._shelf, number, self._mark)
            except CheckpointError as error:
                log.warning("checkpoint_unreadable", checkpoint=title, detail=str(error))
                holdings.damaged.add(number)
                faults.append(f"{title}: {error}")
                continue
            holdings.read(number, loaded.living, loaded.parts)
            self._changing = loaded.changing
            return loaded.state
        if faults:
            raise CheckpointError("no checkpoint can be read: " + "; ".join(faults))
        return None

    def verify(self) -> None:
        """Look at the checksums of all that every checkpoint is read from.

        Raises:
            CheckpointError: one is wrong, or not there; says which.
            StoreError: they cannot be looked at just now.
        """
        self._holdings.see(self._shelf.sizes())
        for number in self._holdings.roots():
            verify(self._shelf, number)

    def close(self) -> None:
        """See :meth:`CheckpointStore.close`."""
        self._shelf.close()


class Checkpoints(ShelvedCheckpoints):
    """The checkpoints in one directory."""

    def __init__(self, directory: Path) -> None:
        self._folder = Folder(directory)
        super().__init__(self._folder)

    def paths(self) -> list[Path]:
        """All their files, in the order in which they can be put somewhere else: roots last."""
        return [self._folder.path(blob) for blob in sorted(self._folder.sizes())]
