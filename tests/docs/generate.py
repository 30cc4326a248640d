"""Writes everything that is generated: `python -m tests.docs.generate`, or `make docs`.

Owns the list of what is made from what. With `--check` nothing is written; a file that is not
current is named, and the exit status is 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from monitor.exporter import document
from monitor.interfaces import described
from monitor.schemas import KINDS, render
from tests.docs import (
    commands_page,
    domain_page,
    events_page,
    mappings_page,
    messages_page,
    numbers_page,
    packs_page,
    settings_page,
)

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ROOT / "deploy" / "grafana" / "source" / "build.py"


def outputs() -> Iterator[tuple[Path, str]]:
    """Every generated page and schema with what it must hold."""
    pages: dict[str, Callable[[], str]] = {
        "docs/configuration.md": settings_page.render,
        "docs/cli.md": commands_page.render,
        "docs/events.md": events_page.render,
        "docs/metrics.md": document.render,
    }
    for path, made in pages.items():
        yield ROOT / path, made()
    numbers = Path(__file__).resolve().parents[2] / "docs" / "numbers.md"
    yield ROOT / "docs" / "numbers.md", numbers_page.fill(numbers.read_text(encoding="utf-8"))
    mappings = domain_page.ROOT / "docs" / "mappings.md"
    yield ROOT / "docs" / "mappings.md", mappings_page.fill(mappings.read_text(encoding="utf-8"))
    messages = domain_page.ROOT / "docs" / "messages.md"
    yield ROOT / "docs" / "messages.md", messages_page.fill(messages.read_text(encoding="utf-8"))
    indicators = domain_page.ROOT / "docs" / "indicators.md"
    filled = domain_page.fill(indicators.read_text(encoding="utf-8"))
    yield ROOT / "docs" / "indicators.md", filled
    for readme in packs_page.readmes():
        yield ROOT / readme.relative_to(packs_page.ROOT), packs_page.fill(readme)
    for kind in KINDS:
        yield ROOT / "docs" / "schema" / f"{kind}.json", render(kind)
    openapi = json.dumps(described(), indent=2, ensure_ascii=False) + "\n"
    yield ROOT / "docs" / "schema" / "openapi.json", openapi


def boards(*arguments: str) -> bool:
    """Run the dashboards' own script; whether it is content."""
    return subprocess.run([sys.executable, BOARDS, *arguments], check=False).returncode == 0


def stale() -> list[str]:
    """Those that are missing or hold something else."""
    return [
        str(path.relative_to(ROOT))
        for path, text in outputs()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write, or compare; the exit status."""
    if "--check" in arguments:
        found = stale()
        if found:
            sys.stderr.write(f"not current: {', '.join(found)}; run: make docs\n")
        return 0 if boards("--check") and not found else 1
    for path, text in outputs():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0 if boards() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
