"""Every shipped pack that applies gives on published data what SQL gives."""

from __future__ import annotations

import os

import pytest

from tests.realdata import figures as shown
from tests.realdata import replays, shipped
from tests.realdata.shipped import Compared

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.untraced]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Compared]:
    missing = replays.missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    if missing:
        pytest.skip(missing)
    return list(shipped.compared(tmp_path_factory.mktemp("shipped"), shipped.QUICK))


def test_every_figure_equals_sql(found: list[Compared]) -> None:
    for each in found:
        assert shipped.differences(each) == []
        assert each.translated
        assert each.ours
    assert sum(len(each.ours) for each in found) > 10_000


def test_the_page_shows_what_they_say(found: list[Compared]) -> None:
    page = shown.PAGE.read_text(encoding="utf-8").splitlines()
    rows = shipped.table(found).splitlines()
    assert [row for row in rows if row not in page] == [], "run: python -m tests.realdata.figures"
