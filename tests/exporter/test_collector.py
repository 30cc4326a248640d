import functools
import math
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from monitor.clock import ManualClock
from monitor.decisions import Figures
from monitor.events.batch import REJECT_REASONS
from monitor.events.catalogue import EVENT_TYPES
from monitor.exporter import catalogue as names
from monitor.exporter import status
from monitor.exporter.catalogue import CATALOGUE, Kind, MetricSpec
from monitor.exporter.collector import SnapshotCollector, stalled, unready
from monitor.exporter.exposition import Exposition
from monitor.exporter.families import Rows, histogram
from monitor.exporter.settings import ExporterSettings
from monitor.snapshot import (
    AlertStanding,
    Board,
    FigureKind,
    IndicatorFigures,
    PartitionStanding,
    Snapshot,
    Unready,
)
from monitor.stats import Stats, Timing
from tests.exporter import sample

NOW = 1_763_776_800_000
FIGURES = {f"callcentre_indicator_{each}" for each in ("ratio", "value", "hits", "of")}


def exposition(
    snapshot: Snapshot | None, settings: ExporterSettings | None = None, now_ms: int = NOW
) -> Exposition:
    board = Board()
    if snapshot is not None:
        board.publish(snapshot)
        board.watch = sample.WATCH
    return exposition_of(board, settings, now_ms)


def exposition_of(
    board: Board, settings: ExporterSettings | None = None, now_ms: int = NOW
) -> Exposition:
    settings = settings or ExporterSettings()
    return Exposition(board, SnapshotCollector(board, settings, ManualClock(now_ms)), settings)


def scrape(
    snapshot: Snapshot | None, settings: ExporterSettings | None = None, now_ms: int = NOW
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What Prometheus would store: the text form, parsed by an independent parser."""
    return stored(exposition(snapshot, settings, now_ms))


def scrape_board(board: Board) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return stored(exposition_of(board))


def stored(made: Exposition) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in parse(made.text().decode()):
        for row in family.samples:
            key = (row.name, frozenset(row.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = row.value
    return found


@functools.cache
def usual() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return scrape(sample.snapshot(NOW))


def value(
    found: Mapping[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str
) -> float:
    return found[name, frozenset(labels.items())]


def series(found: Mapping[tuple[str, frozenset[tuple[str, str]]], float], name: str) -> int:
    return sum(1 for key, _ in found if key == name)


def ours(found: Mapping[tuple[str, frozenset[tuple[str, str]]], float]) -> set[str]:
    return {name for name, _ in found if name.startswith(("callcentre_", "monitor_"))}


def test_a_ratio_has_value_hits_and_of() -> None:
    figures = IndicatorFigures(
        "hangup_rate",
        "ratio",
        ("team",),
        "30m",
        ("team-1", "team-2"),
        np.array([12.0, 0.0]),
        np.array([80.0, 0.0]),
        covered=False,
        dropped=3,
    )
    found = scrape(replace(sample.snapshot(NOW), figures=(figures,)))
    shared = {"indicator": "hangup_rate", "window": "30m", "scope": "team"}
    assert value(found, "callcentre_indicator_ratio", **shared, team="team-1") == 0.15
    assert value(found, "callcentre_indicator_hits", **shared, team="team-1") == 12
    assert value(found, "callcentre_indicator_of", **shared, team="team-1") == 80
    # 0 of 0 has no value, but is still there to be seen.
    assert series(found, "callcentre_indicator_ratio") == 1
    assert value(found, "callcentre_indicator_of", **shared, team="team-2") == 0
    assert value(found, "callcentre_indicator_covered", **shared) == 0
    assert value(found, "callcentre_indicator_keys_dropped", **shared) == 3
    assert value(found, "monitor_exporter_dropped_series") == 9
    assert value(found, "monitor_exporter_indicator_series") == 6


def test_a_mean_and_a_count_are_not_called_ratios() -> None:
    names, two = ("team-1",), np.array([8.0])
    mean = IndicatorFigures("csat", "mean", ("team",), "24h", names, two, np.array([2.0]))
    count = IndicatorFigures("redials", "count", ("team",), "24h", names, two, np.ones(1))
    found = scrape(replace(sample.snapshot(NOW), figures=(mean, count)))
    shared = {"window": "24h", "scope": "team", "team": "team-1"}
    assert series(found, "callcentre_indicator_ratio") == 0
    assert value(found, "callcentre_indicator_value", indicator="csat", **shared) == 4
    assert value(found, "callcentre_indicator_of", indicator="csat", **shared) == 2
    assert value(found, "callcentre_indicator_value", indicator="redials", **shared) == 8
    assert value(found, "callcentre_indicator_hits", indicator="redials", **shared) == 8
    assert series(found, "callcentre_indicator_of") == 1
    assert value(found, "monitor_exporter_indicator_series") == 5


def other_of(kind: FigureKind, bucket: tuple[float, float]) -> IndicatorFigures:
    one = np.ones(1)
    by, keys = ("team",), ("other",)
    return IndicatorFigures("x", kind, by, "30m", keys, one, one, dropped=2, other=bucket)


def test_keys_beyond_the_limit_are_a_series_apart() -> None:
    """A team that is called "other" is not taken for them."""
    shared = {"indicator": "x", "window": "30m", "scope": "team", "team": "other"}
    found = scrape(replace(sample.snapshot(NOW), figures=(other_of("ratio", (1.0, 4.0)),)))
    assert value(found, "callcentre_indicator_ratio", **shared) == 1
    assert value(found, "callcentre_indicator_ratio", **shared, bucket="other") == 0.25
    assert value(found, "callcentre_indicator_hits", **shared, bucket="other") == 1
    assert value(found, "callcentre_indicator_of", **shared, bucket="other") == 4
    assert value(found, "monitor_exporter_indicator_series") == 6
    found = scrape(replace(sample.snapshot(NOW), figures=(other_of("count", (3.0, 1.0)),)))
    assert value(found, "callcentre_indicator_value", **shared, bucket="other") == 3
    assert series(found, "callcentre_indicator_of") == 0
    found = scrape(replace(sample.snapshot(NOW), figures=(other_of("mean", (0.0, 0.0)),)))
    assert series(found, "callcentre_indicator_value") == 1, "a mean of nothing is absent"
    assert value(found, "callcentre_indicator_of", **shared, bucket="other") == 0


@pytest.mark.parametrize(("series_max", "keys", "buckets"), [(6, 1, 1), (5, 0, 1), (2, 0, 0)])
def test_the_cap_on_series_holds_with_it(series_max: int, keys: int, buckets: int) -> None:
    shown = replace(sample.snapshot(NOW), figures=(other_of("ratio", (1.0, 4.0)),))
    found = scrape(shown, ExporterSettings(series_max=series_max))
    of = [labels for name, labels in found if name == "callcentre_indicator_of"]
    in_buckets = sum("bucket" in dict(labels) for labels in of)
    assert (len(of) - in_buckets, in_buckets) == (keys, buckets)
    assert value(found, "monitor_exporter_indicator_series") == 3 * (keys + buckets)
    assert value(found, "monitor_exporter_dropped_series") == 3 * (2 + 2 - keys - buckets)


def test_customers_and_pairs_are_never_shown() -> None:
    hidden = tuple(
        IndicatorFigures("x", "count", by, "1h", ("secret",), np.ones(1), np.ones(1))
        for by in (("customer",), ("number", "customer"), ("team", "agent"))
    )
    text = exposition(replace(sample.snapshot(NOW), figures=hidden)).text().decode()
    assert "secret" not in text
    assert "13912345678" not in text
    assert "c-opaque" not in text
    assert 'customer="' not in text


def test_only_configured_scopes_are_exported() -> None:
    found = scrape(sample.snapshot(NOW), ExporterSettings(scopes=("team",)))
    scopes = {
        dict(labels)["scope"] for name, labels in found if name == "callcentre_indicator_hits"
    }
    assert scopes == {"team"}


@pytest.mark.parametrize(("series_max", "shown"), [(0, 0), (2, 0), (3, 3), (5, 3), (6, 6), (9, 6)])
def test_the_cap_keeps_whole_keys_and_counts_the_rest(series_max: int, shown: int) -> None:
    figures = sample.figures(sample.HANGUP, ("number",), "30m", ("a", "b"))
    found = scrape(
        replace(sample.snapshot(NOW), figures=(figures,)), ExporterSettings(series_max=series_max)
    )
    assert value(found, "monitor_exporter_indicator_series") == shown
    assert value(found, "monitor_exporter_dropped_series") == 6 - shown
    assert sum(series(found, f"callcentre_indicator_{x}") for x in ("ratio", "hits", "of")) == shown


def test_events_start_at_zero_and_unknown_types_share_a_label() -> None:
    picture = sample.snapshot(NOW)
    picture.stats.events.update({("evil-1", "accepted"): 2, ("evil-2", "accepted"): 3})
    found = scrape(picture)
    assert value(found, "callcentre_events_total", type="call.ended", outcome="accepted") == 8_400
    assert value(found, "callcentre_events_total", type="deal.won", outcome="accepted") == 0
    assert value(found, "callcentre_events_total", type="other", outcome="accepted") == 5
    types = {dict(labels)["type"] for name, labels in found if name == "callcentre_events_total"}
    assert types == {*EVENT_TYPES, "other"}


def test_known_counters_start_at_zero() -> None:
    found = scrape(Snapshot(wall_ms=NOW, stats=Stats()))
    assert series(found, "monitor_rejects_total") == len(REJECT_REASONS)
    assert value(found, "callcentre_commands_total", action="resume", result="rejected") == 0
    assert value(found, "callcentre_refusals_total", guard="max_fraction") == 0
    assert value(found, "callcentre_numbers", state="suspended") == 0
    assert value(found, "monitor_reloads_total", result="refused") == 0


def test_alerts_are_counted_and_listed_without_their_customer() -> None:
    found = usual()
    crit = {"rule": "number-hangup", "level": "crit", "shadow": "false"}
    assert value(found, "callcentre_alerts_firing", **crit) == 1
    assert value(found, "callcentre_alerts_firing", **(crit | {"level": "warn"})) == 0
    redial = {"rule": "redial", "level": "warn", "shadow": "true"}
    assert value(found, "callcentre_alerts_firing", **redial) == 2
    # Two episodes that differ by their customer alone: one series, since the elder.
    since = value(
        found,
        "callcentre_alert_since_timestamp_seconds",
        **redial,
        scope="number+customer",
        number=sample.NUMBERS[8],
    )
    assert since == (NOW - 90_000) / 1000
    assert series(found, "callcentre_alert_since_timestamp_seconds") == 2


def test_an_alert_of_a_rule_that_is_gone_is_still_counted() -> None:
    alert = AlertStanding("old", "warn", (), NOW, "e", Figures(None, 0, 0, "1h"))
    found = scrape(replace(sample.snapshot(NOW), rules=(), alerts=(alert,)))
    assert value(found, "callcentre_alerts_firing", rule="old", level="warn", shadow="false") == 1


def test_lists_are_bounded() -> None:
    found = scrape(sample.snapshot(NOW), ExporterSettings(rows_max=1))
    assert series(found, "callcentre_agent_info") == 1
    assert series(found, "callcentre_number_since_timestamp_seconds") == 1
    assert series(found, "callcentre_alert_since_timestamp_seconds") == 1


def test_numbers_out_of_service() -> None:
    found = usual()
    assert value(found, "callcentre_numbers", state="active") == 38
    assert value(found, "callcentre_numbers_frozen") == 0
    until = value(found, "callcentre_number_until_timestamp_seconds", number=sample.NUMBERS[3])
    assert until == (NOW + 1_200_000) / 1000
    assert series(found, "callcentre_number_until_timestamp_seconds") == 1
    frozen = scrape(replace(sample.snapshot(NOW), frozen=True))
    assert value(frozen, "callcentre_numbers_frozen") == 1


def test_delays_keep_growing_while_the_engine_hangs() -> None:
    picture = sample.snapshot(NOW)
    for later_ms in (0, 30_000):
        found = scrape(picture, now_ms=NOW + later_ms)
        assert value(found, "monitor_watermark_delay_seconds") == 2 + later_ms / 1000
        delay = value(
            found, "monitor_partition_watermark_delay_seconds", topic="calls", partition="0"
        )
        assert delay == 1.5 + later_ms / 1000
    assert series(found, "monitor_partition_watermark_delay_seconds") == 4
    assert series(found, "monitor_partition_lag_records") == 6
    assert value(found, "monitor_partition_idle", topic="sms", partition="1") == 1


def test_histograms_are_cumulative_and_agree_with_their_total() -> None:
    found = usual()
    buckets = {
        dict(labels)["le"]: count
        for (name, labels), count in found.items()
        if name == "monitor_tick_duration_seconds_bucket"
    }
    # Observed: 0.5 ms, 1 ms (on a bound: inside), 1.1 ms, 3 s.
    assert (buckets["0.001"], buckets["0.0025"], buckets["2.5"], buckets["+Inf"]) == (2, 3, 3, 4)
    assert value(found, "monitor_tick_duration_seconds_count") == 4
    assert value(found, "monitor_tick_duration_seconds_sum") == pytest.approx(3.0026)


def test_before_the_first_step_only_the_daemon_is_there() -> None:
    found = scrape(None)
    assert value(found, "monitor_ready") == 0
    assert value(found, "monitor_unready", reason="starting") == 1
    assert not [name for name, _ in found if name.startswith("callcentre_")]


def test_an_empty_snapshot_has_no_watermark() -> None:
    found = scrape(Snapshot(wall_ms=NOW, stats=Stats()))
    assert value(found, "monitor_ready") == 1
    assert series(found, "monitor_watermark_delay_seconds") == 0
    assert series(found, "monitor_checkpoint_timestamp_seconds") == 0


@pytest.mark.parametrize(("age_ms", "hangs"), [(60_000, False), (60_001, True)])
def test_a_picture_that_is_not_renewed_is_a_reason(age_ms: int, hangs: bool) -> None:
    picture = Snapshot(wall_ms=NOW, stats=Stats(), unready=(Unready("warming"),))
    assert stalled(picture, NOW + age_ms, 60_000) is hangs
    board = Board()
    board.publish(picture)
    reasons = [entry.reason for entry in unready(board, NOW + age_ms, 60_000)]
    assert reasons == (["warming", "stalled"] if hangs else ["warming"])
    assert not stalled(None, NOW, 60_000)


def test_a_stand_by_says_so_and_shows_no_picture() -> None:
    board = Board()
    board.publish(sample.snapshot(NOW))
    board.watch = sample.WATCH
    board.stand_by()
    assert [each.reason for each in unready(board, NOW + 10**9, 60_000)] == ["standby"]
    assert board.latest is None
    shown = ours(scrape_board(board))
    of_the_server = {"monitor_exporter_refused_requests_total"}
    assert shown - of_the_server == {"monitor_ready", "monitor_unready", "monitor_build_info"}
    board.work()
    assert [each.reason for each in unready(board, NOW, 60_000)] == ["starting"]


def test_the_sample_shows_the_whole_catalogue() -> None:
    full = replace(sample.snapshot(NOW), unready=(Unready("warming"),))
    shown = {name.removesuffix("_bucket") for name in ours(scrape(full))}
    shown -= {
        f"{spec.name}_{part}"
        for spec in CATALOGUE
        if spec.kind is Kind.HISTOGRAM
        for part in ("count", "sum")
    }
    assert shown == {spec.name for spec in CATALOGUE}


def test_of_very_many_files_those_with_most_to_read_are_shown() -> None:
    files = tuple(PartitionStanding(f"f{n:02}", 0, 10, 10 + n % 7, None) for n in range(50))
    full = replace(sample.snapshot(NOW), partitions=files)
    found = scrape(full, ExporterSettings(rows_max=7))
    lags = [lag for (name, _), lag in found.items() if name == "monitor_partition_lag_records"]
    assert lags == [6.0] * 7
    assert series(found, "monitor_records_total") == 7 + len(full.stats.records)
    shown = status.document(full, NOW, [])
    assert (shown["partitions_read"], len(shown["partitions"])) == (50, 50)


def test_status_lists_so_many_alerts_and_numbers() -> None:
    """What an open door lets in makes neither the page nor the picture larger without bound."""
    full = sample.snapshot(NOW)
    many = replace(full, alerts=full.alerts[:1] * 300, standing=full.standing[:1] * 300)
    many = replace(many, partitions=full.partitions[:1] * 3_000)
    shown = status.document(many, NOW, [])
    lengths = [len(shown[name]) for name in ("alerts", "standing", "partitions")]
    assert (lengths, shown["alerts_firing"]) == ([200, 200, 1_000], 300)


def test_labels_are_the_catalogues() -> None:
    labels = {spec.name: (set(spec.labels), spec.scoped) for spec in CATALOGUE}
    for name, pairs in usual():
        if name in labels:
            wanted, scoped = labels[name]
            extra = {key for key, _ in pairs} - wanted
            assert wanted <= {key for key, _ in pairs}
            figure = {names.BUCKET} if name.startswith("callcentre_indicator_") else set()
            assert extra <= (figure | set(names.LABEL_DIMENSIONS) if scoped else set())


def test_openmetrics_parses_strictly_and_says_the_same() -> None:
    made = exposition(sample.snapshot(NOW))
    plain = usual()
    found = {
        (row.name, frozenset(row.labels.items())): row.value
        for family in parse_open(made.text(openmetrics_format=True).decode())  # type: ignore[no-untyped-call]
        for row in family.samples
    }
    assert ours(found) == ours(plain)
    assert {key: found[key] for key in plain if key[0].startswith("callcentre_")} == {
        key: plain[key] for key in plain if key[0].startswith("callcentre_")
    }


@pytest.mark.prometheus
def test_promtool_finds_nothing_to_say(promtool: str) -> None:
    text = exposition(sample.snapshot(NOW)).text()
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_names_that_break_the_text_format_are_escaped() -> None:
    nasty = 'a"b\\c\nd'
    figures = sample.figures(sample.HANGUP, ("agent",), "30m", (nasty,))
    found = scrape(replace(sample.snapshot(NOW), figures=(figures,)))
    assert value(
        found,
        "callcentre_indicator_of",
        indicator="hangup_rate",
        window="30m",
        scope="agent",
        agent=nasty,
    )


def test_a_hundred_thousand_series_are_quick() -> None:
    keys = tuple(f"+86215{i:07}" for i in range(33_334))
    figures = sample.figures(sample.HANGUP, ("number",), "30m", keys)
    picture = replace(sample.snapshot(NOW), figures=(figures,))
    best = 1e9
    for _ in range(3):
        made = exposition(picture, ExporterSettings(series_max=200_000, keys_max=100_000))
        started = time.process_time()
        text = made.text()
        best = min(best, time.process_time() - started)
    assert text.count(b"\ncallcentre_indicator_") > 100_000
    assert best < 1.0  # about 0.06 s on an idle core


def test_figures_are_written_once_for_all_who_ask() -> None:
    picture = sample.snapshot(NOW)
    board = Board()
    board.publish(picture)
    made = exposition_of(board)
    first = stored(made)
    board.publish(replace(picture, wall_ms=NOW + 1))
    written = made._written
    assert stored(made).keys() == first.keys()
    assert made._written is written
    board.publish(replace(picture, figures=picture.figures[:1]))
    assert len(stored(made)) < len(first)
    board.stand_by()
    assert not [name for name, _ in stored(made) if name.startswith("callcentre_")]


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
            st.integers(-(2**53), 2**53),
            st.integers(0, 2**53),
        ),
        max_size=8,
        unique_by=lambda row: row[0],
    ),
    st.sampled_from(["ratio", "mean", "count"]),
)
def test_the_text_says_what_the_client_library_would(
    rows: list[tuple[str, int, int]], kind: FigureKind
) -> None:
    figures = IndicatorFigures(
        'quo"ted\\',
        kind,
        ("agent",),
        "30m\n",
        tuple(name for name, _, _ in rows),
        np.array([hits / 1_000 for _, hits, _ in rows]),
        np.array([of / 1_000 for _, _, of in rows]),
    )
    made = exposition(Snapshot(wall_ms=NOW, stats=Stats(), figures=(figures,)))
    found = {key: v for key, v in stored(made).items() if key[0] in FIGURES}
    values = figures.values.tolist()
    expected: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for index, name in enumerate(figures.names):
        labels = {"indicator": figures.indicator, "window": figures.window, "scope": "agent"}
        key = frozenset((labels | {"agent": name}).items())
        if not math.isnan(values[index]):
            which = "ratio" if kind == "ratio" else "value"
            expected[f"callcentre_indicator_{which}", key] = values[index]
        expected["callcentre_indicator_hits", key] = float(figures.hits[index])
        if kind != "count":
            expected["callcentre_indicator_of", key] = float(figures.of[index])
    assert found == expected


def test_a_row_with_the_wrong_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Rows(names.RECORDS).add(1)
    with pytest.raises(ValueError, match="not a histogram"):
        histogram(names.RECORDS, Timing())


@pytest.mark.parametrize(
    ("name", "kind", "labels", "match"),
    [
        ("lag_seconds", Kind.GAUGE, (), "name space"),
        ("monitor_records", Kind.COUNTER, (), "_total"),
        ("monitor_records_total", Kind.GAUGE, (), "_total"),
        ("monitor_calls", Kind.GAUGE, ("customer",), "customers"),
    ],
)
def test_a_bad_name_cannot_be_catalogued(
    name: str, kind: Kind, labels: tuple[str, ...], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        MetricSpec(name, kind, "help", labels)


def test_every_metric_stands_once() -> None:
    found = [spec.name for spec in CATALOGUE]
    assert len(found) == len(set(found)) > 50
    assert all(spec.help.endswith((".", "…")) for spec in CATALOGUE)
