"""A configuration and its packs, put together: overrides, packs found, faults at their places."""

from __future__ import annotations

import copy
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import Config
from monitor.errors import ConfigError
from monitor.site import SHIPPED_PACKS, load_site
from tests.daemon.folder import INDICATORS, RULES, Folder


def refused(path: Path | None, **options: Any) -> list[str]:
    """What is said about it, without the folder."""
    with pytest.raises(ConfigError) as caught:
        load_site(path, **options)
    folder = "" if path is None else f"{path.parent}/"
    return [str(problem).replace(folder, "") for problem in caught.value.problems]


def overriding(folder: Folder, **override: Any) -> Path:
    folder.write(override=override)
    return folder.path


def line_of(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_the_embedded_defaults_are_a_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # nothing lies beside it
    site = load_site(None)
    assert site.config == Config()
    assert [file.resolve().parent for file in site.files] == [SHIPPED_PACKS / "telemarketing"] * 2
    assert len(site.hash) == 16
    assert load_site(None).hash == site.hash


def test_the_hash_is_of_all_files(folder: Folder) -> None:
    before = load_site(folder.path).hash
    for path in (folder.path, folder.pack / "indicators.yaml", folder.pack / "rules.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text + "# changed\n", encoding="utf-8")
        assert load_site(folder.path).hash != before
        path.write_text(text, encoding="utf-8")
    assert load_site(folder.path).hash == before


def test_values_laid_over_a_pack_key_by_key(folder: Folder) -> None:
    path = overriding(
        folder,
        indicators={"hangups": {"target": "20%", "windows": ["10s", "1m", "5m"]}},
        rules={
            "hangup": {"levels": {"crit": {"above": "60%"}}, "window": "5m"},
            "team": {"status": "off"},
        },
    )
    site = load_site(path)
    (hangups,) = site.indicators
    assert hangups.target == Fraction(1, 5)
    assert hangups.windows == ("10s", "1m", "5m")
    flagged, hangup, team = site.rules
    assert hangup.levels.crit is not None
    assert hangup.levels.crit.above == Fraction(6, 10)
    assert hangup.levels.crit.clear == Fraction(4, 10), "what is not named stays"
    assert hangup.window == "5m", "checked as a whole: the window is an override's, too"
    assert (flagged.status, team.status) == ("active", "off")


def test_a_list_is_replaced_as_a_whole(folder: Folder) -> None:
    site = load_site(overriding(folder, indicators={"hangups": {"windows": ["10s"]}}))
    assert site.indicators[0].windows == ("10s",)


def test_the_fault_of_an_override_is_said_at_the_override(folder: Folder) -> None:
    path = overriding(
        folder,
        rules={"hangup": {"levels": {"crit": {"above": 0.5}}}, "team": {"window": "7m"}},
    )
    (said,) = refused(path)  # the form first
    assert said.startswith(f"config.yaml:{line_of(path, '    hangup:')}:5: hangup: ")
    assert "clear (40%) and threshold (0.5) are of different kinds" in said
    path = overriding(folder, rules={"team": {"window": "7m"}})
    (said,) = refused(path)
    assert said.startswith(f"config.yaml:{line_of(path, '    team:')}:5: team: ")


def test_what_is_wrong_with_the_pack_is_said_at_the_pack(folder: Folder) -> None:
    rules = copy.deepcopy(RULES)
    rules["rules"][2]["indicator"] = "nothing"
    folder.write(None, rules, override={"rules": {"hangup": {"window": "1m"}}})
    place = line_of(folder.pack / "rules.yaml", "nothing")
    (said,) = refused(folder.path)
    assert said.startswith(f"rules/nervous/rules.yaml:{place}:14: team: ")
    folder.write(override={"rules": {"hangup": {"window": "2m"}}})
    first, second = refused(folder.path)
    assert first == said
    assert second.startswith("config.yaml:")


def test_overrides_do_not_move_the_pack_s_own_lines(folder: Folder) -> None:
    text = (folder.pack / "rules.yaml").read_text(encoding="utf-8")
    (folder.pack / "rules.yaml").write_text("# a\n# long\n# head\n" + text, encoding="utf-8")
    site = load_site(overriding(folder, rules={"hangup": {"window": "1m"}}))
    (rules,) = site.rule_files
    problem = rules.problem(("rules", 2, "indicator"), "here")
    lines = (folder.pack / "rules.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[problem.line - 1][problem.column - 1 :] == "hangups"
    assert problem.owner == "team"


def test_an_override_of_nothing_is_a_fault(folder: Folder) -> None:
    path = overriding(folder, rules={"hangups": {"status": "off"}}, indicators={"csat": {}})
    said = refused(path)
    csat, hangups = (line_of(path, f"    {name}:") for name in ("csat", "hangups"))
    hint = "(see `monitor check --json` for the ids there are)"
    assert said == [
        f"config.yaml:{csat}:5: no pack that is on has indicator 'csat' {hint}",
        f"config.yaml:{hangups}:5: no pack that is on has rule 'hangups' {hint}",
    ]


def test_an_override_of_another_pack_does_not_matter_to_one_that_is_looked_at(
    folder: Folder,
) -> None:
    path = overriding(folder, rules={"hangup": {"status": "off"}})
    site = load_site(path, packs=[SHIPPED_PACKS / "telemarketing"])
    assert site.rules == load_site(None).rules


def test_packs_beside_the_configuration_come_before_shipped_ones(folder: Folder) -> None:
    own = folder.root / "rules" / "telemarketing"
    own.mkdir()
    (own / "indicators.yaml").write_text(yaml.safe_dump(INDICATORS), encoding="utf-8")
    folder.write(packs=["telemarketing"])
    site = load_site(folder.path)
    assert [indicator.id for indicator in site.indicators] == ["hangups"]
    assert site.rules == ()
    assert [path.name for path in site.files] == ["config.yaml", "indicators.yaml"]


def test_an_unknown_pack_names_those_there_are(folder: Folder) -> None:
    folder.write(packs=["nervous", "other"])
    (said,) = refused(folder.path)
    place = line_of(folder.path, "- other")
    shipped = {path.parent.name for path in SHIPPED_PACKS.glob("*/indicators.yaml")}
    known = ", ".join(sorted({"nervous", *shipped}))
    assert said.startswith(f"config.yaml:{place}:3: no pack 'other' (in ")
    assert said.endswith(f" there are: {known})")
    folder.write(packs=["nervous"], rules_dir="nowhere")
    (said,) = refused(folder.path)
    assert said.endswith("nowhere there are: none)")


def test_two_packs_with_one_id(folder: Folder) -> None:
    other = folder.root / "rules" / "other"
    other.mkdir()
    (other / "indicators.yaml").write_text(yaml.safe_dump(INDICATORS), encoding="utf-8")
    folder.write(packs=["nervous", "other"])
    (said,) = refused(folder.path)
    assert "rules/other/indicators.yaml:9:7: hangups: 'hangups' stands in" in said
    assert "(rename one of them)" in said
    indicators = copy.deepcopy(INDICATORS)
    indicators["indicators"][0]["id"] = "others"
    (other / "indicators.yaml").write_text(yaml.safe_dump(indicators), encoding="utf-8")
    (other / "rules.yaml").write_text(yaml.safe_dump(RULES), encoding="utf-8")
    assert len(refused(folder.path)) == 3


def test_all_packs_faults_at_once(folder: Folder) -> None:
    other = folder.root / "rules" / "other"
    other.mkdir()
    (other / "indicators.yaml").write_text("version: 2\nindicators: []\n", encoding="utf-8")
    (folder.pack / "indicators.yaml").write_text("version: 1\n", encoding="utf-8")
    folder.write(packs=["nervous", "other"])
    said = refused(folder.path)
    assert any(line.startswith("rules/nervous/") for line in said)
    assert any(line.startswith("rules/other/") for line in said)


def test_an_unknown_receiver_in_a_route(folder: Folder) -> None:
    folder.write(delivery={"routes": {"people": {"receivers": ["log", "hook"]}}})
    (said,) = refused(folder.path)
    place = line_of(folder.path, "- hook")
    assert said == f"config.yaml:{place}:9: there is no receiver hook (one of: log)"


def test_packs_given_take_the_place_of_the_configured(folder: Folder) -> None:
    folder.write(packs=["missing"])
    assert len(load_site(folder.path, packs=[folder.pack]).rules) == 3
    assert refused(folder.path, packs=[folder.root]) == [
        "indicators.yaml:0:0: there is no such file"
    ]


def test_lists_of_customers_nobody_may_call(folder: Folder) -> None:
    listed = folder.root / "nobody.csv"
    folder.write(do_not_call={"files": [str(listed)]})
    (said,) = refused(folder.path)
    assert "nobody.csv: No such file or directory (one customer a line)" in said
    assert said.startswith(f"{folder.path.name}:{line_of(folder.path, 'nobody.csv')}:")
    listed.write_bytes(b"\xff\xfe1\x00")
    assert "is not UTF-8" in refused(folder.path)[0]
    listed.write_text("13800138000\n")
    site = load_site(folder.path)
    assert len(site.do_not_call) == 1
    assert listed in site.files
    listed.write_text("13800138000\n13800138001\n")
    assert load_site(folder.path).hash != site.hash, "a reload is one"
