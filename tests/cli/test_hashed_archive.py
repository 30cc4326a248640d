"""``archive.customers: hashed`` at the commands: lists with the key, without it, and warnings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.assembly import open_archiver
from monitor.cli.recorded import journaled
from monitor.clock import SystemClock
from monitor.decisions import ListAction
from monitor.site import load_site
from monitor.stats import Stats
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.cli.program import monitor
from tests.store.made import list_action

LISTED = "+8613977712345"
KEY = "a key of more than thirty-two characters"
PACK_INDICATORS = """\
version: 1
indicators:
  - id: calls
    title: {en: Calls, zh: 呼叫}
    description: {en: Calls of one customer, zh: 某客户的呼叫}
    class: result
    area: compliance
    kind: count
    value: {count: call.ended, where: "customer == '+8613977712345' and country(customer) == 'CN'"}
    by: [campaign]
    windows: [1h]
    better: lower
    target: 0
"""
PACK_RULES = """\
version: 1
rules:
  - id: that-one
    title: {en: That customer is called, zh: 呼叫该客户}
    indicator: calls
    by: campaign
    levels: {crit: {above: 0}}
    window: 1h
    evidence: {method: raw}
    no_data: resolve
    except: [{campaign: [spring]}]
    message: {en: "{campaign}", zh: "{campaign}"}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site whose list names one customer, who is called once; and its archive."""
    monkeypatch.chdir(tmp_path)
    Path("key").write_text(f"{KEY}\n")
    Path("list.csv").write_text("139 7771 2345;asked\n")
    call: dict[str, Any] = {
        "type": "call.ended", "direction": "outbound", "outcome": "answered", "agent": "a1",
        "campaign": "spring", "number": "+862150000001", "talk_s": 20,
    }  # fmt: skip
    at_ms = 1_795_309_200_000
    lines = [
        call | {"id": f"e{n}", "time": at_ms + n * 1_000, "customer": f"+861391234500{n}"}
        for n in range(9)
    ]
    lines.append(call | {"id": "e9", "time": at_ms + 10_000, "customer": "13977712345"})
    Path("events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    config("archive: {path: archive, customers: hashed, key: {file: key}}")
    archiver = open_archiver(load_site(Path("config.yaml")), SystemClock(), Stats())
    assert archiver is not None
    archiver.write_all()
    return tmp_path


def config(archive: str = "", more: str = "") -> None:
    Path("config.yaml").write_text(
        f"""\
version: 1
source: {{kind: files, paths: [events.jsonl]}}
do_not_call: {{files: [list.csv]}}
{archive}
{more}
"""
    )


def rules(*options: str | Path) -> tuple[set[str], str]:
    done = monitor("replay", *options)
    assert done.status == 0, done.err
    return {line["rule"] for line in done.lines if line["kind"] == "alert"}, done.err


def test_with_the_key_the_list_is_the_list() -> None:
    plain, _ = rules("--from", "events.jsonl")
    assert "campaign-opted-out" in plain
    told, warned = rules("--from", "archive")
    assert told == plain
    assert "do-not-call" not in warned


@pytest.mark.parametrize(
    "key", ["", "{key: {value: another key of thirty-two characters}}", "{key: {env: NOBODYS}}"]
)
def test_without_it_one_is_told(key: str) -> None:
    config(f"archive: {key or '{}'}")
    told, warned = rules("--from", "archive")
    assert "campaign-opted-out" not in told
    said = " ".join(warned.split())
    assert "archive holds tokens for customers" in said
    assert "nobody is on a do-not-call list for campaign-opted-out" in said
    assert LISTED not in warned


def test_whom_people_put_on_the_list_is_on_it(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    with Store.open(StoreSettings(path=store), SystemClock(), daemon=True) as opened:
        deed = list_action("a" * 32, LISTED, "c-7")
        payload = {name: getattr(deed, name) for name in ListAction.__slots__}
        opened.journal.append("list", 5_000, payload, key="k")
        opened.record(Recording([], judged_to_ms=10_000))
    site = load_site(Path("config.yaml"))
    plain = journaled(site, store, ["events.jsonl"]).inputs[0].what
    known = journaled(site, store, ["archive"]).inputs[0].what
    assert isinstance(plain, ListAction)
    assert isinstance(known, ListAction)
    assert plain.customers == (LISTED, "c-7")
    assert [name[:4] for name in known.customers] == ["#86:", known.customers[1][:4]]
    assert known.customers[1].startswith("#:")


def test_check_names_rules_that_need_the_number_itself(folder: Path) -> None:
    pack = folder / "rules" / "mine"
    pack.mkdir(parents=True)
    (pack / "indicators.yaml").write_text(PACK_INDICATORS)
    (pack / "rules.yaml").write_text(PACK_RULES)
    more = "rules_dir: rules\npacks: [mine]"
    config("archive: {path: archive, customers: hashed, key: {file: key}}", more)
    said = "a replay of the archive never finds the customer it names"
    assert said in " ".join(monitor("check").out.split())
    (pack / "rules.yaml").write_text(
        PACK_RULES.replace("    message:", "    status: off\n    message:", 1)
    )
    assert said not in " ".join(monitor("check").out.split())
    (pack / "rules.yaml").write_text(PACK_RULES)
    config("archive: {path: archive}", more)
    assert said not in " ".join(monitor("check").out.split())


def test_check_finds_nothing_in_the_shipped_packs() -> None:
    done = monitor("check", "--json")
    assert not [each for each in done.json["findings"] if "archive" in each["message"]]


def test_the_daemon_does_not_begin_what_would_protect_nobody() -> None:
    config("archive: {path: archive}")
    done = monitor("run", "-c", "config.yaml")
    assert done.status != 0
    assert "begin a new folder" in done.err
