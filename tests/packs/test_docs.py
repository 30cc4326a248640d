"""The examples in the documentation are files that load, and the story ends as told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.indicators.load import loads_indicators
from monitor.rules.cases import loads_cases
from monitor.rules.testing import run_tests
from monitor.site import load_site
from tests.packs.stories import run, shipped

DOCS = Path(__file__).parents[2] / "docs"


def blocks(name: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)


def files() -> dict[str, str]:
    """The three whole files of the ten minutes, by the schema they name."""
    whole = [block for block in blocks("rules.md") if block.startswith("# yaml-language-server")]
    return {re.search(r"schema/(\w+)\.json", block)[1]: block for block in whole}  # type: ignore[index]


def test_the_ten_minutes_work(tmp_path: Path) -> None:
    pack = tmp_path / "mine"
    pack.mkdir()
    (pack / "indicators.yaml").write_text(files()["indicators"])
    (pack / "rules.yaml").write_text(files()["rules"])
    site = load_site(None, packs=[pack])
    tests = loads_cases(files()["tests"], pack / "rules.test.yaml", site.rules)
    results = run_tests(tests, lambda story: run(site, story), SystemClock())
    assert [result.failures for result in results] == [(), ()]


@pytest.mark.parametrize("example", blocks("indicators.md"))
def test_the_example_indicators_load(example: str) -> None:
    loads_indicators(f"version: 1\nindicators:\n{example}", Path("example.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        *(b for b in blocks("rules.md") if b.startswith("override:")),
        "override: {rules: {customer-redial: {status: off}}}\n",
    ],
)
def test_overrides_of_the_cookbook_load(text: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"version: 1\n{text}")
    changed = load_site(config).rules
    assert changed != shipped().rules
    assert [rule.id for rule in changed] == [rule.id for rule in shipped().rules]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_override_in_the_pack_s_readme_loads(name: str, tmp_path: Path) -> None:
    readme = (DOCS.parent / "rules" / "telemarketing" / name).read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    config = tmp_path / "config.yaml"
    config.write_text(f"version: 1\n{block}")
    rules = {rule.id: rule for rule in load_site(config).rules}
    assert rules["number-answer"].status == "active"
    assert rules["customer-redial"].status == "off"
    assert (
        str(rules["number-hangup"].levels.crit and rules["number-hangup"].levels.crit.above)
        == "25%"
    )
