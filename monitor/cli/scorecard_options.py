"""What ``monitor scorecard …`` is told: cards, periods, where figures come from, and of whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

Language = Literal["en", "zh"]

CardArgument = Annotated[
    Path,
    typer.Argument(metavar="CARD", help="The card's file.", exists=True, dir_okay=False),
]
NewArgument = Annotated[
    Path, typer.Argument(metavar="NEW", help="The new card's file.", exists=True, dir_okay=False)
]
OldArgument = Annotated[
    Path,
    typer.Argument(
        metavar="OLD", help="The file of the card that holds.", exists=True, dir_okay=False
    ),
]
PeriodOption = Annotated[
    str | None,
    typer.Option(
        "--period",
        metavar="PERIOD",
        help="2026-11, 2026-W48, 2026-11-30 or 2026-11-16..2026-12-15; by default the last one of"
        " the card's kind that is over.",
    ),
]
FilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="F.jsonl",
        help="Recorded events; repeat for several. A folder is an"
        " archive that the daemon has kept.",
    ),
]
KafkaOption = Annotated[
    bool,
    typer.Option("--kafka", help="Read the configured topics instead, for the time asked for."),
]
SumsOption = Annotated[
    Path | None,
    typer.Option(
        "--sums",
        metavar="FILE",
        help="CSV or JSON of figures told by hand; they go before those of events.",
        exists=True,
        dir_okay=False,
    ),
]
PeopleOption = Annotated[
    Path | None,
    typer.Option(
        "--people",
        metavar="CSV",
        help="Table of people: person, name, team, role, stage, joined, from, to.",
        exists=True,
        dir_okay=False,
    ),
]
LanguageOption = Annotated[
    Language, typer.Option("--language", help="Of titles, where the card has both.")
]
CountOption = Annotated[
    int,
    typer.Option("--periods", metavar="N", min=1, max=120, help="So many, up to --period."),
]


def file_option(flag: str, what: str) -> Any:
    """An option for a file that is written."""
    return typer.Option(flag, metavar="FILE", help=f"Write {what} here too.", dir_okay=False)


HtmlOption = Annotated[Path | None, file_option("--html", "a page that needs nothing else")]


@dataclass(frozen=True, slots=True)
class Told:
    """What a command was told of where figures come from."""

    config: Path | None
    files: list[str] | None
    kafka: bool
    sums: Path | None
    people: Path | None
    language: Language = "en"
