"""The console's pages, as they are sent: in both languages, for every role, without a browser."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from monitor.console import paint as painting
from monitor.console.assets import assets
from monitor.console.words import LANGUAGES, catalogue
from monitor.decisions import Evidence, Figures, NumberChange
from monitor.snapshot import Unready
from monitor.store.store import Recording, Store
from tests.docs.markdown import ROOT
from tests.exporter import sample
from tests.interface import test_shadow as shadow
from tests.interface.reading import CUSTOMER, NOW, Site, alert, picture, site_at, standing_of
from tests.interface.serving import ROLES, bearer
from tests.interface.test_alerts import ACTS, ALL, OURS, OVER, PRIVATE, explained
from tests.interface.test_scorecards import TITLES, kept

CONSOLE = ROOT / "monitor" / "console"
HOSTILE = '"><script>alert(1)</script>'
PAGES = (
    "/",
    "/?by=agent&q=agent-0&sort=hangup_rate&reverse=true",
    "/?by=number&span=long&area=experience",
    "/?open=team:team-1&open=group:group-0&firing=false",
    "/?team=team-1&page=2",
    "/alerts",
    "/alerts?show=all&level=crit&team=north",
    "/alerts?show=ended&rule=old",
    "/alerts?show=mine",
    f"/alerts/{ACTS.episode}",
    f"/alerts/{OVER.episode}",
    f"/alerts/{PRIVATE.episode}",
    f"/alerts/{OURS.episode}/toast",
    f"/alerts/{OURS.episode}/records",
    f"/alerts/{ACTS.episode}/records",
    "/numbers",
    "/numbers?state=suspended&q=0003",
    "/scope?by=agent&name=agent-04",
    "/scope?by=team&name=team-1",
    f"/scope?by=number&name=%2B{sample.NUMBERS[3][1:]}",
    "/scope?by=agent&name=nobody",
    "/rules",
    "/rules?status=shadow",
    "/shadow",
    "/shadow?days=1",
    "/shadow/trial",
    "/shadow/real?days=30",
    "/health",
)
PAY = (
    "/scorecards",
    "/scorecards/made/2026-10",
    "/scorecards/made/2026-10?q=AM&page=2",
    "/scorecards/made/2026-09?team=nobody",
    "/scorecards/made/2026-10/amy",
)
"""Pages that viewers may not see."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    named = alert(rule="agent-hangup", message={"en": HOSTILE})
    shown = picture(
        alerts=(standing_of(ACTS), standing_of(named)), unready=(Unready("source", HOSTILE),),
        frozen=True,
    )  # fmt: skip
    with site_at(
        tmp_path_factory.mktemp("pages"), shown=shown, explain=explained, rate="100000/1m"
    ) as made:
        with Store.open(made.settings, made.clock) as store:
            change = NumberChange(
                NOW, "1" * 32, sample.NUMBERS[3], "wanted", "suspended", "applied", "telephony",
                ACTS.episode, "", NOW + 60_000, HOSTILE,
            )  # fmt: skip
            refused = replace(
                change, id="2" * 32, before="wanted", after="active", until_ms=NOW + 61_000,
                detail="5 of 10 are out of service; the limit is 5",
            )  # fmt: skip
            store.record(Recording([*ALL, named, *shadow.ALL], changes=[change, refused]))
        kept(made.settings.path.parent / "scorecards", "2026-09", "2026-10")
        yield made


class Page(HTMLParser):
    """Tags, ids, and what is linked."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.scripts: list[dict[str, Any]] = []
        self.handlers: list[str] = []
        self.labels: set[str] = set()
        self.fields: list[str] = []
        self.lang = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "script":
            self.scripts.append(found)
        if tag == "html":
            self.lang = str(found.get("lang"))
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]


def get(site: Site, path: str, role: str = "viewer", language: str = "en", **headers: str) -> Any:
    return site.served.client.get(
        f"/console{path}",
        headers={**bearer(role), "Cookie": f"monitor-language={language}", **headers},
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_and_safe(site: Site, path: str, language: str) -> None:
    for role in ROLES:
        answer = get(site, path, role, language)
        assert answer.status_code == 200, answer.text
        assert "<script>alert" not in answer.text
        assert CUSTOMER not in answer.text
        page = Page(answer.text)
        assert len(page.ids) == len(set(page.ids))
        assert page.handlers == []  # nothing in the page itself is a script or a style
        assert all(script.get("src", "").startswith("/console/static/") for script in page.scripts)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PAY)
def test_viewers_see_nobodys_pay_and_the_others_a_page_that_is_whole_and_safe(
    site: Site, path: str, language: str
) -> None:
    assert get(site, path, "viewer", language).status_code == 403
    assert "/console/scorecards" not in get(site, "/rules", "viewer", language).text
    for role in ROLES[1:]:
        answer = get(site, path, role, language)
        assert answer.status_code == 200, answer.text
        page = Page(answer.text)
        assert len(page.ids) == len(set(page.ids))
        assert page.handlers == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_titles_of_cards_are_in_the_viewers_language(site: Site, language: str) -> None:
    text = get(site, "/scorecards/made/2026-10", "operator", language).text
    person = get(site, "/scorecards/made/2026-10/amy", "operator", language).text
    for page, whole in ((text, False), (person, True)):
        assert (TITLES["card"][language] in page, TITLES["line"][language] in page) == (True, True)
        assert ({"en": "Deals", "zh": "成交"}[language] in page) or not whole
    other = {"en": "zh", "zh": "en"}[language]
    assert TITLES["card"][other] not in text + person


def test_supervisors_see_the_pay_of_their_own_teams(site: Site) -> None:
    ours, every = (get(site, "/scorecards/made/2026-10", role).text for role in ROLES[1:3])
    assert ("amy" in ours, "bob" in ours, "200.00" in ours) == (True, False, False)
    assert ("amy" in every, "bob" in every, "200.00" in every) == (True, True, True)
    assert get(site, "/scorecards/made/2026-10/bob", "supervisor").status_code == 404
    bob = get(site, "/scorecards/made/2026-10/bob", "operator").text
    assert "100.00" in bob
    assert "amy" not in bob  # of a pool one's own share alone


def test_what_shadow_rules_would_have_done(site: Site) -> None:
    text = get(site, "/shadow").text
    assert "/console/shadow/trial?days=7" in text
    assert "/console/shadow/by-agent?days=7" in text
    text = get(site, "/shadow/trial").text
    assert "out of service" in text
    assert f"/console/alerts/{shadow.TRIED.episode}" in text
    assert "It would have told nobody" in get(site, "/shadow/by-agent").text
    assert get(site, "/shadow/none").status_code == 404
    assert get(site, "/shadow?days=32").status_code == 422


def test_a_page_is_in_the_language_of_the_cookie_or_the_caller(site: Site) -> None:
    assert Page(get(site, "/", language="zh").text).lang == "zh-CN"
    assert Page(get(site, "/", language="xx").text).lang == "en"
    assert "实时看板" in site.ask("/console/").text  # web.language
    answer = get(site, "/language?to=zh&back=/console/alerts")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/alerts")
    assert "monitor-language=zh" in answer.headers["set-cookie"]
    for elsewhere in ("//evil.example/", "https://evil.example", "/console/..//evil"):
        there = get(site, f"/language?to=en&back={elsewhere}").headers["location"]
        assert there == "/console/"


def test_times_are_in_the_viewers_zone(site: Site) -> None:
    shown = get(site, "/", Cookie="monitor-language=en; monitor-zone=UTC").text
    assert re.search(r"As of <time [^>]*>01:59:55</time>", shown)
    assert ">09:59:55</time>" in get(site, "/").text  # web.zone
    assert ">01:59:55</time>" in get(site, "/", Cookie="monitor-zone=No/Where").text


def test_the_middle_alone_for_a_page_that_refreshes_itself(site: Site) -> None:
    text = get(site, "/", **{"X-Fragment": "1"}).text
    assert "<html" not in text
    assert 'id="board"' in text


def test_buttons_are_for_those_who_may(site: Site) -> None:
    path = f"/alerts/{OURS.episode}"
    assert "data-act" not in get(site, path, "viewer").text
    assert 'data-act="acknowledge"' in get(site, path, "supervisor").text
    assert 'data-act="acknowledge"' not in get(site, f"/alerts/{ACTS.episode}", "supervisor").text
    assert "data-number-act" not in get(site, "/numbers", "supervisor").text
    assert 'data-number-act="resume"' in get(site, "/numbers", "operator").text
    assert 'data-number-act="unfreeze"' not in get(site, "/numbers", "operator").text
    assert 'data-number-act="unfreeze"' in get(site, "/numbers", "admin").text


def test_an_admin_may_see_customers_behind_an_alert(site: Site) -> None:
    path = f"/alerts/{OURS.episode}/records"
    assert "customers=true" in get(site, path, "admin").text
    assert CUSTOMER in get(site, f"{path}?customers=true", "admin").text
    refused = get(site, f"{path}?customers=true", "operator").text
    assert CUSTOMER not in refused


def test_what_is_not_there(site: Site) -> None:
    for path in (f"/alerts/{'0' * 32}", "/scope?by=customer&name=x", "/static/none.js", "/nowhere"):
        answer = get(site, path, "viewer", "zh", Accept="text/html")
        assert (answer.status_code, Page(answer.text).lang) == (404, "zh-CN"), path
        assert "没有这个页面" in answer.text
        bare = get(site, path)  # a program, or a page that refreshes itself
        assert (bare.status_code, bare.json()["status"]) == (404, 404)
    assert get(site, "/?page=0", Accept="text/html").status_code == 422
    refreshing = get(site, "/?page=0", Accept="text/html", **{"X-Fragment": "refresh"})
    assert refreshing.json()["status"] == 422
    assert get(site, "/scope?by=number&name=xyz").status_code == 404


def test_what_is_kept_of_a_number_is_in_the_readers_language(site: Site) -> None:
    assert "5 of 10 are out of service; the limit is 5" in get(site, "/numbers").text
    assert "10 个号码中 5 个已停用,上限 5 个" in get(site, "/numbers", language="zh").text


def test_a_history_says_until_when_only_of_a_number_that_is_out(site: Site) -> None:
    rows = re.findall(r"<li>.*?</li>", get(site, "/numbers").text)
    mine = [row for row in rows if sample.NUMBERS[3] in row]
    assert len(mine) == 2
    until = [row for row in mine if re.search(r'class="muted nowrap">until ', row)]
    assert len(until) == 1
    assert "limit is 5" not in until[0]


def test_red_is_for_what_is_critical(site: Site) -> None:
    found = re.findall(r'<tr id="rule-([^"]+)">(.*?)</tr>', get(site, "/rules").text, re.DOTALL)
    bars = {name: set(re.findall(r'class="d-(firing|warn)"', row)) for name, row in found}
    assert bars["redial"] == {"warn"}
    assert bars["number-hangup"] == {"firing"}


def test_a_queue_that_is_full_says_so_to_everybody() -> None:
    gauge: Any = painting._environment().globals["gauge"]
    half, full, none = gauge("Store", 5, 10, 0.8), gauge("Store", 12, 10, 0.8), gauge("S", 0, 0, 1)
    assert "<title>Store 50 %</title>" in half
    assert 'class="d-used" width="50.00"' in half
    assert 'class="d-warn" width="100.00"' in full
    assert 'width="0.00"' in none


def test_an_absence_is_told_by_how_long_it_lasts(tmp_path: Path) -> None:
    with site_at(tmp_path) as made:
        silent = alert(rule="no-calls", figures=Figures(1_800.0, 1_800.0, 1.0, "15m", "count"),
                       evidence=Evidence("absence", 1_800.0, 900.0))  # fmt: skip
        made.record(silent)
        text = get(made, f"/alerts/{silent.episode}", language="zh").text
        assert "1,800" not in text
        assert re.search(r"触发 · 30 分钟", text)
        assert "&gt; 15 分钟" in text or "> 15 分钟" in text


def test_before_the_first_picture_pages_say_so(tmp_path: Path) -> None:
    with site_at(tmp_path, shown=replace(picture(), figures=(), alerts=())) as made:
        made.record(OURS)
        made.board.stand_by()
        for path in ("/", "/numbers"):
            assert get(made, path).status_code == 503
        for path in ("/alerts", "/health"):
            assert get(made, path).status_code == 200


# --- words and files ----------------------------------------------------------------------------


def test_languages_have_the_same_words_with_the_same_names() -> None:
    english = catalogue("en")
    for language in LANGUAGES:
        other = catalogue(language)
        assert english.keys() == other.keys()
        for key, text in english.items():
            fields = [set(re.findall(r"{(\w+)}", words)) for words in (text, other[key])]
            assert fields[0] == fields[1], key


def test_every_word_that_a_template_or_a_script_asks_for_is_there() -> None:
    known = catalogue("en")
    templates = "".join(path.read_text("utf-8") for path in CONSOLE.glob("templates/*.html"))
    asked = set(re.findall(r"\bt\('([a-z_]+\.[a-z_]+)'[,)]", templates))
    scripts = "".join(path.read_text("utf-8") for path in CONSOLE.glob("static/*.js"))
    asked |= set(re.findall(r'words\["([a-z]+\.[a-z_]+)"\]', scripts))
    assert asked - known.keys() == set()


def test_files_are_kept_for_a_year_under_their_own_names(site: Site) -> None:
    for name in assets().names.values():
        answer = get(site, f"/static/{name}", **{"Accept-Encoding": "gzip"})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    script = assets().by_name[assets().names["console.js"]]
    assert f'"./{assets().names["morph.js"]}"'.encode() in script.body
    assert gzip.decompress(script.packed) == script.body
    plain = get(site, f"/static/{assets().names['console.css']}", **{"Accept-Encoding": "identity"})
    assert assets().names["vendor/inter.woff2"] in plain.text


def test_what_is_not_ours_has_its_licence_beside_it() -> None:
    vendored = {path.stem.split(".")[0] for path in (CONSOLE / "static/vendor").iterdir()}
    for name in vendored:
        assert (CONSOLE / "static/vendor" / f"{name}.LICENSE").is_file()
