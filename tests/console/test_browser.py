"""What a supervisor does at nine in the morning, in a real browser, on a real daemon."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.browsing import browser, context_of, failures, folder_at, sign_in
from tests.daemon.folder import BAD, GOOD, NUMBER, Folder
from tests.daemon.running import Threaded, eventually, threaded

pytestmark = pytest.mark.browser
SOUTH = {"team": "south", "group": "south-1", "agent": "agent-2"}
PAY = "/scorecards/made/2026-10"
PAGES = ("/", "/?by=number", "/alerts?show=all", "/numbers", "/rules", "/health")
MORE = ("/shadow", "/shadow/tried", "/scorecards", PAY, f"{PAY}/amy")


class Shift:
    """A daemon with calls that go on, and a browser that has signed in."""

    def __init__(
        self, folder: Folder, running: Threaded, started: Browser, bad: threading.Event
    ) -> None:
        self.bad = bad
        self.folder, self.running = folder, running
        port = eventually(lambda: running.daemon.web_port, "the interface")
        self.base = f"http://127.0.0.1:{port}"
        self.context = context_of(started)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        sign_in(self.page, self.base)

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.base}/console{path}")
        return self.page


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    folder = folder_at(tmp_path_factory.mktemp("shift"))
    stop = threading.Event()

    bad = threading.Event()

    def calls() -> None:
        while not stop.wait(0.3):
            folder.call(GOOD, count=2)
            if bad.is_set():
                folder.call(BAD, bad=True, count=3, **SOUTH)

    folder.call(GOOD, count=5)
    with threaded(folder) as running, browser() as started:
        eventually(lambda: running.picture.tick_ms, "a first tick")
        traffic = threading.Thread(target=calls, daemon=True)
        traffic.start()
        made = Shift(folder, running, started, bad)
        yield made
        stop.set()
        traffic.join()
        made.context.close()
        assert made.errors == []


def test_an_alert_pops_up_is_opened_its_records_seen_and_acknowledged(shift: Shift) -> None:
    page = shift.open("/")
    expect(page.locator("[data-livestate=live]")).to_be_visible()
    shift.bad.set()
    toast = page.locator(".toast.lvl-warn", has_text="south").first
    expect(toast).to_be_visible()  # first: three that are worse would take its place
    expect(page.locator(".toast", has_text=BAD).first).to_be_visible()  # a number, out at once
    toast.locator("a", has_text="Open").click()
    page.click("[data-load-records]")
    expect(page.locator("#records")).to_contain_text("bad records")
    assert "+8613912345678" not in page.content()
    page.click("#records button:has-text('Show customers in full')")
    expect(page.locator("#records")).to_contain_text("+8613912345678")
    page.fill("#note", "I listen to these calls")
    page.click("#acknowledge button.primary")
    expect(page.locator(".pairs")).to_contain_text("lin")
    expect(page.locator(".pairs")).to_contain_text("I listen to these calls")


def test_a_messages_button_leads_to_the_acknowledgement_past_the_sign_in(shift: Shift) -> None:
    shift.bad.set()
    shift.open("/alerts")
    there = shift.page.locator(".alert-row", has_text="south").locator(".alert-title").first
    path = (there.get_attribute("href") or "").removeprefix("/console")
    context = context_of(shift.context.browser)
    page = context.new_page()
    sign_in(page, shift.base, f"{path}?do=acknowledge")
    expect(page.locator("#acknowledge button.primary")).to_be_focused()
    assert page.url == f"{shift.base}/console{path}"
    context.close()


def test_a_number_is_suspended_and_put_back(shift: Shift) -> None:
    page = shift.open(f"/scope?by=number&name=%2B{GOOD[1:]}")
    page.click("button[data-number-act=suspend]")
    page.fill("#ask-for", "1h")
    page.fill("#ask-why", "the carrier asked")
    page.keyboard.press("Enter")
    expect(page.locator(".banner")).to_contain_text("Suspended")
    page.click("button[data-number-act=resume]")
    page.fill("#ask-why", "the carrier is content")
    page.click("dialog button.primary")
    expect(page.locator(".banner")).to_contain_text("In service")
    expect(page.locator("[aria-labelledby=history-h]")).to_contain_text("lin")


def test_what_waits_for_a_person_is_approved(shift: Shift) -> None:
    asked = NUMBER.format(11)
    shift.folder.append({"type": "number.flagged", "number": asked, "campaign": "spring"})
    page = shift.open("/numbers")
    waiting = page.locator(".approvals li", has_text="spring")
    expect(waiting).to_be_visible()
    waiting.locator("button[data-number-act=approve]").click()
    page.fill("#ask-why", "the carrier says so too")
    page.click("dialog button.primary")
    expect(page.locator("tr", has_text=asked)).to_contain_text("Suspended")


def test_a_request_that_is_refused_says_why(shift: Shift) -> None:
    page = shift.open("/numbers")
    page.click("#suspend-one")
    page.fill("#ask-number", "12")
    page.fill("#ask-why", "a mistake")
    page.evaluate("document.getElementById('toasts').innerHTML = '"
        '<div class="toast lvl-crit">an alert</div>\'')  # fmt: skip
    page.click("dialog button.primary")
    said = re.compile("That did not work.*12", re.DOTALL)
    expect(page.locator(".toast.lvl-crit", has_text=said)).to_be_visible()  # beside an alert


def test_the_language_is_another_from_now_on(shift: Shift) -> None:
    page = shift.open("/")
    page.click("#menu summary")
    page.click("#menu a[lang=zh]")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("h1")).to_have_text("实时看板")
    shift.open("/numbers")
    expect(page.locator("h1")).to_have_text("号码")
    page.click("#menu summary")
    page.click("#menu a[lang=en]")
    expect(page.locator("h1")).to_have_text("Numbers")


TOLD = """([who, data]) => new BroadcastChannel(`monitor-live-${who}`).postMessage(
  {kind: "alert", id: `other-${Date.now()}`, data: {state: "firing", shadow: false, ...data}})"""


def streams(page: Page) -> int:
    found: int = page.evaluate(
        "fetch('/api/v1/health').then((a) => a.json()).then((h) => h.streams)"
    )
    return found


GIVEN_BACK = """(episode) => fetch(`/api/v1/alerts/${episode}/assign`, {method: "POST",
  body: '{"to": null}', headers: {"Content-Type": "application/json",
  "X-CSRF-Token": document.querySelector("meta[name=csrf]").content}})"""


def sounds(page: Page) -> int:
    found: int = page.evaluate("Number(document.body.dataset.sounded || 0)")
    return found


def test_one_stream_serves_all_tabs_and_another_tab_takes_it_over(shift: Shift) -> None:
    shift.open("/")
    tabs = [shift.context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.goto(f"{shift.base}/console/alerts")
        expect(tab.locator("[data-livestate=live]")).to_be_visible()
    assert streams(tabs[-1]) == 1
    shift.page.goto("about:blank")  # the one that held it
    for tab in tabs:
        tab.evaluate("document.querySelector('[data-count=alerts]').textContent = '?'")
    for tab in tabs:
        expect(tab.locator("[data-count=alerts]")).not_to_have_text("?")  # it hears the next tick
    eventually(lambda: streams(tabs[-1]) == 1, "one stream again")
    for tab in tabs:
        tab.close()


def test_only_ones_own_alerts_pop_up_and_sound_and_those_that_get_worse(shift: Shift) -> None:
    shift.bad.set()
    inbox = f"{shift.base}/api/v1/alerts"
    named = eventually(
        lambda: next(iter(shift.context.request.get(inbox).json()["alerts"]), None), "an alert"
    )
    context = context_of(shift.context.browser)
    page, asked = context.new_page(), []
    page.on("request", lambda sent: asked.append(sent.url) if "/toast" in sent.url else None)
    sign_in(page, shift.base, name="han")
    expect(page.locator("[data-livestate=live]")).to_be_visible()
    page.click("#menu summary")
    page.click("[data-sound-to=on]")
    expect(page.locator("body")).to_have_attribute("data-sounded", "1")  # so it will sound
    other = context.new_page()
    other.goto(f"{shift.base}/console/")
    expect(other.locator("[data-livestate=live]")).to_be_visible()
    told = {"episode": named["episode"], "level": "crit", "new": False, "worse": True}
    other.evaluate(TOLD, ["han", told | {"team": "south"}])  # another's
    other.evaluate(TOLD, ["han", told | {"team": "north", "worse": False}])
    page.evaluate("document.getElementById('toasts').innerHTML = '"
        '<div class="toast lvl-crit" id="t1"></div><div class="toast lvl-warn" id="t2"></div>'
        "<div class=\"toast lvl-warn\" id=\"t3\"></div>'")  # fmt: skip
    other.evaluate(TOLD, ["han", told | {"team": "north"}])
    expect(page.locator(f"#t-{named['episode']}")).to_be_visible()
    assert len(asked) == 1
    assert page.locator("#toasts > *").evaluate_all("them => them.map((one) => one.id)") == [
        "t1", "t3", f"t-{named['episode']}",
    ]  # fmt: skip
    eventually(lambda: sum(map(sounds, (page, other))) == 2, "one of the tabs to sound")
    page.click("[data-pop-to=all]")
    with page.expect_response("**/toast"):
        other.evaluate(TOLD, ["han", told | {"team": "south"}])
    context.close()


def test_focus_and_a_written_note_are_kept_when_the_page_changes(shift: Shift) -> None:
    shift.bad.set()
    page = shift.open("/alerts")
    row = page.locator(".alert-row.lvl-warn", has_text="south").first
    row.locator("a", has_text="Open").click()
    page.fill("#note", "half a sentence")
    page.evaluate("document.querySelector('h1').textContent = 'stale'")
    page.locator("button", has_text="Take it").click()
    expect(page.locator("h1")).not_to_have_text("stale")
    expect(page.locator("#note")).to_have_value("half a sentence")


def test_all_of_it_by_keyboard(shift: Shift) -> None:
    page = shift.open("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("agent-1")
    expect(page.locator("#board tbody tr")).to_have_count(1)
    expect(page.locator("#q")).to_be_focused()


def test_what_a_shadow_rule_would_have_done_is_a_click_from_the_rules(shift: Shift) -> None:
    shift.bad.set()
    eventually(lambda: shift.running.alerts("tried"), "an alert of the rule in shadow")
    page = shift.open("/rules")
    page.click("#rule-tried a.tag")
    expect(page.locator("h1")).to_contain_text("tried")
    expect(page.locator("tbody tr").first).to_contain_text(BAD)


def test_pay_is_followed_to_its_working(shift: Shift) -> None:
    page = shift.open("/scorecards")
    page.click("#card-made a.rule-title")
    page.click("a:text-is('bob')")
    expect(page.locator("h1")).to_have_text("bob")
    expect(page.locator(".working").first).to_contain_text("pool of south")


def test_after_an_act_by_keyboard_the_focus_stays_in_the_row(shift: Shift) -> None:
    shift.bad.set()
    page = shift.open("/alerts")
    there = page.locator(".alert-row.lvl-warn", has_text="south").first
    expect(there).to_be_visible()
    episode = (there.get_attribute("id") or "").removeprefix("a-")
    row = page.locator(f"#a-{episode}")
    take = row.locator("[data-act=assign]")
    page.evaluate(GIVEN_BACK, episode)
    expect(take).to_be_visible()
    take.focus()
    page.keyboard.press("Enter")
    expect(take).to_have_count(0)
    expect(row.locator(":focus")).to_be_visible()


def test_what_cannot_be_shown_is_said_on_a_page(shift: Shift) -> None:
    number = "/scope?by=number&name=xyz"
    for path in ("/alerts/" + "0" * 32, "/?page=0", "/alerts?cursor=bad", "/nowhere", number):
        page = shift.open(path)
        expect(page.locator("main h1")).to_be_visible()
        expect(page.locator("main a", has_text="Alerts")).to_be_visible()
        assert page.locator("[data-number-act]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_for_those_who_see_or_hear_it_differently(
    shift: Shift, scheme: str
) -> None:
    page = shift.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    found: list[str] = []
    shift.open("/alerts?show=all")
    there = page.locator(".alert-title").first.get_attribute("href") or ""
    more = (there.removeprefix("/console"), "/scope?by=team&name=team-1")
    for path in (*PAGES, *MORE, *more):
        shift.open(path)
        found += failures(page)
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/", "/alerts?show=all", "/shadow", "/shadow/tried", PAY):
        shift.open(path)
        found += failures(page)
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, f"{path} scrolls sideways on a phone"
    page.set_viewport_size({"width": 1280, "height": 900})
    assert found == []


def test_the_sign_in_page_has_nothing_serious_either(shift: Shift, tmp_path: Path) -> None:
    assert tmp_path
    context = context_of(shift.context.browser)
    page = context.new_page()
    page.goto(f"{shift.base}/console/")
    assert failures(page) == []
    context.close()
