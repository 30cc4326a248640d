"""A real daemon tells people by routes; what people do beside it takes effect at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monitor.clock import SystemClock
from monitor.people.desk import PeopleDesk
from monitor.store.handled import Wanted
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.daemon.folder import BAD, RULES, Folder, now_ms
from tests.daemon.running import eventually, threaded
from tests.delivery.doubles import http_server

RULES_THAT_HOLD: dict[str, Any] = {
    **RULES,
    "rules": [rule | {"no_data": "hold"} for rule in RULES["rules"] if rule["id"] == "team"],
}
"""Of teams alone, and what fires goes on until there are good calls."""


def test_people_hear_by_routes_that_a_reload_changes_and_silences_hold(tmp_path: Path) -> None:
    with http_server() as server:
        hook = {"type": "webhook", "url": server.url}
        people = {"zhang": {"receivers": ["to-zhang"]}, "li": {"receivers": ["to-li"]}}
        delivery: dict[str, Any] = {
            "receivers": {
                "to-zhang": hook | {"url": f"{server.url}/zhang"},
                "to-li": hook | {"url": f"{server.url}/li"},
            },
            "people": people,
            "routing": [{"name": "all", "match": {"pack": "nervous"}, "to": ["zhang"]}],
        }
        folder = Folder(tmp_path, delivery=delivery)
        folder.write(rules=RULES_THAT_HOLD)

        def heard(path: str, team: str) -> list[dict[str, Any]]:
            bodies = [json.loads(r.body) for r in list(server.requests) if r.path == path]
            return [body for body in bodies if body.get("scope") == {"team": team}]

        def fires(team: str) -> None:
            folder.call(BAD, bad=True, count=9, team=team)

        with threaded(folder) as running:
            running.ready()
            fires("first")
            (told,) = eventually(lambda: heard("/zhang", "first"), "zhang was not told")
            with Store.open(StoreSettings(path=folder.store), SystemClock(), daemon=False) as store:
                desk = PeopleDesk(store, SystemClock())
                desk.acknowledge(told["episode"], "wang", "the carrier is called")
                silence = desk.silence({"team": "other"}, now_ms() + 600_000, "wang", "works")
                fires("other")
                (row,) = eventually(
                    lambda: [
                        row
                        for row in desk.inbox(Wanted(acknowledged=False)).rows
                        if store.routing.told(row.alert.episode)
                    ],
                    "the silenced one is not in the inbox",
                )
                assert [t.cause for t in store.routing.told(row.alert.episode)] == ["silenced"]
                assert heard("/zhang", "other") == []
                delivery["routing"][0]["to"] = ["li"]
                folder.write(delivery=delivery)
                running.reload()
                fires("third")
                eventually(lambda: heard("/li", "third"), "li was not told after the reload")
                desk.end_silence(silence.id, "wang")
                eventually(lambda: heard("/li", "other"), "the end of the silence was not seen")
        assert len(heard("/zhang", "first")) == 1
        assert heard("/zhang", "other") == []
