"""What the peers are asked to compute is what DuckDB computes, and what we do."""

import json
from pathlib import Path

from bench.duck import run_duckdb, team_windows
from bench.job import Job, write_events
from bench.peers.task import CHECKED, MEASURES, SPANS, Answer, added, measures


def test_the_measures_of_the_peers_are_duckdbs(tmp_path: Path) -> None:
    file = tmp_path / "events"
    write_events(Job("small", events=3_000, density=50), file)
    sums: dict[str, list[int]] = {}
    for line in file.read_text("utf-8").splitlines():
        event = json.loads(line)
        sums[event["team"]] = added(sums.get(event["team"], [0] * len(MEASURES)), measures(event))
    windows = team_windows(file)
    for length_ms, step_ms in SPANS:
        ends = [int(each.split("/")[1]) for each in windows if each.startswith(f"{length_ms}/")]
        assert len(ends) == max(1, 60_000 // step_ms)
        # The minute is shorter than the window: its last one holds all.
        assert windows[f"{length_ms}/{max(ends)}"] == sums
    _, figures = run_duckdb(file)
    assert figures == {team: (each[5], each[4]) for team, each in sums.items()}


def test_an_answer_keeps_the_checked_scope_and_counts_all() -> None:
    answer = Answer()
    answer.take(CHECKED, "team-1", 1_800_000, 30_000, (1, 2, 3, 4, 5, 6))
    answer.take("number", "+8621500000001", 1_800_000, 30_000, (1, 2, 3, 4, 5, 6))
    assert answer.windows == {"1800000/30000": {"team-1": [1, 2, 3, 4, 5, 6]}}
    assert answer.results == 2
