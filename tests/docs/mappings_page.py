"""The tables of docs/mappings.md, from the shipped files and the language.

Owns the rows; the text around them is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from monitor.mapping.find import shipped
from monitor.mapping.functions import FUNCTIONS
from monitor.mapping.load import load_mapping


def fill(page: str) -> str:
    """The page with its tables as they are now."""
    for name, lines in (("shipped", _shipped()), ("functions", _functions())):
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        head, _, rest = page.partition(begin)
        page = head + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2]
    return page


def _shipped() -> Iterator[str]:
    yield "| mapping | reads | makes | a site may set |"
    yield "|---|---|---|---|"
    for name, path in shipped().items():
        file = load_mapping(path).file.value
        types = ", ".join(dict.fromkeys(f"`{event.type}`" for event in file.events))
        settings = ", ".join(f"`{key}` ({value})" for key, value in file.settings.items())
        about = " ".join(file.about.split())
        yield f"| [{name}](../mappings/{path.name}) | {about} | {types} | {settings or '–'} |"


def _functions() -> Iterator[str]:
    yield "| function | gives |"
    yield "|---|---|"
    for function in FUNCTIONS.values():
        yield f"| `{function.shown}` | {function.doc} |"
