"""``monitor diff``: two rule sets in one reading, and the status that CI looks at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.program import monitor
from tests.e2e.live import PACK

GONE = {"hangup-sequential", "hangup-raw", "team-wilson", "redials"}


@pytest.fixture(scope="module")
def few(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first minutes."""
    path = tmp_path_factory.mktemp("few") / "few.jsonl"
    with recorded.open(encoding="utf-8") as file:
        path.write_text("".join(next(file) for _ in range(8_000)), encoding="utf-8")
    return path


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A pack, and the same with a rule less, in a folder of packs."""
    monkeypatch.chdir(tmp_path)
    one, other = tmp_path / "one", tmp_path / "other" / PACK.name
    shutil.copytree(PACK, one)
    shutil.copytree(PACK, other)
    path = other / "rules.yaml"
    text = path.read_text(encoding="utf-8")
    changed = text
    for rule in GONE:
        changed = changed.replace(f"- id: {rule}\n", f'- id: {rule}\n    status: "off"\n')
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    return one, other.parent


def test_what_one_has_alone(sets: tuple[Path, Path], few: Path) -> None:
    one, other = sets
    done = monitor("diff", one, other, "--from", few, "--json", "--html", "diff.html")
    assert done.status == 1, done.err
    told = done.json
    assert told["same"] is False
    assert told["alerts"]["only_a"] > 0
    assert {pair["what"] for pair in told["alerts"]["differing"]} <= GONE
    alone = monitor("backtest", "--from", few, "--rules", one, "--json").json
    assert told["a"]["total"] == alone["total"], "as if nobody else had read with it"
    assert "Two rule sets" in Path("diff.html").read_text(encoding="utf-8")


def test_the_same_is_status_0(sets: tuple[Path, Path], few: Path) -> None:
    one, _ = sets
    done = monitor("diff", one, one, "--from", few, columns=100)
    assert done.status == 0, done.err
    assert "A and B decide the same" in done.out


def test_configurations_of_their_own(sets: tuple[Path, Path], few: Path) -> None:
    one, _ = sets
    texts = {"a.yaml": "tick: 5s", "b.yaml": "tick: 30s"}
    for name, tick in texts.items():
        text = f"version: 1\ntime: {{{tick}}}\nrules_dir: {one.parent}\npacks: [one]\n"
        Path(name).write_text(text, encoding="utf-8")
    done = monitor("diff", "a.yaml", "b.yaml", "--from", few)
    assert done.status in {0, 1}, done.err


def test_a_folder_without_packs(sets: tuple[Path, Path]) -> None:
    one, _ = sets
    Path("empty").mkdir()
    done = monitor("diff", one, "empty", "--from", "x.jsonl")
    assert done.status == 2
    assert "empty: no pack is in this folder" in done.err
