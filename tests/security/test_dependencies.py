"""What is installed is pinned, hashed and of a licence that we may ship."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
_PIN = re.compile(r"^([a-z0-9._-]+)==([^ ;\\]+)", re.IGNORECASE)
_FREE = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Unlicense|Zlib|0BSD|CNRI|MPL|"
    r"Mozilla Public|Public Domain|CC0)",
    re.IGNORECASE,
)
_STRICTER = {"crc32c": "LGPL", "psycopg": "LGPL", "psycopg-binary": "LGPL"}
"""Used as libraries of their own, unchanged: the LGPL asks no more than that."""


def entries(lock: str) -> list[str]:
    """Requirements with their hashes, each on one line."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_pinned_and_hashed(lock: str) -> None:
    found = entries(lock)
    assert len(found) > 20
    for entry in found:
        assert _PIN.match(entry), entry
        assert "--hash=sha256:" in entry, entry
        assert "://" not in entry, "a lock names no registry"


def test_what_is_pinned_is_all_that_is_needed() -> None:
    """Installed as they stand: what pip chose for an extra once broke every install."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def licence(name: str) -> str:
    """All that a distribution says of its licence."""
    about = metadata(name)
    said = [text.strip()[:200] for text in about.get_all("License") or []]
    said += about.get_all("License-Expression") or []
    said += [each for each in about.get_all("Classifier") or [] if "License" in each]
    return " | ".join(said)


def test_every_licence_of_what_ships_is_on_the_list() -> None:
    seen = 0
    for entry in entries("requirements.lock"):
        pin = _PIN.match(entry)
        assert pin is not None
        try:
            said = licence(pin[1])
        except PackageNotFoundError:
            assert ";" in entry, f"{pin[1]} is not installed"  # of another platform
            continue
        allowed = _STRICTER.get(pin[1].lower())
        assert _FREE.search(said) or (allowed and allowed in said), f"{pin[1]}: {said or 'none'}"
        assert "Affero" not in said
        seen += 1
    assert seen > 15
