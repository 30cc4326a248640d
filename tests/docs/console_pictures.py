"""Pictures of the console for docs/console.md and the README, from a demonstration that runs.

``make run`` in one terminal; in another, a quarter of an hour later when lines have a past:
``python -m tests.docs.console_pictures demo PASSWORD``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from tests.console.browsing import chromium
from tests.docs.markdown import ROOT

BASE = "http://127.0.0.1:9109"
FOLDER = ROOT / "docs" / "images"


class Picture(NamedTuple):
    """One file, and what it shows."""

    name: str
    path: str
    width: int = 1360
    height: int = 850
    scheme: Any = "light"
    language: str = "en"


PICTURES = (
    Picture("console-board", "/?open=team:team-1&open=group:group-01"),
    Picture("console-alerts", "/alerts"),
    Picture("console-alert", "alert"),
    Picture("console-numbers", "/numbers"),
    Picture("console-agent", "/scope?by=agent&name=agent-0001", scheme="dark"),
    Picture("console-phone", "/", 390, 844, "dark", "zh"),
)


def main(name: str, password: str) -> None:
    """Write all of them."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for picture in PICTURES:
            take(started, picture, name, password)
        started.close()


def take(started: Browser, picture: Picture, name: str, password: str) -> Path:
    """Write one."""
    context = started.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=picture.scheme,
    )
    cookie = {"name": "monitor-language", "value": picture.language, "url": f"{BASE}/console"}
    context.add_cookies([cookie])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(f"{BASE}/console/")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url("**/console/**")
    open_(page, picture)
    page.wait_for_timeout(2_500)  # charts, and the line of the live stream
    made = FOLDER / f"{picture.name}.png"
    page.screenshot(path=made)
    context.close()
    return made


def open_(page: Page, picture: Picture) -> None:
    """Go to what is shown; an alert: of an agent, with its records."""
    if picture.path != "alert":
        page.goto(f"{BASE}/console{picture.path}")
        return
    page.goto(f"{BASE}/console/alerts?rule=agent-hangup&show=all")
    page.locator(".alert-title").first.click()
    page.click("[data-load-records]")
    page.wait_for_selector("#records table")
    page.evaluate("scrollTo(0, 0)")


if __name__ == "__main__":
    main(*sys.argv[1:3])
