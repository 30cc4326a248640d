"""The configuration as a whole: defaults, bounds, and what a reload can take over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import Config
from monitor.errors import ConfigError
from monitor.strict_yaml import loads_yaml

ROOT = Path(__file__).parents[2]
ROUTING = ("routes", "default", "commands", "refusals")


def loaded(**sections: Any) -> Config:
    return loads_yaml(yaml.safe_dump({"version": 1, **sections}), Path("c.yaml"), Config).value


def test_an_empty_file_is_the_defaults() -> None:
    assert loads_yaml("{}\n", Path("c.yaml"), Config).value == Config()


@pytest.mark.parametrize("path", ["config.yaml", "deploy/config.compose.yaml"])
def test_shipped_configurations_load(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    loads_yaml(text, ROOT / path, Config)


def test_settings_reach_the_parts_that_own_them() -> None:
    config = loaded(
        time={"tick": "2s", "out_of_order": "3s", "lateness": "4m", "max_ahead": "5s"},
        limits={"keys_per_scope": 111, "pairs_per_measure": 222},
    )
    limits = config.windows
    assert (limits.keys_max, limits.pairs_max, limits.lateness_ms) == (111, 222, 240_000)
    tolerances = config.time.tolerances()
    assert tolerances.out_of_order_ms == 3_000
    assert tolerances.lateness_ms == 240_000
    assert tolerances.max_ahead_ms == 5_000
    assert tolerances.idle_after_ms == 2_000


@pytest.mark.parametrize(
    ("section", "name", "low", "high", "below", "above"),
    [
        ("time", "tick", "100ms", "60s", "99ms", "60001ms"),
        ("time", "out_of_order", "0s", "1h", None, "3600001ms"),
        ("time", "lateness", "0s", "24h", None, "86400001ms"),
        ("time", "idle_after", "100ms", "1h", "99ms", "3600001ms"),
        ("time", "scope_day", "1h", "24h", "59m", "25h"),
        ("checkpoint", "every", "1s", "1h", "999ms", "61m"),
        ("limits", "keys_per_scope", 100, 10_000_000, 99, 10_000_001),
        ("limits", "pending_rows", 10_000, 50_000_000, 9_999, 50_000_001),
    ],
)
def test_bounds_are_where_they_are_said_to_be(
    section: str, name: str, low: Any, high: Any, below: Any, above: Any
) -> None:
    for good in (low, high):
        loaded(**{section: {name: good}})
    for bad in (below, above):
        if bad is not None:
            with pytest.raises(ConfigError, match=r"c\.yaml:2:"):
                loaded(**{section: {name: bad}})


@pytest.mark.parametrize("pack", ["../other", "", "Other", "a b", "-x", "a" * 65])
def test_a_pack_is_a_folder_s_plain_name(pack: str) -> None:
    with pytest.raises(ConfigError):
        loaded(packs=[pack])


# --- reloads ------------------------------------------------------------------------------------


def test_the_same_needs_no_restart() -> None:
    assert Config().only_by_restart(Config()) == []


@pytest.mark.parametrize(
    "sections",
    [
        {"packs": []},
        {"override": {"rules": {"x": {}}}},
        {"rules_dir": "elsewhere"},
        {"pools": {"spring": {"numbers": ["+862150000001"]}}},
        {"numbers": {"rate": "1/1h", "ack_timeout": "5s"}},
        {"checkpoint": {"every": "30s"}},
        {"logs": {"level": "debug"}},
        {"delivery": {"routes": {"people": {"receivers": ["log"]}}}},
        {"delivery": {"default": ["log", "log"]}},
        {"delivery": {"commands": []}},
        {"delivery": {"refusals": "people"}},
    ],
    ids=str,
)
def test_taken_over_by_a_reload(sections: dict[str, Any]) -> None:
    new = loaded(**sections)
    assert new != Config()
    assert Config().only_by_restart(new) == []


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"source": {"kind": "files", "paths": ["x.jsonl"]}}, "source"),
        ({"time": {"lateness": "1m"}}, "time"),
        ({"events": {"phones": {"region": "DE"}}}, "events"),
        ({"telephony": {"kind": "none"}}, "telephony"),
        ({"archive": {"path": "var/archive"}}, "archive"),
        ({"scorecards": {"folder": "var/cards"}}, "scorecards"),
        ({"store": {"retention": "1d"}}, "store"),
        ({"dead_letters": {"topic": None}}, "dead_letters"),
        ({"exporter": {"port": 1}}, "exporter"),
        ({"limits": {"ids": 1_000}}, "limits"),
        ({"delivery": {"receivers": {"a": {"type": "log"}}}}, "delivery.receivers"),
        ({"delivery": {"drain": "1s"}}, "delivery.drain"),
        ({"delivery": {"backoff": {"base": "2s"}}}, "delivery.backoff"),
        ({"delivery": {"max_attempts": 1}}, "delivery.max_attempts"),
    ],
    ids=str,
)
def test_only_by_a_restart(sections: dict[str, Any], named: str) -> None:
    assert Config().only_by_restart(loaded(**sections)) == [named]


def test_every_section_is_of_one_kind_or_the_other() -> None:
    """A new section has to be thought about: does the running daemon take it over?"""
    taken_over = {
        "version",
        "packs",
        "rules_dir",
        "override",
        "pools",
        "numbers",
        "delivery",
        "checkpoint",
        "do_not_call",
        "logs",
    }
    by_restart = {
        "archive",
        "scorecards",
        "source",
        "time",
        "mappings",
        "events",
        "telephony",
        "store",
        "dead_letters",
        "exporter",
        "web",
        "ingest",
        "limits",
    }
    assert taken_over | by_restart == set(Config.model_fields)
