"""The embedded store and its checkpoints as one file, while the daemon runs.

Owns making an archive and looking into one; putting it back is ``monitor.store.restore``. A store
in PostgreSQL is backed up with PostgreSQL's own tools.

An archive is a tar, compressed with zstd: ``manifest.json`` first, with size and SHA-256 of each
file after it, then ``store.db`` and ``checkpoints/…``. The checkpoints are copied before the
database: decisions made since a checkpoint are made again, with the same ids, but a checkpoint
ahead of its database would leave some out.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import zstandard

from monitor.clock import Clock
from monitor.errors import StoreError
from monitor.store.checkpoint import Checkpoints
from monitor.store.settings import StoreSettings
from monitor.store.sqlite import plain

FORMAT_VERSION: Final = 2
"""2: checkpoints have files of parts beside them."""
MANIFEST: Final = "manifest.json"
DATABASE: Final = "store.db"
CHECKPOINTS: Final = "checkpoints/"

_MEMBER = re.compile(r"store\.db|checkpoints/(checkpoint|parts)-[0-9]{12,20}\.ckpt")
_MANIFEST_BYTES_MAX = 2**20
_PIECE_BYTES = 2**20
_ZSTD_LEVEL = 3
_MODE = 0o600  # numbers of customers are in it
_TRIES = 5


@dataclass(frozen=True, slots=True)
class File:
    """A file of an archive."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    """Hex."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive holds."""

    format: int
    made_ms: int
    """Wall time."""
    schema_version: int
    """Of the database."""
    files: tuple[File, ...]


def backup(settings: StoreSettings, target: Path, clock: Clock) -> Manifest:
    """Write the store and its checkpoints to ``target``, whole or not at all.

    The daemon may run, and is not held up. An archive of that name is replaced once the new one is
    complete and on the disk. The copy is checked as the database checks itself.

    Raises:
        StoreError: the store is in PostgreSQL, is not there, or is damaged; or ``target`` cannot
            be written.
    """
    refuse_shared(settings, "pg_dump")
    if not settings.path.exists():
        msg = f"store {settings.path}: there is none: has the daemon run with this configuration?"
        raise StoreError(msg)
    with (
        _writing_to(target),
        tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder,
    ):
        staged = Path(folder)
        names = _copy_checkpoints(settings.checkpoints, staged)
        version = _copy_database(settings.path, staged / DATABASE)
        files = tuple(_described(staged, name) for name in [DATABASE, *names])
        manifest = Manifest(FORMAT_VERSION, clock.now_ms(), version, files)
        unfinished = staged / "archive"
        with unfinished.open("xb") as file:
            os.fchmod(file.fileno(), _MODE)
            _pack(file, manifest, staged)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
        sync_directory(target.parent)
    return manifest


def unpack(source: Path, folder: Path) -> Manifest:
    """Write the files of an archive to ``folder``, and hold each to the manifest.

    Raises:
        StoreError: it is no archive of ours, is damaged, or of a newer version of the program;
            or it cannot be read, or ``folder`` not be written.
    """
    try:
        with source.open("rb") as file, _members(file) as archive:
            manifest = _manifest(archive)
            known = {entry.name: entry for entry in manifest.files}
            while (member := archive.next()) is not None:
                _extract(archive, member, known.pop(member.name, None), folder)
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        msg = f"backup {source}: it is damaged, or no backup: {error}"
        raise StoreError(msg) from error
    except OSError as error:
        msg = f"backup {source}: it cannot be unpacked: {error.strerror or error}"
        raise StoreError(msg) from error
    except StoreError as error:
        msg = f"backup {source}: {error}"
        raise StoreError(msg) from error
    if known or not any(entry.name == DATABASE for entry in manifest.files):
        msg = f"backup {source}: it is damaged: {', '.join(known) or DATABASE} is missing"
        raise StoreError(msg)
    return manifest


def refuse_shared(settings: StoreSettings, instead: str) -> None:
    """Say what to use for a store in PostgreSQL.

    Raises:
        StoreError: it is there.
    """
    if settings.url is not None:
        msg = f"the store is in PostgreSQL: use {instead}, which keeps all of it together"
        raise StoreError(msg)


def check_database(path: Path) -> int:
    """Have a database file check itself; returns its schema version.

    Raises:
        StoreError: it is damaged, or no store.
    """
    try:
        with closing(sqlite3.connect(_read_only(path), uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            version = connection.execute(
                "SELECT value FROM meta WHERE name = 'schema_version'"
            ).fetchone()
    except sqlite3.Error as error:
        raise plain(error, path.name) from error
    if found != "ok" or version is None:
        msg = f"store {path.name}: it is damaged ({found})"
        raise StoreError(msg)
    return int(version[0])


def sync_directory(directory: Path) -> None:
    """Make renames in ``directory`` durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copy_checkpoints(directory: Path, staged: Path) -> list[str]:
    """Copy those there are; the daemon may add and remove some at any moment.

    All are opened first, which is quick; what is open can be read although it is gone.
    """
    (staged / CHECKPOINTS).mkdir()
    checkpoints = Checkpoints(directory)
    for _ in range(_TRIES):
        with ExitStack() as files:
            paths = checkpoints.paths()
            try:
                opened = [files.enter_context(path.open("rb")) for path in paths]
            except FileNotFoundError:
                continue
            if checkpoints.paths() != paths:
                continue  # a root among them may refer to parts that are not
            for path, source in zip(paths, opened, strict=True):
                with (staged / CHECKPOINTS / path.name).open("xb") as copy:
                    shutil.copyfileobj(source, copy, _PIECE_BYTES)
            return [CHECKPOINTS + path.name for path in paths]
    msg = f"checkpoints {directory}: they come and go too fast to be copied"
    raise StoreError(msg)


def _copy_database(path: Path, copy: Path) -> int:
    try:
        with (
            closing(sqlite3.connect(_read_only(path), uri=True)) as source,
            closing(sqlite3.connect(copy)) as made,
        ):
            source.backup(made)  # all of one moment; writers go on beside it
            made.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise plain(error, str(path)) from error
    return check_database(copy)


def _read_only(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"


def _described(folder: Path, name: str) -> File:
    path = folder / name
    with path.open("rb") as file:
        return File(name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _pack(file: BinaryIO, manifest: Manifest, folder: Path) -> None:
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    packer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
    with (
        packer.stream_writer(file, closefd=False) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.addfile(_header(MANIFEST, len(text), manifest.made_ms), io.BytesIO(text))
        for entry in manifest.files:
            with (folder / entry.name).open("rb") as content:
                archive.addfile(_header(entry.name, entry.size, manifest.made_ms), content)


def _header(name: str, size: int, made_ms: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, made_ms // 1000, _MODE
    return header


@contextmanager
def _members(file: BinaryIO) -> Iterator[tarfile.TarFile]:
    with (
        zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        yield archive


def _manifest(archive: tarfile.TarFile) -> Manifest:
    first = archive.next()
    if first is None or first.name != MANIFEST or first.size > _MANIFEST_BYTES_MAX:
        raise StoreError("it is no backup of a store: it does not begin with a manifest")
    stream = archive.extractfile(first)
    text = b"" if stream is None else stream.read()
    try:
        found = msgspec.json.decode(text)
        version = found.get("format") if isinstance(found, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            msg = f"it has format {version}, and this program knows up to {FORMAT_VERSION}"
            raise StoreError(msg)
        return msgspec.convert(found, Manifest)
    except msgspec.MsgspecError as error:
        msg = f"its manifest cannot be read: {error}"
        raise StoreError(msg) from error


def _extract(
    archive: tarfile.TarFile, member: tarfile.TarInfo, entry: File | None, folder: Path
) -> None:
    if entry is None or not member.isfile() or not _MEMBER.fullmatch(member.name):
        msg = f"it holds {member.name!r}, which is not of ours"
        raise StoreError(msg)
    stream = archive.extractfile(member)
    path = folder / member.name
    path.parent.mkdir(exist_ok=True)
    digest = hashlib.sha256()
    with path.open("xb") as file:
        while stream is not None and (piece := stream.read(_PIECE_BYTES)):
            digest.update(piece)
            file.write(piece)
        size = file.tell()
        file.flush()
        os.fsync(file.fileno())
    if (size, digest.hexdigest()) != (entry.size, entry.sha256):
        msg = f"it is damaged: {member.name} is not what the manifest says"
        raise StoreError(msg)


@contextmanager
def _writing_to(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"backup {target}: it cannot be written: {error.strerror or error}"
        raise StoreError(msg) from error
