"""What the documentation's Markdown files hold: links, anchors, code, commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.docs.commands_page import commands

ROOT = Path(__file__).resolve().parents[2]
_FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)
_FOLDERS = ("monitor", "docs", "rules", "tests", "deploy", "bench", ".ci")
_PATH = re.compile(rf"`((?:{'|'.join(map(re.escape, _FOLDERS))})/[\w./*-]*)`")


class Command(NamedTuple):
    """A command line as a page shows it."""

    page: str
    words: list[str]


def pages() -> list[Path]:
    """All Markdown files of the project."""
    below = [ROOT / "docs", ROOT / "rules", ROOT / "deploy", ROOT / "bench"]
    return sorted(
        [*ROOT.glob("*.md"), *(page for folder in below for page in folder.rglob("*.md"))]
    )


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code of one language; "" for what names none."""
    found = _FENCED.findall(page.read_text(encoding="utf-8"))
    return [code for named, code in found if named == language]


def links(page: Path) -> list[str]:
    """The targets of all links and pictures."""
    prose = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return [first or second for first, second in _LINK.findall(prose)]


def paths(page: Path) -> list[str]:
    """Files and folders of the project that the page names."""
    return _PATH.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """What a link into the page may name, as GitHub makes it of the headings."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


def shell(page: Path) -> Iterator[Command]:
    """The commands of all blocks that are for a shell, pipes and lists taken apart."""
    for language, code in _FENCED.findall(page.read_text(encoding="utf-8")):
        if language not in {"", "sh", "bash"}:
            continue
        for line in code.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(
                line.strip().removeprefix("$ "), posix=True, punctuation_chars="|;&"
            )
            lexer.whitespace_split = True
            try:
                words = list(lexer)
            except ValueError:
                continue  # prose, or a picture
            for part in _split(words):
                yield Command(page.name, part)


def _split(words: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("|;&"):
            if part:
                yield part
            part = []
        else:
            part.append(word)


@cache
def _commands() -> dict[str, Any]:
    """Every command by its full name; they are only asked how they read arguments."""
    return dict(commands())


def fault(words: list[str]) -> str:
    """What `monitor` would say against these arguments; empty when nothing."""
    known = _commands()
    name = next((n for n in (" ".join(words[:2]), words[0]) if words and n in known), "")
    if not name:
        return "no such command"
    command = known[name]
    context = command.make_context(name, [], resilient_parsing=True)
    context.resilient_parsing = False
    arguments = words[len(name.split()) :]
    try:
        given, extra, _ = command.make_parser(context).parse_args(args=list(arguments))
    except Exception as error:  # noqa: BLE001 - whatever the parser says
        return str(error)
    if extra:
        return f"too much: {extra}"
    return ", ".join(f"no {each}" for each in _required(command) if given.get(each) is None)


def _required(command: Any) -> list[str]:
    return [parameter.name for parameter in command.params if parameter.required]
