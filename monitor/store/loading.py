"""One checkpoint as it is read: its root, then every file of parts that the root refers to.

Owns the putting together. Which checkpoint is read is ``monitor.store.checkpoint``'s.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from monitor.errors import CheckpointError
from monitor.sealed import Sealed
from monitor.store.changes import ChangingArray, assemble
from monitor.store.checkpoint_format import (
    OWN,
    Opened,
    Root,
    opened,
    read_parts,
    read_root,
    verified,
)
from monitor.store.draft import Place
from monitor.store.holdings import Parts
from monitor.store.shelf import Blob, Shelf
from monitor.store.state import Reference


class Loaded(NamedTuple):
    """A checkpoint that was read."""

    state: dict[str, Any]
    living: Counter[int]
    """Bytes, unpacked, that it refers to in each file of parts."""
    parts: dict[int, Parts]
    """Those files."""
    changing: dict[str, ChangingArray]
    """By path in the state: the arrays that are stored as changes."""


def load(shelf: Shelf, number: int, mark: object) -> Loaded:
    """Read a root and its parts; ``mark``: of whom the parts are to know as stored there.

    Raises:
        CheckpointError: it is damaged, or something that it refers to is.
        StoreError: nothing can be read just now.
    """
    root = _root(shelf, number)
    references = root.state.references()
    wanted: dict[int, set[int]] = defaultdict(set)
    for each, index in references:
        wanted[each].add(index)
    sealed, living, parts = dict(root.state.parts), Counter[int](), dict[int, Parts]()
    for each, digest in root.parts.items():
        blob, total = Blob("parts", number if each == OWN else each), 0
        with _parts(shelf, blob, digest) as stream:
            for index, length, content in read_parts(stream, wanted[each]):
                total += length
                if index in wanted[each]:
                    living[each] += length
                    part = sealed.setdefault((each, index), Sealed(None))
                    part.fill(content)
                    part.place = Place(mark, blob.number, index, length)
        parts[each] = Parts(digest, total)
    if any(sealed[each].place is None for each in sealed) or references > set(sealed):
        raise CheckpointError("the checkpoint refers to a part that is not there")
    return Loaded(root.state.value, living, parts, _changing(root, sealed))


def verify(shelf: Shelf, number: int) -> list[Blob]:
    """Look at the checksums of all that a checkpoint is read from; returns which files that are.

    Raises:
        CheckpointError: one is wrong, or a file is not there; says which.
        StoreError: nothing can be read just now.
    """
    needed = [Blob("root", number)]
    with _named(shelf, needed[0]):
        root = _root(shelf, number)
    for each, digest in root.parts.items():
        blob = Blob("parts", number if each == OWN else each)
        needed.append(blob)
        with _named(shelf, blob), shelf.opened(blob) as file:
            _expect(digest, verified(file, "parts"))
    return needed


def _root(shelf: Shelf, number: int) -> Root:
    with shelf.opened(Blob("root", number)) as file, opened(file, "root") as stream:
        return read_root(stream)


@contextmanager
def _parts(shelf: Shelf, blob: Blob, digest: bytes) -> Iterator[Opened]:
    with _named(shelf, blob), shelf.opened(blob) as file, opened(file, "parts") as stream:
        _expect(digest, stream.digest)
        yield stream


@contextmanager
def _named(shelf: Shelf, blob: Blob) -> Iterator[None]:
    try:
        yield
    except CheckpointError as error:
        msg = f"{shelf.titled(blob)}: {error}"
        raise CheckpointError(msg) from error


def _expect(digest: bytes, found: bytes) -> None:
    if found != digest:
        raise CheckpointError("these are other parts than the checkpoint refers to")


def _changing(root: Root, sealed: dict[Reference, Sealed]) -> dict[str, ChangingArray]:
    """Fill the arrays that are stored as changes, and go on from there with the next ones."""
    filled: dict[int, ChangingArray] = {}
    for array, where in root.state.arrays:
        parts = [sealed[each] for each in where]
        assemble(array, [part.content() for part in parts])
        filled[id(array)] = ChangingArray(array.copy(), parts)  # the array itself is given away
    paths = dict(_arrays(root.state.value, "state"))
    return {path: filled[id(each)] for path, each in paths.items() if id(each) in filled}


def _arrays(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every array with its path, as :func:`monitor.store.state.pack` names it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _arrays(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _arrays(item, f"{path}[{index}]")
    elif isinstance(value, np.ndarray):
        yield path, value
