"""The tables of indicators and rules in the packs' readmes, from the packs themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from monitor.indicators.model import Anchored, Calendar, Days, IndicatorFile, window_key
from monitor.rules.model import RulesFile
from monitor.strict_yaml import load_yaml

ROOT = Path(__file__).resolve().parents[2]
PACKS = ROOT / "rules"
MODELS: dict[str, type[BaseModel]] = {"indicators": IndicatorFile, "rules": RulesFile}
_MARKS = re.compile(r"(<!-- (indicators|rules) -->\n).*?(<!-- end -->)", re.DOTALL)
_SIGNS = {"above": ">", "below": "<", "at_least": "≥", "at_most": "≤"}


@dataclass(frozen=True, slots=True)
class Words:
    """What the tables say in one language."""

    language: str
    indicators: tuple[str, ...]
    rules: tuple[str, ...]
    until: str
    suspends: str
    at_least: str


WORDS = {
    "README.md": Words(
        "en",
        ("indicator", "what it is", "by", "over", "target"),
        ("rule", "what it says", "fires", "needs", "route", "status"),
        "until",
        "**suspends**",
        "at least",
    ),
    "README.zh-CN.md": Words(
        "zh",
        ("指标", "含义", "范围", "窗口", "目标"),
        ("规则", "说明", "触发", "证据", "通知", "状态"),
        "直到",
        "**停用**",
        "至少",
    ),
}


def packs() -> list[Path]:
    """The folders of all shipped packs."""
    return sorted(path.parent for path in PACKS.glob("*/indicators.yaml"))


def readmes() -> Iterator[Path]:
    """The readmes of all packs, in both languages."""
    return (pack / name for pack in packs() for name in WORDS)


def read(pack: Path, part: str) -> list[dict[str, Any]]:
    """The indicators or rules of a pack, as written."""
    # Not PyYAML's own loader: to it `on` is a truth value.
    loaded = load_yaml(pack / f"{part}.yaml", MODELS[part])
    found: list[dict[str, Any]] = loaded.data[part]
    return found


def fill(page: Path) -> str:
    """The readme with its tables in their places."""
    words, pack = WORDS[page.name], page.parent
    rows = {"indicators": _indicator, "rules": _rule}
    headings = {"indicators": words.indicators, "rules": words.rules}

    def table(marks: re.Match[str]) -> str:
        part = marks[2]
        lines = [headings[part], ("---",) * len(headings[part])]
        lines += [rows[part](entry, words) for entry in read(pack, part)]
        made = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{marks[1]}{made}\n{marks[3]}"

    filled, count = _MARKS.subn(table, page.read_text(encoding="utf-8"))
    assert count == len(rows), page
    return filled


def _indicator(entry: dict[str, Any], words: Words) -> tuple[str, ...]:
    scopes = ", ".join(" × ".join([by] if isinstance(by, str) else by) for by in entry["by"])
    windows = ", ".join(f"`{window_of(each)}`" for each in entry.get("windows", ["now"]))
    sign = "≤" if entry.get("better", "lower") == "lower" else "≥"
    target = entry.get("target")
    said = "–" if target is None else f"{sign} {spaced(target)}"
    title = entry["title"][words.language]
    what = f"{title}: {entry['description'][words.language]}".replace("|", "\\|")
    return (f"`{entry['id']}`", what, scopes, windows, said)


def _rule(entry: dict[str, Any], words: Words) -> tuple[str, ...]:
    law = entry.get("jurisdiction", "")
    since, until = entry.get("effective_from"), entry.get("effective_to")
    dates = f" {since or ''}…{until or ''}" if since or until else ""
    what = entry["title"][words.language] + (f" ({law}{dates})" if law else "")
    acts = f", {words.suspends}" if "action" in entry else ""
    acts += f", **{entry['order']}**" if "order" in entry else ""
    needs = _evidence(entry.get("evidence"), words)
    return (
        f"`{entry['id']}`",
        what,
        _fires(entry, words) + acts,
        needs,
        entry["notify"]["route"],
        str(entry.get("status", "active")),
    )


def _fires(entry: dict[str, Any], words: Words) -> str:
    by = entry.get("by")
    of = "" if by is None else f" / {' × '.join([by] if isinstance(by, str) else by)}"
    if "event" in entry:
        event = entry["event"]
        where = f" {event['where']}" if "where" in event else ""
        until = f" {words.until} `{event['until']}`" if "until" in event else ""
        return f"`{event['on']}`{where}{until}{of}"
    levels = ", ".join(
        f"{name} {_SIGNS[key]} {spaced(value)}"
        for name, level in entry["levels"].items()
        for key, value in level.items()
        if key in _SIGNS
    )
    for joined in ("all_of", "any_of"):
        if joined in entry:
            parts = ", ".join(f"`{part}`" for part in entry[joined])
            return f"{joined} {parts}{of}"
    if "absent" in entry:
        count = entry["absent"]["count"]
        awaited = ", ".join(f"`{each}`" for each in ([count] if isinstance(count, str) else count))
        return f"0 × {awaited}, {entry['for']}{of}"
    windows = entry.get("windows") or [entry["window"]]
    over = ", ".join(f"`{window_of(each)}`" for each in windows)
    return f"`{entry['indicator']}` {levels}, {over}{of}"


def _evidence(evidence: dict[str, Any] | None, words: Words) -> str:
    match evidence:
        case {"method": "sequential", "false_alarms": alarms}:
            return str(alarms)
        case {"method": "raw", "min_of": least}:
            return f"{words.at_least} {least:,}"
        case {"method": "wilson", "confidence": confidence}:
            return f"wilson {confidence}"
    return "–"


def window_of(window: Any) -> str:
    """The key of a window, however it is written."""
    match window:
        case {"calendar": _}:
            return window_key(Calendar(**window))
        case {"days": _}:
            return window_key(Days(**window))
        case {"anchored": _}:
            return window_key(Anchored(**window))
    return str(window)


def spaced(value: Any) -> str:
    """``30%`` as ``30 %``."""
    return re.sub(r"%$", " %", str(value))
