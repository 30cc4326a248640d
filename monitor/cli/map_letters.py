"""Where ``monitor map`` puts records that break."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from monitor.cli.output import lines
from monitor.errors import UsageError
from monitor.mapping.load import LoadedMapping
from monitor.mapping.mapper import Broken

_SHOWN_MAX = 20
"""Dead letters that are shown when they go to nowhere else; the rest is counted."""

Tell = Callable[[LoadedMapping, Path, int, bytes, Broken], None]
"""Told of the mapping, the file, the line, the record, and what broke."""


@contextlib.contextmanager
def letters(path: Path | None) -> Iterator[Tell]:
    """What is told of each dead letter: a line in the file ``path``, or the first few for people.

    Raises:
        UsageError: the file cannot be written.
    """
    if path is None:
        shown, out = [0], lines(stderr=True)

        def show(chosen: LoadedMapping, file: Path, line: int, _: bytes, each: Broken) -> None:
            shown[0] += 1
            if shown[0] <= _SHOWN_MAX:
                place = f"{chosen.file.path}:{each.line}"
                out.print(f"{file}:{line}: {each.reason}: {each.what} ({place})", style="yellow")
            elif shown[0] == _SHOWN_MAX + 1:
                out.print("and more: --dead-letters FILE keeps all of them", style="yellow")

        yield show
        return
    try:
        with path.open("w", encoding="utf-8") as file:
            yield lambda chosen, source, line, record, each: _write(
                file, chosen, source, line, record, each
            )
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error


def _write(
    file: IO[str], chosen: LoadedMapping, source: Path, line: int, record: bytes, each: Broken
) -> None:
    entry = {
        "reason": each.reason,
        "detail": each.detail,
        "mapping": chosen.name,
        "at": f"{chosen.file.path}:{each.line}",
        "file": str(source),
        "line": line,
        "value": base64.b64encode(record).decode(),
    }
    file.write(json.dumps(entry, ensure_ascii=False) + "\n")
