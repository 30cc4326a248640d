"""A benchmark puts its table between its marks of a page, and its results into a file."""

import json
from pathlib import Path

import pytest

from bench.report import Report, arguments

PAGE = "before\n<!-- bench.made: begin -->\nold\n<!-- bench.made: end -->\nafter\n"


def report(folder: Path, *more: str) -> Report:
    page = folder / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    given = arguments("bench.made", None).parse_args(
        ["--keep", str(folder), "--write", str(page), *more]
    )
    return Report("made", given)


def test_the_table_replaces_what_stood_between_the_marks(tmp_path: Path) -> None:
    for _ in range(2):
        made = report(tmp_path)
        made.table(["", "events"], [["ours", "1"]], after="![plot](x.svg)")
    lines = (tmp_path / "page.md").read_text("utf-8").splitlines()
    assert lines[:2] == PAGE.splitlines()[:2]
    assert "load before and after" in lines[2]
    assert lines[3:] == [
        "",
        "|  | events |",
        "|---|---:|",
        "| ours | 1 |",
        "",
        "![plot](x.svg)",
        *PAGE.splitlines()[-2:],
    ]


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    made = report(tmp_path)
    (tmp_path / "page.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(ValueError, match=r"bench\.made: begin"):
        made.table(["", "events"], [])
    assert (tmp_path / "page.md").read_text("utf-8") == "nothing"


@pytest.mark.parametrize(("more", "name"), [((), "made"), (("--quick",), "made-quick")])
def test_results_name_machine_commit_and_load(
    tmp_path: Path, more: tuple[str, ...], name: str
) -> None:
    path = report(tmp_path, *more).keep({"rate": 7})
    assert path.name.endswith(f"-{name}.json")
    kept = json.loads(path.read_text("utf-8"))
    assert kept["rate"] == 7
    assert {"cpu", "cores", "python", "commit"} <= kept["machine"].keys()
    assert len(kept["load"]) == 2
