"""A real browser on a real daemon: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from monitor.web.passwords import Passwords
from tests.daemon.folder import NUMBER, RULES, Folder
from tests.interface.test_scorecards import kept

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PASSWORD = "correct-horse-battery"
SERIOUS = frozenset({"serious", "critical"})


def chromium() -> str:
    """The program; where there is none the test is skipped, and fails where ``CI=true``."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        text = "chromium is not installed (Debian: chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(text, pytrace=False)
        pytest.skip(text)
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """One for a module."""
    program = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


def web_section(**more: Any) -> dict[str, Any]:
    """An interface with ``lin``, an administrator, and ``han``, a supervisor of ``north``."""
    user = {"role": "admin", "password_hash": {"value": Passwords().hash(PASSWORD)}}
    user |= {"language": "en", "zone": "Asia/Shanghai"}
    lead = user | {"role": "supervisor", "teams": ["north"]}
    users = {"lin": user, "han": lead}
    return {"enabled": True, "port": 0, "users": users, "rate": "100000/1m", **more}


def sign_in(page: Page, base: str, there: str = "/", name: str = "lin") -> None:
    """By way of a page that only somebody who signed in may see."""
    page.goto(f"{base}/console{there}")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/console/**")


def failures(page: Page) -> list[str]:
    """What axe-core finds that is serious or worse; it comes past the page's own policy."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{page.url}: {each['id']} at {[node['target'] for node in each['nodes']][:4]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


def context_of(started: Browser | None, **more: Any) -> BrowserContext:
    assert started is not None
    made = started.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=False, **more)
    made.set_default_timeout(15_000)
    return made


def folder_at(path: Path) -> Folder:
    """A daemon's folder with the interface on.

    There is a pool in which a person decides, a rule in shadow, and a scorecard that was kept.
    """
    numbers = [NUMBER.format(n) for n in range(11, 15)]
    pool = {"numbers": numbers, "approval": 0, "max_fraction": "50%", "min_left": 1}
    results = path / "scorecards"
    kept(results, "2026-10")
    folder = Folder(
        path, web=web_section(), pools={"spring": pool}, scorecards={"folder": str(results)}
    )
    tried = {**RULES["rules"][1], "id": "tried", "status": "shadow"}
    folder.write(None, {**RULES, "rules": [*RULES["rules"], tried]})
    return folder
