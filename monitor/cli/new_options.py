"""Options of ``monitor new``, and the questions that stand for those not given."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from monitor.errors import UsageError

PackArgument = Annotated[
    str, typer.Argument(metavar="PACK", help="Folder of the pack, or its name below rules/.")
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="What it is called.")]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Ask nothing; what is not given has its default.")
]
KindOption = Annotated[
    Literal["ratio", "count", "mean"] | None,
    typer.Option("--kind", help="A share of events, a number of them, or the mean of a field."),
]
EventOption = Annotated[
    str | None, typer.Option("--event", metavar="TYPE", help="What is counted, such as call.ended.")
]
WhereOption = Annotated[
    str | None,
    typer.Option("--where", metavar="CONDITION", help="Which of them; of a share, the bad ones."),
]
OfEventOption = Annotated[
    str | None,
    typer.Option("--of-event", metavar="TYPE", help="Of a share: what it is a share of."),
]
OfWhereOption = Annotated[
    str | None,
    typer.Option("--of-where", metavar="CONDITION", help="Of a share: which of those."),
]
FieldOption = Annotated[
    str | None, typer.Option("--field", metavar="FIELD", help="Of a mean: of which field.")
]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="DIMENSIONS", help="With commas: number,team.")
]
WindowsOption = Annotated[
    str | None, typer.Option("--windows", metavar="WINDOWS", help="With commas: 30m,4h.")
]
BetterOption = Annotated[
    Literal["lower", "higher"] | None, typer.Option("--better", help="Which way is good.")
]


ThresholdOption = Annotated[
    str | None, typer.Option("--threshold", metavar="LIMIT", help="Such as 30%, or 4.2.")
]
ClearOption = Annotated[
    str | None, typer.Option("--clear", metavar="LIMIT", help="Where it lets go.")
]
RouteOption = Annotated[
    str | None, typer.Option("--route", metavar="ROUTE", help="Who hears of it.")
]
SuspendOption = Annotated[
    str | None,
    typer.Option(
        "--suspend", metavar="TIME", help="Take the number out of service for so long, or cleared."
    ),
]


class Asker:
    """Questions, unless they are answered already."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent

    def ask(self, given: str | None, question: str, default: str | None, flag: str) -> str:
        """The answer; ``default`` None: there has to be one.

        Raises:
            UsageError: nothing may be asked, and there is no answer.
        """
        if given is not None:
            return given
        if self._silent:
            if default is None:
                msg = f"{flag} is needed: {question[0].lower()}{question[1:]}"
                raise UsageError(msg)
            return default
        answer: str = typer.prompt(question, default=default, show_default=bool(default))
        return answer.strip()


class Answers:
    """What was given on the command line for a rule."""

    def __init__(self, **given: Any) -> None:
        self.indicator: str | None = given.get("indicator")
        self.on_event: str | None = given.get("on_event")
        self.until: str | None = given.get("until")
        self.by: str | None = given.get("by")
        self.above: bool | None = given.get("above")
        self.threshold: str | None = given.get("threshold")
        self.clear: str | None = given.get("clear")
        self.window: str | None = given.get("window")
        self.min_of: int | None = given.get("min_of")
        self.route: str | None = given.get("route")
        self.suspend: str | None = given.get("suspend")
