"""``monitor check``: faults with file, line and column, and what is unwise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.program import monitor
from tests.daemon.folder import RULES, Folder

BROKEN = Path(__file__).parents[1] / "fixtures" / "broken"
PLACE = re.compile(r"^error: (?P<path>[^:]+):(?P<line>\d+):(?P<column>\d+): (?P<text>.+)$")


CALM = RULES | {"rules": RULES["rules"][:1]}
"""The one rule that nothing can be said against."""


def test_a_good_site(folder: Folder) -> None:
    folder.write(rules=CALM)
    done = monitor("check")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[-1].endswith("3 files, 1 indicator, 1 rule: 0 errors, 0 warnings")
    assert "embedded" not in done.out
    assert monitor("check", "-c", folder.path).out == done.out


def test_the_embedded_defaults_are_good_and_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = monitor("check")
    assert done.status == 0, done.out
    assert done.out.splitlines()[0] == (
        "no config.yaml here: the embedded defaults, with which every alert goes to the log"
    )
    assert "not defined" not in done.out
    assert monitor("check", "--json").json["findings"] == [
        entry
        for entry in monitor("check", "--json").json["findings"]
        if entry["severity"] != "error"
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("version: 1\nsorce: {kind: files}\n", 2, 1, "sorce"),
        ("version: 1\ntime:\n  tick: 5\n", 3, 9, "has no unit"),
        ("version: 1\ntime: {tick: 5s, tick: 6s}\n", 2, 18, "tick"),
        ("version: 1\npacks: [nowhere]\n", 2, 9, "nowhere"),
        ("version: 1\ntime: [\n", 3, 1, ""),
        ("version: 1\nexporter: {port: 99999}\n", 2, 18, "65535"),
        ("version: 2\n", 1, 10, "version"),
        ("", 0, 0, "empty"),
    ],
)
def test_a_fault_has_its_place(
    folder: Folder, text: str, line: int, column: int, said: str
) -> None:
    folder.path.write_text(text, encoding="utf-8")
    done = monitor("check")
    assert (done.status, done.err) == (2, "")
    found = PLACE.match(done.out.splitlines()[0])
    assert found is not None, done.out
    assert found["path"] == "config.yaml"
    assert (int(found["line"]), int(found["column"])) == (line, column), done.out
    assert said in found["text"]


@pytest.mark.parametrize("file", sorted(BROKEN.glob("rules/*.yaml")), ids=lambda file: file.stem)
def test_a_broken_pack_is_refused_with_its_place(folder: Folder, file: Path) -> None:
    target = folder.pack / "rules.yaml"
    target.write_bytes(file.read_bytes())
    done = monitor("check")
    assert done.status in {1, 2}, "refused, or found unwise"
    assert "Traceback" not in done.out + done.err
    assert any(str(target.relative_to(folder.root)) in line for line in done.out.splitlines())


def test_every_fault_is_told_at_once(folder: Folder) -> None:
    folder.path.write_text("version: 1\none: 1\ntwo: 2\n", encoding="utf-8")
    places = [PLACE.match(line) for line in monitor("check").out.splitlines()]
    assert [place and place["line"] for place in places] == ["2", "3"]


def test_the_same_for_programs(folder: Folder) -> None:
    folder.path.write_text("version: 1\ntimes: {tick: 5s}\n", encoding="utf-8")
    done = monitor("check", "--json")
    assert done.status == 2
    assert done.json["site"] is None
    (finding,) = done.json["findings"]
    assert (finding["severity"], finding["path"]) == ("error", "config.yaml")
    assert (finding["line"], finding["column"], finding["owner"]) == (2, 1, "")
    assert "times" in finding["message"]
    assert "time" in finding["hint"]


def test_of_a_good_site_programs_learn_what_is_in_it(folder: Folder) -> None:
    folder.write(rules=CALM)
    document = monitor("check", "--json").json
    assert set(document["site"]) == {"files", "indicators", "rules", "hash"}
    assert document["site"]["indicators"] == ["hangups"]
    assert document["site"]["rules"] == ["flagged"]
    assert {entry["severity"] for entry in document["findings"]} <= {"info", "warning"}
    folder.write(time={**folder.config["time"], "tick": "1s"})
    assert monitor("check", "--json").json["site"]["hash"] != document["site"]["hash"]


def test_an_unknown_route_is_an_error_of_an_active_rule_alone(folder: Folder) -> None:
    flagged = RULES["rules"][0] | {"notify": {"route": "nobody"}}
    folder.write(rules=RULES | {"rules": [flagged]})
    done = monitor("check")
    assert done.status == 1
    assert "flagged: route 'nobody' is not defined (defined are: people)" in done.out
    assert done.out.splitlines()[-1].endswith("1 error, 0 warnings")
    folder.write(rules=RULES | {"rules": [flagged | {"status": "shadow"}]})
    done = monitor("check")
    assert done.status == 0
    assert done.out.splitlines()[-1].endswith("0 errors, 1 warning")


def test_figures_of_rules_are_for_those_who_ask(folder: Folder) -> None:
    assert "info:" not in monitor("check").out
    asked = monitor("check", "--verbose", "-c", folder.path)
    assert asked.out.count("info:") == sum(
        entry["severity"] == "info" for entry in monitor("check", "--json").json["findings"]
    )


def test_broken_rule_tests_are_found_too(folder: Folder) -> None:
    (folder.pack / "rules.test.yaml").write_text("version: 1\ntests:\n  - nme: x\n")
    done = monitor("check")
    assert done.status == 2
    assert "rules/nervous/rules.test.yaml:3:" in done.out


def test_other_commands_say_configuration_faults_the_same_way(folder: Folder) -> None:
    folder.path.write_text("version: 1\nsorce: 1\n", encoding="utf-8")
    for command in ("status", "test", "run", "alerts list", "numbers list", "deliveries list"):
        done = monitor(*command.split())
        assert (done.status, done.out) == (2, ""), command
        assert done.err.startswith("config.yaml:2:1: "), command


def test_files_that_cannot_be_read(folder: Folder) -> None:
    folder.path.write_bytes(b"version: 1\n# \xff\n")
    done = monitor("check")
    assert done.status == 2
    assert "config.yaml" in done.out
    assert "Traceback" not in done.out + done.err


def test_a_pack_that_is_not_on_is_checked_by_its_folder(folder: Folder) -> None:
    mine = folder.root / "rules" / "mine"
    mine.mkdir()
    for name in ("indicators.yaml", "rules.yaml"):
        (mine / name).write_bytes((folder.pack / name).read_bytes())
    done = monitor("check", "rules/mine", "--json")
    assert {Path(path).parent.name for path in done.json["site"]["files"]} >= {"mine"}
    assert not any("nervous" in path for path in done.json["site"]["files"])
    (mine / "rules.yaml").write_text("version: 1\nrules: [\n", encoding="utf-8")
    assert monitor("check", "rules/mine").status == 2
    assert monitor("check", "rules/nowhere").status == 2


def test_rules_that_no_story_tells_of_are_named(folder: Folder) -> None:
    folder.write(rules=CALM)
    assert "no story in *.test.yaml tells of: flagged" in monitor("check").out
    assert "flagged: no story tells of this rule" in monitor("check", "-v").out
    (folder.pack / "rules.test.yaml").write_text(
        """\
version: 1
tests:
  - name: a flag
    start: 2026-11-22T09:00:00+08:00
    events: [{at: 0s, type: number.flagged, number: "+862150000001"}]
    expect: [{within: 1m, alert: flagged}]
""",
        encoding="utf-8",
    )
    assert "no story" not in monitor("check").out


def test_routes_to_people_that_leave_a_page_in_the_log_are_an_error(folder: Folder) -> None:
    delivery = {
        "routes": {"people": {"receivers": ["log"]}},
        "receivers": {"ding": {"type": "webhook", "url": "http://127.0.0.1/x"}},
        "people": {"li": {"receivers": ["ding"]}},
        "routing": [{"name": "crit", "match": {"level": "crit"}, "to": ["li"]}],
    }
    folder.write(rules=CALM, delivery=delivery)
    done = monitor("check")
    assert done.status == 1
    assert "go by the route operations, which is not set, so by `default`, to the log alone" in (
        " ".join(done.out.split())
    )
    assert "warning: " in done.out
