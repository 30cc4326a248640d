"""``monitor new``: what is written loads, and its first test passes at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from monitor.cli.new import app
from monitor.schemas import schema
from tests.cli.program import monitor

PACK = Path("rules") / "mine"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pack() -> Path:
    assert monitor("new", "pack", "mine", "--yes").status == 0
    return PACK


def written(file: str) -> dict[str, object]:
    loaded: dict[str, object] = yaml.safe_load((PACK / file).read_text())
    return loaded


def test_a_pack_passes_at_once_and_says_what_is_next(pack: Path) -> None:
    assert {each.name for each in pack.iterdir()} == {
        "README.md", "indicators.yaml", "rules.yaml", "rules.test.yaml",
    }  # fmt: skip
    done = monitor("test", pack)
    assert done.status == 0, done.out
    assert "2 passed, 0 failed" in done.out
    assert monitor("check", pack).status == 0
    assert written("rules.yaml")["rules"][0]["status"] == "shadow"  # type: ignore[index]


def test_editors_find_the_schemas(pack: Path) -> None:
    for file, kind in (("rules.yaml", "rules"), ("indicators.yaml", "indicators")):
        head = (pack / file).read_text().splitlines()[0]
        place = head.removeprefix("# yaml-language-server: $schema=")
        assert json.loads((pack / place).read_text()) == schema(kind)


def test_inside_a_checkout_its_own_schemas_are_used(tmp_path: Path) -> None:
    there = tmp_path / "docs" / "schema"
    there.mkdir(parents=True)
    for kind in ("rules", "indicators", "tests"):
        (there / f"{kind}.json").write_text("{}")
    assert monitor("new", "pack", "mine", "--yes").status == 0
    assert "$schema=../../docs/schema/rules.json" in (PACK / "rules.yaml").read_text()
    assert not (PACK.parent / ".schema").exists()


def test_nothing_is_overwritten(pack: Path) -> None:
    before = {each: each.read_text() for each in pack.iterdir()}
    for arguments, words in (
        (["pack", "mine", "--yes"], "is there already"),
        (["indicator", "mine", "quick_hangup", "--yes"], "has indicator 'quick_hangup' already"),
        (["rule", "mine", "quick-hangup", "--yes"], "has rule 'quick-hangup' already"),
    ):
        done = monitor("new", *arguments)
        assert done.status == 2
        assert words in done.err
    assert before == {each: each.read_text() for each in pack.iterdir()}


@pytest.mark.parametrize(
    ("figure", "rule", "tests"),
    [
        (
            ["--where", "talk_s < 6", "--of-where", "outcome == 'answered'"],
            ["--suspend", "30m"],
            4,
        ),
        (["--event", "complaint.filed", "--where", "category == 'unsolicited'",
          "--of-event", "call.ended", "--windows", "24h"], ["--threshold", "1%"], 4),
        (["--kind", "count", "--event", "call.ended", "--by", "number", "--windows", "1h"],
         ["--threshold", "120"], 4),
        (["--kind", "mean", "--event", "call.rated", "--field", "score", "--by", "agent",
          "--better", "higher", "--windows", "4h"], ["--threshold", "3"], 4),
        (["--event", "call.ended", "--where", "talk_s + ring_s < 6"], [], 3),
    ],
)  # fmt: skip
def test_figures_of_all_kinds(pack: Path, figure: list[str], rule: list[str], tests: int) -> None:
    done = monitor("new", "indicator", "mine", "it", *figure, "--yes")
    assert done.status == 0, done.err
    done = monitor("new", "rule", "mine", "one", "--indicator", "it", *rule, "--yes")
    assert done.status == 0, done.err
    done = monitor("test", pack)
    assert f"{tests} passed, 0 failed" in done.out
    assert monitor("check", pack).status == 0


def test_a_share_of_the_same_events_is_countable(pack: Path) -> None:
    where = ["--where", "talk_s < 6 or ring_s > 50", "--of-where", "outcome == 'answered'"]
    monitor("new", "indicator", "mine", "it", *where, "--yes")
    text = (pack / "indicators.yaml").read_text()
    assert "outcome == 'answered' and (talk_s < 6 or ring_s > 50)" in text
    done = monitor("new", "rule", "mine", "one", "--yes")
    assert "sequential" in (pack / "rules.yaml").read_text().split("id: one")[1], done.err


def test_a_rule_on_events(pack: Path) -> None:
    given = ["--on-event", "number.flagged", "--until", "number.cleared", "--suspend", "cleared"]
    done = monitor("new", "rule", "mine", "flagged", *given, "--yes")
    assert done.status == 0, done.err
    rest = (pack / "rules.yaml").read_text().split("id: flagged")[1]
    assert "{suspend: {until: cleared}}" in rest
    assert "3 passed" in monitor("test", pack).out
    alone = monitor("new", "rule", "mine", "alone", "--on-event", "number.flagged", "--yes")
    assert alone.status == 0, alone.err


def test_what_does_not_load_is_taken_back(pack: Path) -> None:
    before = {each: each.read_text() for each in pack.iterdir()}
    for arguments in (
        ["indicator", "mine", "it", "--where", "talk_x < 6"],
        ["rule", "mine", "it", "--threshold", "0.3"],
        ["rule", "mine", "it", "--by", "planet"],
    ):
        done = monitor("new", *arguments, "--yes")
        assert done.status == 2, arguments
        assert before == {each: each.read_text() for each in pack.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["indicator", "mine", "it"], "--where is needed"),
        (["indicator", "mine", "it", "--kind", "mean"], "--field is needed"),
        (["indicator", "mine", "it", "--event", "call.edned"], "no event type 'call.edned'"),
        (["rule", "mine", "it", "--indicator", "x"], "no indicator 'x'; it has: quick_hangup"),
        (["rule", "other", "it"], "is no pack yet: monitor new pack other"),
    ],
)
def test_wrong_answers(pack: Path, arguments: list[str], words: str) -> None:
    assert pack.is_dir()
    done = monitor("new", *arguments, "--yes")
    assert done.status == 2
    assert words in done.err


def test_a_pack_that_comes_to_no_good_end_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("version: 1\ndelivery: {routes: 5}\n")
    assert monitor("new", "pack", "rules/mine", "--yes").status == 2
    assert not PACK.exists()


def test_it_asks(pack: Path) -> None:
    answers = ["", "", "25%", "", "", "", "45m"]
    done = CliRunner().invoke(app, ["rule", "mine", "asked"], input="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    assert "Fires above" in done.output
    rest = (pack / "rules.yaml").read_text().split("id: asked")[1]
    assert "{above: 25%, clear: 21%}" in rest
    assert "ttl: 45m" in rest


def test_the_site_says_where_packs_and_routes_are(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "version: 1\nrules_dir: own\npacks: []\n"
        "delivery: {receivers: {log: {type: log}}, routes: {floor: {receivers: [log]}}}\n"
    )
    done = monitor("new", "pack", "mine", "--yes")
    assert done.status == 0, done.err
    assert "route: floor" in (tmp_path / "own" / "mine" / "rules.yaml").read_text()


def test_a_pack_that_the_configuration_names_already(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("version: 1\npacks: [mine]\n")
    done = monitor("new", "pack", "mine", "--yes", "--rule", "rests", "--suspend", "1h")
    assert done.status == 0, done.err
    assert "in config.yaml" not in done.out
    assert "suspend: {ttl: 1h" in (PACK / "rules.yaml").read_text()
    assert monitor("check").status == 0
