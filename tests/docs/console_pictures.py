"""Pictures of the console for docs/console.md and the README, from a demonstration that runs.

``make run`` in one terminal; in another, a quarter of an hour later when lines have a past:
``python -m tests.docs.console_pictures demo PASSWORD``, for some of them with their names after it.
The scorecard is worked out here, from made-up sums, and kept where the demonstration looks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from tests.console.browsing import chromium
from tests.docs.markdown import ROOT

BASE = os.environ.get("CONSOLE", "http://127.0.0.1:9109")
FOLDER = ROOT / "docs" / "images"


CARD = "step-rates"


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
    Picture("console-shadow", "/shadow", height=560),
    Picture("console-shadow-rule", "shadow-rule", scheme="dark", language="zh"),
    Picture("console-scorecard", f"/scorecards/{CARD}/2026-10"),
    Picture("console-scorecard-zh", f"/scorecards/{CARD}/2026-09", scheme="dark", language="zh"),
    Picture("console-scorecard-person", f"/scorecards/{CARD}/2026-10/agent-0001"),
    Picture("console-phone-alerts", "/alerts", 390, 844),
    Picture("console-phone-scorecard", f"/scorecards/{CARD}/2026-09", 390, 844, "dark", "zh"),
)
SUMS = ((43, 318_600, 2), (31, 224_300, 1), (18, 96_400, 0), (24, 171_200, 3),
        (38, 262_500, 0), (12, 64_100, 1), (27, 188_900, 0), (20, 143_700, 1))  # fmt: skip
"""Deals, their amount and how many came back, of a person each."""
NAMES = ("王芳", "李伟", "张敏", "刘洋", "陈静", "杨帆", "赵磊", "黄丽")


def keep_scorecards(demo: Path) -> None:
    """Two months of one card, each in the language that its picture is in."""
    with tempfile.TemporaryDirectory() as folder:
        people, sums = Path(folder) / "people.csv", Path(folder) / "sums.csv"
        rows = [
            f"agent-{n:04},{name},team-{1 + n // 5},{'junior' if n % 3 == 0 else 'senior'}"
            for n, name in enumerate(NAMES, 1)
        ]
        people.write_text("person,name,team,role\n" + "\n".join(rows), encoding="utf-8")
        for period, language, more in (("2026-10", "en", 0), ("2026-09", "zh", 3)):
            rows = [
                f"{period},agent-{n:04},team-{1 + n // 5},{deals + more},{amount},{back},"
                for n, (deals, amount, back) in enumerate(SUMS, 1)
            ]
            rows += [f"{period},,team-{n},,,,{score}" for n, score in ((1, 92), (2, 76))]
            heading = "period,person,team,deals,amount,returned,cooperation"
            sums.write_text("\n".join([heading, *rows]), encoding="utf-8")
            card = ROOT / "rules" / "scorecards" / CARD / "card.yaml"
            command = [sys.executable, "-m", "monitor", "scorecard", "run", str(card), "--keep"]
            command += ["--period", period, "--language", language, "-c", "var/demo/config.yaml"]
            command += ["--sums", str(sums), "--people", str(people)]
            subprocess.run(command, check=True, cwd=demo, stdout=subprocess.DEVNULL)


def main(name: str, password: str, *wanted: str) -> None:
    """Write all of them, or those that are named."""
    keep_scorecards(Path.cwd())
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for picture in PICTURES:
            if not wanted or picture.name in wanted:
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
    if picture.path == "shadow-rule":
        page.goto(f"{BASE}/console/shadow")
        page.locator(".rule-title").first.click()
        return
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
