"""A site of its own folder: a nervous little pack, a configuration, a followed file of events.

Times are short throughout, so that what takes minutes in a call centre takes seconds here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

NUMBER = "+8621500000{:02}"
FLAGGED = NUMBER.format(1)
BAD = NUMBER.format(2)
GOOD = NUMBER.format(3)

INDICATORS: dict[str, Any] = {
    "version": 1,
    "indicators": [
        {
            "id": "hangups",
            "kind": "ratio",
            "hits": {"count": "call.ended", "where": "hangup_by == 'customer'"},
            "of": {"count": "call.ended"},
            "by": ["number", "team"],
            "windows": ["10s", "1m"],
            "better": "lower",
        }
    ],
}
RULES: dict[str, Any] = {
    "version": 1,
    "rules": [
        {
            "id": "flagged",
            "event": {"on": "number.flagged", "until": "number.cleared"},
            "by": "number",
            "levels": {"crit": {}},
            "no_data": "hold",
            "notify": {"route": "people"},
            "message": {"en": "{number} was flagged"},
            "action": {"suspend": {"until": "cleared"}},
        },
        {
            "id": "hangup",
            "indicator": "hangups",
            "by": "number",
            "levels": {"crit": {"above": "50%", "clear": "40%"}},
            "window": "10s",
            "evidence": {"method": "raw", "min_of": 5},
            "no_data": "hold",
            "notify": {"route": "people"},
            "message": {"en": "{number} hangs up {value:%}"},
            "action": {"suspend": {"ttl": "2s"}},
        },
        {
            "id": "team",
            "indicator": "hangups",
            "by": "team",
            "levels": {"warn": {"above": "50%", "clear": "40%"}},
            "window": "10s",
            "evidence": {"method": "raw", "min_of": 5},
            "no_data": "resolve",
            "notify": {"route": "people"},
        },
    ],
}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Folder:
    """Files of one daemon; ``config`` and ``rules`` are what was written last."""

    def __init__(self, root: Path, **sections: Any) -> None:
        self.root = root
        self.path = root / "config.yaml"
        self.store = root / "monitor.db"
        self.events = root / "events.jsonl"
        self._written = 0
        self.config: dict[str, Any] = {
            "version": 1,
            "source": {
                "kind": "files",
                "paths": [str(self.events)],
                "follow": True,
                "bookmarks": str(root / "bookmarks"),
            },
            "time": {"tick": "200ms", "out_of_order": "100ms", "idle_after": "200ms"},
            "packs": ["nervous"],
            "events": {"dead_letters": {"path": str(root / "dead.jsonl")}},
            "telephony": {"kind": "simulated", "answers_after": "50ms"},
            "store": {"path": str(self.store), "checkpoints": str(root / "checkpoints")},
            "checkpoint": {"every": "1s"},
            "delivery": {"routes": {"people": {"receivers": ["log"]}}},
            "exporter": {"port": 0},
            **sections,
        }
        self.pack = root / "rules" / "nervous"
        self.pack.mkdir(parents=True)
        self.write(INDICATORS, RULES)

    def write(
        self,
        indicators: Mapping[str, Any] | None = None,
        rules: Mapping[str, Any] | None = None,
        **sections: Any,
    ) -> None:
        """Write the configuration, with these sections in place of the former ones."""
        self.config |= sections
        _dump(self.path, self.config)
        if indicators is not None:
            _dump(self.pack / "indicators.yaml", indicators)
        if rules is not None:
            _dump(self.pack / "rules.yaml", rules)

    def append(self, *events: Mapping[str, Any]) -> None:
        """More lines at the end of the file that is followed."""
        with self.events.open("a", encoding="utf-8") as file:
            for event in events:
                self._written += 1
                whole = {"id": f"e{self._written}", "time": now_ms()} | dict(event)
                file.write(json.dumps(whole) + "\n")

    def call(self, number: str, *, bad: bool = False, count: int = 1, **fields: Any) -> None:
        """Calls that ended just now."""
        self.append(
            *(
                {
                    "type": "call.ended",
                    "number": number,
                    "customer": "+8613912345678",
                    "agent": "agent-1",
                    "group": "group-1",
                    "team": "team-1",
                    "campaign": "spring",
                    "direction": "outbound",
                    "outcome": "answered",
                    "hangup_by": "customer" if bad else "agent",
                    "talk_s": 5 if bad else 60,
                }
                | fields
                for _ in range(count)
            )
        )

    def flag(self, number: str = FLAGGED, kind: str = "number.flagged") -> None:
        """A flag, or with ``number.cleared`` its end, just now."""
        self.append({"type": kind, "number": number, "by": "carrier"})


def _dump(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
