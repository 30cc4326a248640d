"""The inventory as a table: what it may hold, what is said of its faults, where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.numbers.inventory import Item, laid_over, read, with_items, write
from monitor.numbers.settings import NumbersSettings, PoolsSettings
from monitor.site import load_site

HEAD = "number,type,pool,owner,standby\n"
GOOD = HEAD + (
    "+862150000001,95,campaign-7,team east,\n"
    "+862150000002,mobile,campaign-7,,no\n"
    "+862150000003,,campaign-7,,yes\n"
    "+862150000001,95,campaign-8,team east,\n"
)


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "numbers.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_is_read(tmp_path: Path) -> None:
    items = read(table(tmp_path, GOOD), most=9)
    assert items[0] == Item("+862150000001", "95", "campaign-7", "team east", standby=False)
    assert [item.standby for item in items] == [False, False, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD + "\n,,,,\n",
        "pool,number\ncampaign-7,+862150000001\n",
        'number,pool\n"+86 21 5000 0001",campaign-7\n',
    ],
)
def test_tables_as_programs_save_them(tmp_path: Path, text: str) -> None:
    assert read(table(tmp_path, text), most=9)[0].pool == "campaign-7"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "no column 'number'"),
        ("number,owner\n", 1, 1, "no column 'pool'"),
        ("number,pool,colour\n", 1, 3, "column 'colour' is not known, or is twice"),
        ("number,pool,pool\n", 1, 3, "column 'pool' is not known, or is twice"),
        (HEAD + "hotline,,a,,\n", 2, 1, "'hotline' is no telephone number"),
        (HEAD + "+8621,,,,\n", 2, 3, "'' is no name of a pool"),
        (HEAD + "+8621,,defaults,,\n", 2, 3, "'defaults' is no name of a pool"),
        (HEAD + "+8621,,a,,maybe\n", 2, 5, "'maybe' is neither yes nor no"),
        (HEAD + "+8621,,a,,,x\n", 2, 6, "more cells than columns"),
        (HEAD + "+8621,,a,,\n+8621,,a,,yes\n", 0, 0, "+8621 stands twice in pool 'a'"),
    ],
)
def test_a_fault_is_named_with_its_place(
    tmp_path: Path, text: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(ConfigError) as fault:
        read(table(tmp_path, text), most=9)
    problem = fault.value.problems[0]
    assert (problem.line, problem.column, problem.message) == (line, column, message)


def test_every_fault_is_found_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as fault:
        read(table(tmp_path, HEAD + "x,,,,maybe\ny,,a,,\n"), most=9)
    assert [problem.line for problem in fault.value.problems] == [2, 2, 2, 3]


def test_more_than_fit_and_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lists 4 numbers, and 3 fit"):
        read(table(tmp_path, GOOD), most=3)
    path = table(tmp_path, "")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read(path, most=3)


def test_nothing_was_imported_yet(tmp_path: Path) -> None:
    assert read(tmp_path / "none.csv", most=1) == []
    settings = NumbersSettings(inventory=tmp_path / "none.csv")
    assert laid_over(PoolsSettings(), settings) == (PoolsSettings(), [])


def test_it_stands_beside_the_pools_of_the_configuration(tmp_path: Path) -> None:
    pools = PoolsSettings.model_validate(
        {"defaults": {"min_left": 2}, "campaign-7": {"numbers": ["+862150000002"], "min_left": 1}}
    )
    both = with_items(pools, read(table(tmp_path, GOOD), most=9))
    assert both.pools["campaign-7"].numbers == ("+862150000002", "+862150000001")
    assert both.pools["campaign-7"].standby == ("+862150000003",)
    assert both.guards_of("campaign-7")["min_left"] == 1
    assert both.guards_of("campaign-8")["min_left"] == 2


def test_a_site_has_it_and_its_hash_changes_with_it(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD)
    config = tmp_path / "config.yaml"
    config.write_text(f"version: 1\nnumbers: {{inventory: {path}}}\n", encoding="utf-8")
    site = load_site(config)
    assert site.config.pools.pools["campaign-8"].numbers == ("+862150000001",)
    assert path in site.files
    table(tmp_path, GOOD.replace("campaign-8", "campaign-9"))
    assert load_site(config).hash != site.hash


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    items = read(table(tmp_path, GOOD), most=9)
    target = tmp_path / "deep" / "inventory.csv"
    write(target, items, [item.number for item in items])
    assert read(target, most=9) == items
    assert [path.name for path in target.parent.iterdir()] == ["inventory.csv"]
