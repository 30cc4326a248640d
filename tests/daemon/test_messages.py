"""What a supervisor reads of a real daemon: its rule, what was done, the records, the trend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.daemon.folder import BAD, FLAGGED, Folder, now_ms
from tests.daemon.running import eventually, threaded
from tests.delivery.doubles import Answer, http_server
from tests.delivery.vendors import TOKEN


def test_alerts_of_a_running_daemon_arrive_in_a_chat(tmp_path: Path) -> None:
    with http_server() as server:
        server.respond = lambda _path, _body: Answer(body=b'{"code": 0, "msg": "success"}')
        floor = {
            "type": "feishu",
            "url": server.url,
            "token": {"value": TOKEN},
            "language": "en",
            "zone": "UTC",
        }
        folder = Folder(
            tmp_path,
            delivery={
                "receivers": {"floor": floor},
                "routes": {"people": {"receivers": ["floor"]}},
            },
            web={"public_url": "https://monitor.example.com"},
        )

        def texts() -> list[str]:
            cards: list[dict[str, Any]] = [
                json.loads(request.body)["card"] for request in list(server.requests)
            ]
            return [
                f"{card['header']['title']['content']}\n{card['body']['elements'][0]['content']}"
                f"\n{json.dumps(card['body']['elements'][1:])}"
                for card in cards
            ]

        with threaded(folder) as running:
            running.ready()
            folder.flag(FLAGGED)
            flagged = eventually(
                lambda: [text for text in texts() if f"{FLAGGED} was flagged" in text], "its card"
            )[0]
            folder.call(BAD, count=3, agent="agent-2", time=now_ms() - 3_000)
            folder.call(BAD, bad=True, count=9)
            hangs = eventually(
                lambda: [text for text in texts() if f"{BAD} hangs up" in text], "its card"
            )[0]
        assert flagged.startswith(f"Critical: flagged {FLAGGED}")
        assert f"Done: {FLAGGED} suspended" in flagged
        assert "https://monitor.example.com/console/alerts/" in flagged
        assert "limit above 50%" in hangs
        assert "Trend: " in hangs
        assert f"Records: {folder.events}/0@" in hangs
