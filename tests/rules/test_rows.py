"""What a row shows, made when somebody looks."""

from __future__ import annotations

import pytest

from monitor.decisions import Evidence, Figures
from monitor.rules.episodes import Row, pictures, restored
from monitor.rules.lifecycle import State


def shown(hits: float) -> tuple[Figures, Evidence]:
    return Figures(hits / 10, hits, 10, "30m"), Evidence("raw", hits, 1)


def row() -> Row:
    return Row((("number", "+861"),), State.FIRING, *shown(1), level="warn", episode="e")


def test_what_is_shown_is_made_once_and_by_the_last_that_was_said() -> None:
    made: list[float] = []

    def say(hits: float) -> None:
        def shows() -> tuple[Figures, Evidence]:
            made.append(hits)
            return shown(hits)

        mine.show(shows)

    mine = row()
    say(2)
    say(3)
    assert (mine.figures, mine.evidence, mine.figures) == (*shown(3), shown(3)[0])
    assert made == [3]
    say(4)
    mine.show_now(*shown(5))
    assert (mine.figures, mine.evidence) == shown(5)
    say(6)
    assert (mine.evidence, mine.figures) == shown(6)[::-1]
    assert made == [3, 6]


def test_a_picture_has_it() -> None:
    mine = row()
    mine.show(lambda: shown(7))
    (again,) = restored(pictures({1: mine})).values()
    assert (again.figures, again.evidence) == shown(7)
    assert again == mine


def test_nothing_else_is_made_up() -> None:
    with pytest.raises(AttributeError, match="figurez"):
        row().figurez  # type: ignore[attr-defined]  # noqa: B018
