"""FileSource: the common contract, followed and once, and everything that rotation can do."""

from __future__ import annotations

import errno
import gzip
import itertools
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.clock import ManualClock
from monitor.errors import SourceError, SourceUnavailable
from monitor.source import bookmarks, descriptors, files, followed
from monitor.source.base import Partition, Source
from monitor.source.files import FileSource
from monitor.source.settings import FilesSettings
from tests.source.contract import Bench, SourceContract, at_end, gather_to_end, values


def files_settings(folder: Path, *paths: Path | str, follow: bool, **more: Any) -> FilesSettings:
    named = {"kind": "files", "paths": [str(path) for path in paths], "follow": follow}
    return FilesSettings.model_validate({**named, "bookmarks": folder / "bookmarks", **more})


def drain(source: Source) -> list[bytes | None]:
    """Everything there is now; a ManualClock makes the waits pass at once."""
    got: list[bytes | None] = []
    quiet = 0
    while quiet < 3:  # a rotation is noticed by the look after the last line
        chunks = source.poll(1_000, 0.0)
        got += [value for chunk in chunks for value in chunk.values]
        quiet = 0 if chunks else quiet + 1
    return got


class FilesBench:
    def __init__(self, folder: Path, *, follow: bool) -> None:
        self.paths = [folder / "a.jsonl", folder / "b.jsonl"]
        for path in self.paths:
            path.touch()
        self.partitions = [Partition(str(path), 0) for path in self.paths]
        self.settings = files_settings(folder, folder / "*.jsonl", follow=follow)

        self._readers: list[FileSource] = []

    def reader(self) -> FileSource:
        self._readers.append(FileSource(self.settings))
        return self._readers[-1]

    def close(self) -> None:
        for reader in self._readers:
            reader.close()

    def append(
        self,
        partition: Partition,
        records: Sequence[bytes | None],
        *,
        timestamp_ms: int = 1_000,  # noqa: ARG002 - lines have none
    ) -> None:
        with Path(partition.topic).open("ab") as file:
            for value in records:
                assert value is not None, "a line is never null"
                file.write(value + b"\n")

    def grow(self) -> Partition:
        new = self.paths[0].with_name("c.jsonl")
        new.touch()
        return Partition(str(new), 0)

    def leave_gap(self, partition: Partition) -> None:
        with Path(partition.topic).open("ab") as file:
            file.write(b"\n  \n\r\n")

    def forget(self, partition: Partition, below: int) -> None:
        """Rotated away and gone: a new file with what is left takes the path."""
        path = Path(partition.topic)
        left = path.read_bytes()[below:]
        path.with_name("new").write_bytes(left)
        path.with_name("new").replace(path)


class FilesContract(SourceContract):
    """The gaps of files, one by one."""

    @pytest.mark.xfail(strict=True, reason="a line is never null")
    def test_tombstones_are_handed_on(self, bench: Bench) -> None:
        super().test_tombstones_are_handed_on(bench)

    @pytest.mark.xfail(strict=True, reason="a line has no timestamp of its own")
    def test_since_begins_at_the_first_record_that_is_young_enough(self, bench: Bench) -> None:
        super().test_since_begins_at_the_first_record_that_is_young_enough(bench)

    @pytest.mark.xfail(strict=True, reason="a file does not say what stood in it before")
    def test_a_log_that_begins_late_is_not_complete(self, bench: Bench) -> None:
        super().test_a_log_that_begins_late_is_not_complete(bench)


class TestFollowed(FilesContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[FilesBench]:
        made = FilesBench(tmp_path, follow=True)
        yield made
        made.close()


class TestOnce(FilesContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[FilesBench]:
        made = FilesBench(tmp_path, follow=False)
        yield made
        made.close()

    @pytest.fixture
    def hasty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tests.source.contract.AWAIT_S", 0.2)

    @pytest.mark.xfail(strict=True, reason="read once: the files are those of the beginning")
    @pytest.mark.usefixtures("hasty")
    def test_a_new_partition_shows_up_and_is_read_from_its_beginning(self, bench: Bench) -> None:
        super().test_a_new_partition_shows_up_and_is_read_from_its_beginning(bench)

    @pytest.mark.xfail(strict=True, reason="read once: the file must stay, or it is an error")
    def test_records_deleted_below_the_position_are_noticed(self, bench: Bench) -> None:
        super().test_records_deleted_below_the_position_are_noticed(bench)


# Rotation. Timeline of a path: generations 0, 1, 2 …; the log is their concatenation.


class Rotating:
    """A writer and logrotate, by the book."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "events.jsonl"
        self.path.touch()
        self.partition = Partition(str(self.path), 0)
        self.written: list[bytes] = []
        self.settings = files_settings(folder, self.path, follow=True)
        self._numbers = itertools.count()

    def source(self) -> FileSource:
        return FileSource(self.settings, ManualClock())

    def line(self) -> bytes:
        line = b'{"id":"%d"}' % next(self._numbers)
        self.written.append(line)
        return line

    def write(self, lines: int = 1) -> None:
        with self.path.open("ab") as file:
            for _ in range(lines):
                file.write(self.line() + b"\n")

    def shift(self) -> Path:
        """``.1`` to ``.2`` and so on; gives the free ``.1``."""
        for number in range(9, 0, -1):
            for suffix in ("", ".gz"):
                old = self.folder / f"events.jsonl.{number}{suffix}"
                if old.exists():
                    old.rename(self.folder / f"events.jsonl.{number + 1}{suffix}")
        return self.folder / "events.jsonl.1"

    def rename(self, *, create: bool = True) -> None:
        self.path.rename(self.shift())
        if create:
            self.path.touch()

    def copy_and_truncate(self) -> None:
        shutil.copy2(self.path, self.shift())
        os.truncate(self.path, 0)

    def compress(self) -> None:
        plain = self.folder / "events.jsonl.1"
        if plain.exists():
            with gzip.open(plain.with_name("events.jsonl.1.gz"), "wb") as packed:
                packed.write(plain.read_bytes())
            stat = plain.stat()
            os.utime(plain.with_name("events.jsonl.1.gz"), ns=(stat.st_atime_ns, stat.st_mtime_ns))
            plain.unlink()


@pytest.fixture
def rotating(tmp_path: Path) -> Rotating:
    return Rotating(tmp_path)


def test_rename_and_create_loses_nothing(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(3)
    assert drain(source) == rotating.written
    rotating.write(2)
    rotating.rename()
    rotating.write(2)
    assert drain(source) == rotating.written[3:]
    source.close()


def test_what_a_writer_still_writes_to_the_renamed_file_is_read(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(1)
    old = rotating.path.open("ab", buffering=0)
    rotating.rename()
    drain(source)
    old.write(rotating.line() + b"\n")
    old.close()
    rotating.write(1)
    assert drain(source) == rotating.written[1:]
    source.close()


def test_the_unfinished_last_line_of_a_file_that_was_left_is_a_line(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(1)
    with rotating.path.open("ab") as file:
        file.write(rotating.line())
    assert drain(source) == rotating.written[:1]
    assert at_end(source.standings())  # half a line is nothing yet, and holds nobody up
    rotating.rename()
    assert drain(source) == []
    rotating.write(1)
    assert drain(source) == rotating.written[1:]
    source.close()


def test_half_a_line_waits_for_its_other_half(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    with rotating.path.open("ab", buffering=0) as file:
        file.write(b'{"id":')
        assert drain(source) == []
        file.write(b'"x"}\n{"id"')
        assert drain(source) == [b'{"id":"x"}']
        position = source.standings()[rotating.partition].position
        assert position == len(b'{"id":"x"}\n')
    source.close()


def test_copy_and_truncate_reads_the_rest_from_the_copy(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(2)
    assert drain(source) == rotating.written
    rotating.write(3)  # not read before it is truncated
    rotating.copy_and_truncate()
    rotating.write(1)
    assert drain(source) == rotating.written[2:]
    source.close()


def test_a_truncated_file_that_has_outgrown_the_old_one_is_noticed(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(2)
    assert drain(source) == rotating.written
    rotating.copy_and_truncate()
    rotating.write(10)
    assert drain(source) == rotating.written[2:]
    source.close()


def test_truncation_without_a_copy_is_a_loss_that_is_told(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(1)
    drain(source)
    assert source.standings()[rotating.partition].complete
    os.truncate(rotating.path, 0)
    rotating.write(1)
    assert drain(source) == rotating.written[1:]
    assert not source.standings()[rotating.partition].complete
    source.close()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_restart_finds_its_place_among_rotated_files(
    rotating: Rotating, *, compressed: bool
) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(4)
    first = source.poll(2, 0.0)[0]
    assert list(first.values) == rotating.written[:2]
    source.close()
    for _ in range(3):
        rotating.rename()
        if compressed:
            rotating.compress()
        rotating.write(2)
    again = rotating.source()
    again.start({rotating.partition: first.next_position}, None)
    assert drain(again) == rotating.written[2:]
    position = again.standings()[rotating.partition].position
    again.close()
    assert position == sum(len(line) + 1 for line in rotating.written)


def test_a_restart_whose_file_is_gone_goes_on_with_what_is_there(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(4)
    position = source.poll(2, 0.0)[0].next_position
    source.close()
    rotating.path.unlink()
    rotating.path.touch()
    kept = len(rotating.written)
    rotating.write(2)
    again = rotating.source()
    again.start({rotating.partition: position}, None)
    chunks = again.poll(10, 0.0)
    assert [value for chunk in chunks for value in chunk.values] == rotating.written[kept:]
    assert chunks[0].offsets[0] >= position
    assert not again.standings()[rotating.partition].complete
    again.close()


def test_without_its_bookmark_a_position_is_not_trusted(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(4)
    position = source.poll(2, 0.0)[0].next_position
    source.close()
    shutil.rmtree(rotating.settings.bookmarks)
    again = rotating.source()
    again.start({rotating.partition: position}, None)
    assert drain(again) == rotating.written
    assert not again.standings()[rotating.partition].complete
    again.close()


def test_a_damaged_bookmark_is_like_none(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(2)
    position = source.poll(1, 0.0)[0].next_position
    source.close()
    for bookmark in rotating.settings.bookmarks.iterdir():
        bookmark.write_bytes(bookmark.read_bytes()[:-5])
    again = rotating.source()
    again.start({rotating.partition: position}, None)
    assert drain(again) == rotating.written
    again.close()


def test_a_bookmark_that_cannot_be_written_stops_reading_for_now(rotating: Rotating) -> None:
    bookmarks = rotating.settings.bookmarks
    bookmarks.write_text("a file is in the way")
    source = rotating.source()
    with pytest.raises(SourceUnavailable, match="bookmark"):
        source.start({}, None)
    bookmarks.unlink()
    source.start({}, None)
    bookmarks.rename(bookmarks.with_name("away"))
    bookmarks.write_text("and again")
    rotating.write(2)
    with pytest.raises(SourceUnavailable, match="bookmark"):
        source.poll(1, 0.0)
    bookmarks.unlink()
    assert drain(source) == rotating.written
    source.close()


def test_a_longer_copy_put_in_its_place_is_gone_on_with(rotating: Rotating) -> None:
    source = rotating.source()
    source.start({}, None)
    rotating.write(3)
    assert drain(source) == rotating.written
    copy = rotating.folder / "incoming"
    copy.write_bytes(rotating.path.read_bytes() + rotating.line() + b"\n")
    copy.replace(rotating.path)
    assert drain(source) == rotating.written[3:]
    source.close()


def test_a_file_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "later.jsonl"
    source = FileSource(files_settings(tmp_path, path, follow=True), ManualClock())
    source.start({}, None)
    assert drain(source) == []
    path.write_bytes(b"1\n")
    assert drain(source) == [b"1"]
    source.close()


def test_rotated_files_are_no_partitions_of_their_own(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.jsonl.1", "a.jsonl-20261122", "b.jsonl"):
        (tmp_path / name).write_bytes(b"1\n")
    source = FileSource(files_settings(tmp_path, tmp_path / "*.jsonl*", follow=True), ManualClock())
    source.start({}, None)
    found = sorted(Path(partition.topic).name for partition in source.standings())
    source.close()
    assert found == ["a.jsonl", "b.jsonl"]


class Course:
    """A reader beside the writer, step by step."""

    def __init__(self, rotating: Rotating, limit: int) -> None:
        self.rotating = rotating
        self.limit = limit
        self.got: list[bytes | None] = []
        self.half = False
        self.source = rotating.source()
        self.source.start({}, None)

    def take(self, step: str) -> None:
        if step in {"write", "half_a_line", "rename", "truncate"} and self.half:
            with self.rotating.path.open("ab") as file:
                file.write(b"\n")
            self.half = False
        getattr(self, step)()

    def write(self) -> None:
        self.rotating.write(2)

    def half_a_line(self) -> None:
        with self.rotating.path.open("ab") as file:
            file.write(self.rotating.line())
        self.half = True

    def rename(self) -> None:
        if self.rotating.path.stat().st_size:
            self.rotating.rename()

    def truncate(self) -> None:
        if self.rotating.path.stat().st_size:
            self.rotating.copy_and_truncate()

    def compress(self) -> None:
        self.rotating.compress()

    def poll(self) -> None:
        chunks = self.source.poll(self.limit, 0.0)
        self.got += [value for chunk in chunks for value in chunk.values]

    def drain(self) -> None:
        self.got += drain(self.source)

    def restart(self) -> None:
        position = self.source.standings()[self.rotating.partition].position
        self.source.close()
        self.source = self.rotating.source()
        self.source.start({self.rotating.partition: position}, None)


@given(
    steps=st.lists(
        st.sampled_from(
            [
                "write",
                "half_a_line",
                "rename",
                "truncate",
                "compress",
                "poll",
                "drain",
                "restart",
            ]
        ),
        max_size=25,
    ),
    limit=st.integers(1, 4),
)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_course_of_rotation_polls_and_restarts_loses_and_repeats_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], limit: int
) -> None:
    rotating = Rotating(tmp_path_factory.mktemp("rotating"))
    course = Course(rotating, limit)
    for step in [*steps, "write", "drain"]:
        course.take(step)
    course.source.close()
    assert course.got == rotating.written


# Read once.


def read_once(folder: Path, *paths: Path | str, **more: Any) -> list[bytes | None]:
    source = FileSource(files_settings(folder, *paths, follow=False, **more))
    try:
        source.start({}, None)
        got: list[bytes | None] = []
        while not source.exhausted():
            got += [value for chunk in source.poll(10, 0.0) for value in chunk.values]
        return got
    finally:
        source.close()


def test_once_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n\n2\n   \n3")
    assert read_once(tmp_path, path) == [b"1", b"2", b"3"]


def test_a_file_of_blank_lines_ends_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n" * 1_000 + b"1\n" + b"\n" * 1_000)
    assert read_once(tmp_path, path) == [b"1"]


def test_carriage_returns_and_a_byte_order_mark_are_no_part_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf1\r\n2\r\n")
    assert read_once(tmp_path, path) == [b"1", b"2"]


def test_compressed_files_are_read_and_resumed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    lines = values(0, 1_000)
    path.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines if line)))
    assert read_once(tmp_path, path) == lines
    source = FileSource(files_settings(tmp_path, path, follow=False))
    source.start({}, None)
    chunk = source.poll(300, 0.0)[0]
    source.close()
    again = FileSource(files_settings(tmp_path, path, follow=False))
    again.start({chunk.partition: chunk.next_position}, None)
    rest = gather_to_end(again)[chunk.partition]
    again.close()
    assert [*chunk.values, *(value for _, value in rest)] == lines


def test_a_damaged_compressed_file_is_an_error_not_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(os.urandom(100_000).hex().encode())[:-1_000])
    with pytest.raises(SourceError, match="damaged"):
        read_once(tmp_path, path)


def test_a_missing_file_and_a_pattern_without_match_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_once(tmp_path, tmp_path / "no.jsonl")
    with pytest.raises(SourceError, match="no file matches"):
        read_once(tmp_path, tmp_path / "*.jsonl")


@pytest.mark.parametrize(("position", "fits"), [(0, True), (2, True), (1, False), (9, False)])
def test_a_position_that_does_not_fit_the_file_is_an_error(
    tmp_path: Path, position: int, *, fits: bool
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2\n")
    source = FileSource(files_settings(tmp_path, path, follow=False))
    try:
        if fits:
            source.start({Partition(str(path), 0): position}, None)
        else:
            with pytest.raises(SourceError, match=r"not the file"):
                source.start({Partition(str(path), 0): position}, None)
    finally:
        source.close()


@pytest.mark.parametrize(
    ("length", "kept"), [(99, 99), (100, 100), (101, 100), (300_000, 100), (9_000_000, 100)]
)
@pytest.mark.parametrize("ending", [b"\n2\n", b"\n", b""])
def test_lines_are_cut_at_the_bound_and_the_next_one_is_whole(
    tmp_path: Path, length: int, kept: int, ending: bytes
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n" + b"x" * length + ending)
    expected = [b"1", b"x" * kept, *([b"2"] if ending == b"\n2\n" else [])]
    assert read_once(tmp_path, path, max_line="100B") == expected


def test_an_overlong_line_that_still_grows_keeps_little_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.touch()
    configured = files_settings(tmp_path, path, follow=True, max_line="1000B")
    source = FileSource(configured, ManualClock())
    source.start({}, None)
    with path.open("ab", buffering=0) as file:
        for _ in range(5):
            file.write(b"x" * 3_000_000)
            assert drain(source) == []
        file.write(b"\n2\n")
    assert drain(source) == [b"x" * 1_000, b"2"]
    source.close()


def test_files_are_read_in_step_with_what_is_left_of_each(tmp_path: Path) -> None:
    long, short = tmp_path / "long.jsonl", tmp_path / "short.jsonl"
    long.write_bytes(b"0123456789\n" * 9_000)
    short.write_bytes(b"0123456789\n" * 1_000)
    source = FileSource(files_settings(tmp_path, long, short, follow=False))
    source.start({}, None)
    got = {str(long): 0, str(short): 0}
    for _ in range(50):
        for chunk in source.poll(100, 0.0):
            got[chunk.partition.topic] += len(chunk.values)
        assert abs(got[str(long)] / 9_000 - got[str(short)] / 1_000) < 0.02
    source.close()
    assert got[str(long)] + got[str(short)] > 4_500


def test_a_followed_source_is_never_exhausted_and_waits_by_the_clock(tmp_path: Path) -> None:
    clock = ManualClock()
    source = FileSource(files_settings(tmp_path, tmp_path / "a", follow=True), clock)
    source.start({}, None)
    assert source.poll(1, 1.5) == []
    assert clock.monotonic_s() == pytest.approx(1.5)
    assert not source.exhausted()
    source.close()


def open_files(folder: Path) -> int:
    """Descriptors of this process that are open on files of the folder."""
    links = list(Path("/proc/self/fd").iterdir())
    return sum(link.exists() and link.resolve().is_relative_to(folder) for link in links)


@pytest.mark.parametrize("follow", [True, False])
def test_more_files_than_may_be_open_are_all_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, follow: bool
) -> None:
    monkeypatch.setattr(descriptors, "OPEN_MAX", 3)
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(20):
        (folder / f"{n:02}.jsonl").write_bytes(b"".join(b"%d %d\n" % (n, k) for k in range(30)))
    source = FileSource(files_settings(tmp_path, folder / "*.jsonl", follow=follow), ManualClock())
    source.start({}, None)
    got: list[bytes | None] = []
    most = 0
    while len(got) < 600:
        got += [value for chunk in source.poll(40, 0.0) for value in chunk.values]
        most = max(most, open_files(folder))
    assert sorted(got, key=str) == sorted(
        (b"%d %d" % (n, k) for n in range(20) for k in range(30)), key=str
    )
    assert most <= 4
    drain(source)
    assert at_end(source.standings())
    source.close()
    assert open_files(folder) == 0


def test_an_idle_file_is_closed_and_goes_on_when_it_grows(tmp_path: Path) -> None:
    folder, clock = tmp_path / "in", ManualClock()
    folder.mkdir()
    path = folder / "a.jsonl"
    path.write_bytes(b"1\n")
    source = FileSource(files_settings(tmp_path, path, follow=True), clock)
    source.start({}, None)
    assert drain(source) == [b"1"]
    clock.advance(59_999)
    source.poll(10, 0.0)
    assert open_files(folder) == 1
    clock.advance(1)
    source.poll(10, 0.0)
    assert open_files(folder) == 0
    assert at_end(source.standings())
    with path.open("ab") as file:
        file.write(b"2\nhal")
    assert drain(source) == [b"2"]
    # At rest in the midst of a line, renamed, and gone on with; the next file begins after it.
    clock.advance(60_000)
    source.poll(10, 0.0)
    assert open_files(folder) == 0
    with path.open("ab") as file:
        file.write(b"f\n3\n")
    path.rename(folder / "a.jsonl.1")
    path.write_bytes(b"4\n")
    assert drain(source) == [b"half", b"3", b"4"]
    source.close()


def test_a_file_at_rest_that_is_truncated_and_as_long_again_is_noticed(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "a.jsonl"
    path.write_bytes(b"1\n")
    source = FileSource(files_settings(tmp_path, path, follow=True), clock)
    source.start({}, None)
    assert drain(source) == [b"1"]
    clock.advance(60_000)
    source.poll(10, 0.0)
    path.write_bytes(b"2\n")
    os.utime(path, ns=(1, 1))
    assert drain(source) == [b"2"]
    source.close()


def test_without_descriptors_a_file_is_not_taken_for_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n")
    source = FileSource(files_settings(tmp_path, path, follow=True), ManualClock())
    source.start({}, None)

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(SourceUnavailable, match="ulimit"):
            source.poll(10, 0.0)
    assert drain(source) == [b"1"]
    source.close()


def test_files_beyond_the_bound_are_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILES_MAX", 2)
    clock = ManualClock()
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_bytes(name.encode() + b"\n")
    once = FileSource(files_settings(tmp_path, tmp_path / "*.jsonl", follow=False), clock)
    with pytest.raises(SourceError, match="more than 2 files"):
        once.start({}, None)
    source = FileSource(files_settings(tmp_path, tmp_path / "*.jsonl", follow=True), clock)
    with structlog.testing.capture_logs() as logs:
        # One that was read before finds room first.
        source.start({Partition(str(tmp_path / "c.jsonl"), 0): 0}, None)
        assert drain(source) == [b"a", b"c"]
        clock.advance(1_000)
        source.poll(10, 0.0)
    assert [each["count"] for each in logs if each["event"] == "files_left_out"] == [1]
    # One that is gone makes room.
    (tmp_path / "a.jsonl").unlink()
    clock.advance(1_000)
    got = []
    for _ in range(3):
        got += drain(source)
        clock.advance(1_000)
    assert got == [b"b"]
    assert {Path(part.topic).name for part in source.standings()} == {"b.jsonl", "c.jsonl"}
    source.close()


def test_of_very_many_rotated_files_those_written_last_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "SIBLINGS_MAX", 3)
    path, clock = tmp_path / "a.jsonl", ManualClock()
    for number in range(2, 40):
        old = tmp_path / f"a.jsonl.{number}"
        old.write_bytes(b"history %d\n" % number)
        os.utime(old, ns=(number, number))
    path.write_bytes(b"one\n")
    source = FileSource(files_settings(tmp_path, path, follow=True), clock)
    source.start({}, None)
    assert drain(source) == [b"one"]
    with path.open("ab") as file:
        file.write(b"two\n")
    path.rename(tmp_path / "a.jsonl.1")
    path.write_bytes(b"three\n")
    source.close()
    again = FileSource(files_settings(tmp_path, path, follow=True), clock)
    again.start({Partition(str(path), 0): 4}, None)
    assert drain(again) == [b"two", b"three"]
    again.close()


def test_a_path_remembers_so_many_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookmarks, "GENERATIONS_MAX", 3)
    mark = bookmarks.Bookmark(tmp_path, "a.jsonl")
    for start in range(10):
        mark.add(bookmarks.Generation(start, f"head {start}"))
    again = bookmarks.Bookmark(tmp_path, "a.jsonl")
    assert again.load()
    assert [each.start for each in again.generations] == [7, 8, 9]
