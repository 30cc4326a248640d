"""``monitor scorecard …``, as the console script calls it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pydantic import SecretStr

from monitor.archive.hashing import Hasher
from monitor.archive.settings import ArchiveSettings
from monitor.archive.tokens import Tokens
from monitor.archive.writer import Archiver
from monitor.clock import SystemClock
from monitor.events.settings import EventSettings
from monitor.secret import Secret
from monitor.source.files import FileSource
from monitor.source.settings import FilesSettings
from monitor.stats import Stats
from tests.cli.program import Done, monitor
from tests.scorecards.events import MARCH, event, floor, write
from tests.scorecards.made import text

SHIPPED = Path(__file__).resolve().parents[2] / "rules" / "scorecards"
STEPS = SHIPPED / "step-rates" / "card.yaml"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("log") / "events.jsonl", list(floor(MARCH, 38)))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ok(*arguments: Any, **more: Any) -> Done:
    done = monitor("scorecard", *map(str, arguments), **more)
    assert done.status == 0, done.err
    return done


def test_a_period_is_worked_out_and_written_in_every_form(here: Path, log: Path) -> None:
    told = ok(
        "run",
        STEPS,
        "--period",
        "2026-04",
        "--from",
        log,
        "--csv",
        "a.csv",
        "--xlsx",
        "a.xlsx",
        "--html",
        "a.html",
        "--keep",
        columns=160,
    )
    assert "Deals by steps, 2026-04" in told.out
    assert "█" in told.out
    assert "5 people, total" in told.out
    found = ok("run", STEPS, "--period", "2026-04", "--from", log, "--json").json
    kept = json.loads((here / "var" / "scorecards" / "step-rates" / "2026-04.json").read_text())
    assert kept == found
    assert ((here / "var/scorecards/step-rates/2026-04.json").stat().st_mode & 0o777) == 0o600
    rows = (here / "a.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == 6
    assert openpyxl.load_workbook(here / "a.xlsx").sheetnames[0] == "Statements"
    assert found["currency"] in (here / "a.html").read_text()
    pool = sum(Fraction(share["share"]) for each in found["pools"] for share in each["shares"])
    assert pool == sum(Fraction(each["amount"]) for each in found["pools"])


@pytest.mark.parametrize("customers", ["plain", "hashed"])
@pytest.mark.usefixtures("here")
def test_an_archive_gives_what_its_events_give(log: Path, customers: str) -> None:
    """Figures, records down to the offset, and what was refused; of one period and of two."""
    settings = ArchiveSettings(
        path=Path("archive"),
        customers="hashed" if customers == "hashed" else "plain",
        key=Secret(value=SecretStr("k" * 32)),
    )
    tokens = Tokens(settings.secret(), EventSettings())
    hasher = Hasher(tokens) if customers == "hashed" else None
    source = FilesSettings(kind="files", paths=(str(log),))
    clock = SystemClock()
    Archiver(settings, lambda: FileSource(source, clock), clock, Stats(), hasher).write_all()

    def told(*arguments: Any) -> Any:
        plain, kept = (
            ok(*arguments, "--from", each, "--period", "2026-04", "--json").json
            for each in (log, "archive")
        )
        if customers == "hashed":  # it shows other names of customers and ids
            for each in (plain, kept):
                for figure in each.get("records", {}).values():
                    for record in figure["shown"]:
                        record.pop("customer", None)
                        record.pop("call_id", None)
        assert plain == kept
        return plain

    assert told("run", STEPS)["total"] != "0"
    told("backtest", STEPS, STEPS, "--periods", "2")
    assert told("explain", STEPS, "amy")


def test_a_period_told_by_hand_needs_no_events(here: Path) -> None:
    (here / "sums.csv").write_text(
        "period,person,team,deals,amount,cooperation\n2026-04,amy,red,20,1000,\n2026-04,,red,,,79\n"
    )
    found = ok("run", STEPS, "--period", "2026-04", "--sums", "sums.csv", "--json").json
    # 20 × 1.2 × 100, and 1000 × 1 % × 0.8
    assert found["total"] == "2408"
    told = ok("explain", STEPS, "amy", "--period", "2026-04", "--sums", "sums.csv", columns=160).out
    assert "deals 20: by hand, sums.csv:2" in told
    assert "cooperation 79: by hand, sums.csv:3" in told
    assert "returned" not in told.replace("deals 20 − returned 0", "")


@pytest.mark.usefixtures("here")
def test_every_figure_is_explained_down_to_its_records(log: Path) -> None:
    whose = ("explain", STEPS, "amy", "--period", "2026-03", "--from", log)
    told = ok(*whose, "--json", "--records", "10000", "--show-customers").json
    (statement,) = told["statements"]
    figure, records = statement["figures"]["amount"], told["records"]["amount"]
    assert records["count"] == len(records["shown"]) == figure["events"]
    assert sum(Fraction(str(each["amount"])) for each in records["shown"]) == Fraction(
        figure["value"]
    )
    first = records["shown"][0]
    with log.open("rb") as file:
        file.seek(first["offset"])
        line = json.loads(file.readline())
    assert (line["amount"], line["customer"]) == (first["amount"], first["customer"])
    shown = ok(*whose, columns=200).out
    assert f"events.jsonl/0@{first['offset']}" in shown
    assert f"customer={first['customer']}" not in shown
    assert "more: --records" in shown


def test_who_has_no_statement_is_not_explained(here: Path) -> None:
    (here / "sums.csv").write_text("person,deals\namy,1\n")
    done = monitor("scorecard", "explain", str(STEPS), "bob", "--sums", "sums.csv")
    assert done.status == 2
    assert "bob has no statement in" in done.err
    assert "there are amy …" in done.err


def changed(folder: Path, *pairs: tuple[str, str]) -> Path:
    made = STEPS.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in made
        made = made.replace(old, new)
    path = folder / "new.yaml"
    path.write_text(made, encoding="utf-8")
    return path


def test_old_and_new_are_compared(here: Path, log: Path) -> None:
    new = changed(
        here,
        ("{from: 20, rate: 1.2}", "{from: 20, rate: 1.3}"),
        ("valid_from: 2026-09-01", "valid_from: 2026-11-01"),
    )
    arguments = (STEPS, new, "--period", "2026-04", "--periods", "2", "--from", log)
    found = ok("backtest", *arguments, "--json").json
    assert [each["period"] for each in found["totals"]] == ["2026-03", "2026-04"]
    assert found["ordinary"]["count"] == 10
    assert Fraction(found["ordinary"]["largest"]["difference"]) > 0
    assert any("changed on 2026-11-01, after 2 months" in each for each in found["warnings"])
    told = ok("backtest", *arguments, "--html", "b.html", columns=160)
    assert "a person, ordinary periods" in told.out
    assert "warning:" in told.out
    assert "<table>" in (here / "b.html").read_text()


SUMS = """period,person,team,deals,amount
2026-01,amy,red,30,9000
2026-02,amy,red,20,8000
2026-03,amy,red,24,7000
2026-04,amy,red,25,9000
2026-04,bob,red,10,4000
"""


def test_the_higher_is_paid_in_a_parallel_run(here: Path) -> None:
    (here / "sums.csv").write_text(SUMS)
    new = changed(here, ("per_deal: 100 ", "per_deal: 110 "))
    arguments = ("parallel", STEPS, new, "--period", "2026-04", "--sums", "sums.csv")
    found = ok(*arguments, "--person", "amy", "--person", "zoe", "--json").json
    amy = next(each for each in found["people"] if each["person"] == "amy")
    assert (amy["paid"], found["missing"]) == (amy["new"], ["zoe"])
    assert (amy["difference"], found["extra"]) == ("300", "300")  # 25 × 1.2 × 10
    told = ok(*arguments, "--person", "amy", "--person", "zoe", columns=160).out
    assert "the new card" in told
    assert "nobody is called zoe" in told
    assert monitor("scorecard", *map(str, arguments)).status == 2
    with new.open("a") as file:
        file.write("parallel: {people: [bob], until: 2026-04-30}\n")
    found = ok(*arguments, "--json").json
    assert [each["person"] for each in found["people"] if each["takes_part"]] == ["bob"]
    late = monitor("scorecard", *map(str, arguments), "--period", "2026-05")
    assert "the parallel run ended on 2026-04-30, before 2026-05" in late.err


def test_the_next_total_is_foretold(here: Path) -> None:
    (here / "sums.csv").write_text(SUMS)
    arguments = ("forecast", STEPS, "--period", "2026-04", "--sums", "sums.csv")
    found = ok(*arguments, "--periods", "3", "--budget", "3000", "--json").json
    assert len(found["used"]) == 3
    assert found["low"] < found["mean"] < found["high"]
    assert 0 < found["over_budget"] < 1
    told = ok(*arguments, "--periods", "6", "--budget", "3000", columns=160).out
    assert "90% interval" in told
    assert "above the budget of 3,000.00" in told
    assert "left out: nobody has a statement" in told
    assert "only 4 periods" in told


@pytest.mark.usefixtures("here")
def test_shipped_cards_are_checked() -> None:
    told = ok("check", SHIPPED).out
    assert "3 cards, 0 warnings, 13 tests passed, 0 failed" in told
    found = ok("check", STEPS, "--json").json
    assert (found["cards"], len(found["tests"])) == (["step-rates"], 5)


def test_what_a_check_finds(here: Path) -> None:
    (here / "card.yaml").write_text(text(parameters={"each": 10, "spare": 1}))
    (here / "card.cases.yaml").write_text(
        "version: 1\ncard: card.yaml\ntests:\n  - name: pays\n    period: 2026-10\n"
        "    sums: [{person: amy, figures: {deals: 3}}]\n    expect: [{person: amy, total: 31}]\n"
    )
    (here / "old.yaml").write_text(text())
    done = monitor("scorecard", "check", "card.yaml", "--against", "old.yaml")
    assert done.status == 1
    assert "differs: parameters spare: added" in done.out
    assert "spare is used in no formula" in done.out
    assert "✗ pays" in done.out
    assert "amy: the total is 30, not 31" in done.out
    (here / "card.yaml").write_text(text(lines=[]))
    assert monitor("scorecard", "check", "card.yaml").status == 2
    (here / "none").mkdir()
    assert "there is no card" in monitor("scorecard", "check", "none").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["run", STEPS, "--period", "2026-04"],
            "give --from FILE (one or several), --kafka, or --sums",
        ),
        (["run", STEPS, "--period", "April", "--sums", STEPS], "'April' is no period"),
        (["run", STEPS, "--kafka"], "the configuration's source is not Kafka"),
        (
            ["parallel", STEPS, "other.yaml", "--sums", "sums.csv"],
            "currency is CNY in one card and EUR",
        ),
        (["run", STEPS, "--sums", "sums.csv", "--xlsx", "no/where.xlsx"], "cannot be written"),
    ],
    ids=["nothing", "period", "kafka", "currency", "folder"],
)
def test_what_does_not_fit_is_said(here: Path, arguments: list[Any], words: str) -> None:
    (here / "other.yaml").write_text(text(currency="EUR"))
    (here / "sums.csv").write_text("person,deals\namy,1\n")
    (here / "config.yaml").write_text("version: 1\n")
    done = monitor("scorecard", *map(str, arguments))
    assert done.status == 2
    assert words in done.err


def test_what_was_refused_is_said_with_the_result(here: Path) -> None:
    events = [
        event(1, "deal.won", MARCH, "amy", amount="much"),
        event(2, "deal.won", MARCH, "amy", amount=1),
    ]
    log = write(here / "e.jsonl", events)
    (here / "people.csv").write_text("person,name,role,to\namy,Amy,junior,2026-03-15\n")
    told = ok(
        "run", STEPS, "--period", "2026-03", "--from", log, "--people", "people.csv", columns=200
    ).out
    assert "note: 1 records were refused, and are in no figure: 1 wrong_type" in told
    assert "Amy (amy)" in told
