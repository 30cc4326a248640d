"""The inventory of numbers as a table: number, type, pool, owner, standby.

Owns the file that `numbers.inventory` names: its form, what may be wrong with it, and how it stands
beside the pools of the configuration. A number of several pools has several rows.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from monitor.errors import ConfigError, Problem
from monitor.events.phones import is_dialled
from monitor.numbers.settings import NumbersSettings, PoolSettings, PoolsSettings

COLUMNS: Final = ("number", "type", "pool", "owner", "standby")
_NEEDED: Final = ("number", "pool")
_YES, _NO = frozenset({"yes", "true", "1", "y"}), frozenset({"", "no", "false", "0", "n"})
_NAME_MAX = 256


@dataclass(frozen=True, slots=True)
class Item:
    """A number in a pool."""

    number: str
    """As the table has it, or as events carry it."""
    type: str
    pool: str
    owner: str
    standby: bool
    """It is no member, and takes the place of one that is retired."""


def read(path: Path, *, most: int) -> list[Item]:
    """What the file lists, in its order; nothing where there is no file.

    Raises:
        ConfigError: with every fault found, by line and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        raise ConfigError([Problem(path, 0, 0, "is not UTF-8", "save it as UTF-8")]) from None
    except OSError as error:
        raise ConfigError([Problem(path, 0, 0, error.strerror or str(error))]) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip().lower() for name in next(reader, [])]
    problems = list(_header(path, header))
    items: list[Item] = []
    if not problems:
        for row in reader:
            if any(cell.strip() for cell in row):
                _take(path, reader.line_num, header, row, items, problems)
        problems += _doubles(path, items)
    if len(items) > most:
        hint = "raise numbers.numbers_max"
        problems.append(Problem(path, 0, 0, f"lists {len(items)} numbers, and {most} fit", hint))
    if problems:
        raise ConfigError(problems)
    return items


def _header(path: Path, header: Sequence[str]) -> Iterator[Problem]:
    hint = f"the first line is: {','.join(COLUMNS)}"
    for name in _NEEDED:
        if name not in header:
            yield Problem(path, 1, 1, f"no column '{name}'", hint)
    for index, name in enumerate(header):
        if name not in COLUMNS or name in header[:index]:
            yield Problem(path, 1, index + 1, f"column '{name}' is not known, or is twice", hint)


def _take(
    path: Path,
    line: int,
    header: Sequence[str],
    row: Sequence[str],
    items: list[Item],
    problems: list[Problem],
) -> None:
    """One row; a fault names its line and the number of its cell."""

    def fault(name: str, message: str, hint: str = "") -> None:
        column = header.index(name) + 1 if name in header else len(row)
        problems.append(Problem(path, line, column, message, hint))

    if len(row) > len(header):
        problems.append(Problem(path, line, len(header) + 1, "more cells than columns"))
        return
    cells = dict.fromkeys(COLUMNS, "") | dict(zip(header, map(str.strip, row), strict=False))
    before = len(problems)
    if not is_dialled(cells["number"]):
        fault("number", f"'{cells['number']}' is no telephone number", "as E.164: +86…")
    if not cells["pool"] or cells["pool"] == "defaults" or len(cells["pool"]) > _NAME_MAX:
        fault("pool", f"'{cells['pool']}' is no name of a pool", "the campaign that dials with it")
    if cells["standby"].lower() not in _YES | _NO:
        fault("standby", f"'{cells['standby']}' is neither yes nor no", "yes, or leave it empty")
    if len(problems) == before:
        stands_by = cells["standby"].lower() in _YES
        items.append(Item(cells["number"], cells["type"], cells["pool"], cells["owner"], stands_by))


def _doubles(path: Path, items: Iterable[Item]) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for item in items:
        key = item.number, item.pool
        if key in seen:
            yield Problem(path, 0, 0, f"{item.number} stands twice in pool '{item.pool}'")
        seen.add(key)


def with_items(pools: PoolsSettings, items: Iterable[Item]) -> PoolsSettings:
    """The pools of the configuration with these numbers in them too; new ones as ``defaults``."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for item in items:
        members, standby = found.setdefault(item.pool, ({}, {}))
        (standby if item.standby else members)[item.number] = None
    made: dict[str, Any] = dict(pools.pools)
    for name, (members, standby) in found.items():
        pool = made.get(name, PoolSettings())
        more = {
            "numbers": tuple(dict.fromkeys([*pool.numbers, *members])),
            "standby": tuple(dict.fromkeys([*pool.standby, *standby])),
        }
        made[name] = pool.model_copy(update=more)
    return PoolsSettings.model_validate({"defaults": pools.defaults, **made})


def laid_over(pools: PoolsSettings, settings: NumbersSettings) -> tuple[PoolsSettings, list[Path]]:
    """The pools with what `numbers.inventory` lists, and the file; none before one is imported.

    Raises:
        ConfigError: with every fault in it.
    """
    path = settings.inventory
    if path is None or not path.exists():
        return pools, []
    return with_items(pools, read(path, most=settings.numbers_max)), [path]


def write(path: Path, items: Sequence[Item], numbers: Sequence[str]) -> None:
    """Put the table in the file's place, as a whole; ``numbers`` are as events carry them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for item, number in zip(items, numbers, strict=True):
        standby = "yes" if item.standby else ""
        writer.writerow([number, item.type, item.pool, item.owner, standby])
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text.getvalue(), encoding="utf-8")
    draft.replace(path)
