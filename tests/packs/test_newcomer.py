"""Three indicators in no shipped pack, written from the docs alone: only YAML is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.replay import run_story
from monitor.rules.cases import load_cases
from monitor.rules.testing import run_tests
from monitor.site import load_site
from tests.packs.stories import PACKS

pytestmark = pytest.mark.untraced

PACK = Path(__file__).parents[1] / "fixtures" / "newcomer"


def test_they_are_in_no_pack_and_their_stories_end_as_told() -> None:
    site = load_site(None, packs=[PACK])
    shipped = load_site(None, packs=[path.parent for path in PACKS.glob("*/rules.yaml")])
    own = {indicator.id for indicator in site.indicators}
    assert len(own) == 3
    assert not own & {indicator.id for indicator in shipped.indicators}
    cases = load_cases(PACK / "rules.test.yaml", site.rules)
    results = run_tests(cases, lambda story: run_story(site, story), SystemClock())
    assert [result.failures for result in results] == [()] * 6
