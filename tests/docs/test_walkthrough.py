"""The walk through a new rule is what its commands print, today as when it was written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import monitor
from tests.docs import walk


@pytest.fixture
def _in_shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_shanghai")
def test_the_walk_is_as_it_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    others = walk.process(tmp_path)

    def run(words: list[str]) -> str:
        if words[0] != "monitor":
            return others(words)
        done = monitor(*words[1:])
        assert done.status == 0, done.err
        return f"{done.out}{done.err}"

    page = walk.PAGE.read_text(encoding="utf-8")
    assert walk.same(walk.rerun(page, tmp_path, run)) == walk.same(page)


def test_what_differs_by_day_and_machine_is_left_out() -> None:
    one = "since 2016-12-02 10:23\n11-23 09:00:05 x 0.47 s\n"
    other = "since 2015-01-02 11:24\n2026-11-23 09:00 x 12 s\n"
    assert walk.same(one) == walk.same(other)
