"""``monitor new``: a pack, an indicator or a rule, with a first test that passes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor import logs
from monitor.cli.declare import group, member
from monitor.cli.new_options import (
    Answers,
    Asker,
    BetterOption,
    ByOption,
    ClearOption,
    EventOption,
    FieldOption,
    IdArgument,
    KindOption,
    OfEventOption,
    OfWhereOption,
    PackArgument,
    RouteOption,
    SuspendOption,
    ThresholdOption,
    WhereOption,
    WindowsOption,
    YesOption,
)
from monitor.cli.new_rule import asked_rule, event_type
from monitor.cli.options import ConfigOption, config_path
from monitor.cli.output import counted, lines
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.errors import UsageError
from monitor.scaffold import files
from monitor.scaffold.entries import NewIndicator
from monitor.site import load_site
from monitor.strict_yaml import load_yaml

app = group("A new pack, indicator or rule: asks, writes the YAML and a first test.")


@member(app, "pack", "new pack mine", "new pack mine --yes --suspend 30m")
def pack(
    name: PackArgument,
    indicator: Annotated[
        str | None, typer.Option("--indicator", metavar="ID", help="The first indicator's id.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="ID", help="The first rule's id.")
    ] = None,
    threshold: ThresholdOption = None,
    clear: ClearOption = None,
    route: RouteOption = None,
    suspend: SuspendOption = None,
    config: ConfigOption = None,
    yes: YesOption = False,
) -> None:
    """A new pack: its folder, a first indicator, a first rule in shadow, and their test.

    What it begins with is the share of answered calls that customers hang up on within half a
    minute, by number: change it to what you want to know.
    """
    logs.configure(level="error")
    asker, folder = Asker(silent=yes), _folder(name, config)
    with files.taken_back(folder):
        files.begin_pack(folder)
        title = asker.ask(indicator, "First indicator", "quick_hangup", "--indicator")
        figure = NewIndicator(
            id=title,
            kind="ratio",
            event="call.ended",
            where="outcome == 'answered' and hangup_by == 'customer' and talk_s < 30",
            of_event="call.ended",
            of_where="outcome == 'answered'",
            field="",
            by=("number", "team"),
            windows=("30m", "4h"),
            better="lower",
        )
        name = asker.ask(rule, "First rule", title.replace("_", "-"), "--rule")
        answers = Answers(
            indicator=title, by="number", window="30m", threshold=threshold, clear=clear,
            route=route, suspend=suspend,
        )  # fmt: skip
        files.add(folder / files.INDICATORS, figure.text())
        _write_rule(folder, name, asker, answers, config)
    _next(folder, name, config)


@member(
    app,
    "indicator",
    "new indicator mine short_calls --event call.ended --where 'talk_s < 6' --of-event call.ended",
    "new indicator mine wait --kind mean --event call.ended --field ring_s --by team --yes",
)
def indicator(
    name: PackArgument,
    title: IdArgument,
    kind: KindOption = None,
    event: EventOption = None,
    where: WhereOption = None,
    of_event: OfEventOption = None,
    of_where: OfWhereOption = None,
    field: FieldOption = None,
    by: ByOption = None,
    windows: WindowsOption = None,
    better: BetterOption = None,
    config: ConfigOption = None,
    yes: YesOption = False,
) -> None:
    """A new indicator in a pack of yours, at the end of its `indicators.yaml`."""
    asker, folder = Asker(silent=yes), _folder(name, config)
    _refuse(folder, "indicators", title)
    shape = asker.ask(kind, "Kind (ratio, count or mean)", "ratio", "--kind")
    if shape not in {"ratio", "count", "mean"}:
        msg = f"kind '{shape}' is none of ratio, count, mean"
        raise UsageError(msg)
    is_share = shape == "ratio"
    counted_ = asker.ask(event, "Type of event that is counted", "call.ended", "--event")
    figure = NewIndicator(
        id=title,
        kind=shape,  # type: ignore[arg-type]  # looked at above
        event=event_type(counted_),
        where=asker.ask(where, "Which of them (a condition)", None if is_share else "", "--where"),
        of_event=asker.ask(of_event, "A share of what type", counted_, "--of-event")
        if is_share
        else "",
        of_where=asker.ask(of_where, "Which of those (a condition)", "", "--of-where")
        if is_share
        else "",
        field=asker.ask(field, "Mean of which field", None, "--field") if shape == "mean" else "",
        by=_list(asker.ask(by, "By", "number,team", "--by")),
        windows=_list(asker.ask(windows, "Windows", "30m,4h", "--windows")),
        better=asker.ask(better, "Better (lower or higher)", "lower", "--better"),  # type: ignore[arg-type]  # loading tells
    )
    with files.taken_back(folder):
        files.add(folder / files.INDICATORS, figure.text())
        load_site(None, packs=[folder])
    out = lines()
    out.print(f"written: {title} in {folder / files.INDICATORS}")
    out.print(f"next: monitor new rule {name} {title.replace('_', '-')} --indicator {title}")


@member(
    app,
    "rule",
    "new rule mine short-calls --indicator short_calls --by number --threshold 30%",
    "new rule mine flagged --on-event number.flagged --until number.cleared --by number --yes",
)
def rule(
    name: PackArgument,
    title: IdArgument,
    indicator: Annotated[
        str | None, typer.Option("--indicator", metavar="ID", help="The figure it looks at.")
    ] = None,
    on_event: Annotated[
        str | None,
        typer.Option("--on-event", metavar="TYPE", help="Instead of a figure: a single event."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TYPE", help="The event that ends it.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="DIMENSION", help="Of what.")] = None,
    above: Annotated[
        bool | None, typer.Option("--above/--below", help="Which side of the threshold is bad.")
    ] = None,
    threshold: ThresholdOption = None,
    clear: ClearOption = None,
    window: Annotated[
        str | None, typer.Option("--window", metavar="WINDOW", help="Of the indicator's.")
    ] = None,
    min_of: Annotated[
        int | None,
        typer.Option(
            "--min-of",
            min=1,
            help="Raw evidence: at least so much below the line; else sequential.",
        ),
    ] = None,
    route: RouteOption = None,
    suspend: SuspendOption = None,
    config: ConfigOption = None,
    yes: YesOption = False,
) -> None:
    """A new rule in a pack of yours, in shadow, and a first test of it that passes.

    The test is made from the conditions of the indicator, and run before it is kept. Where none can
    be guessed that shows the rule fire, it says so: then that story is yours to write.
    """
    logs.configure(level="error")
    folder = _folder(name, config)
    _refuse(folder, "rules", title)
    answers = Answers(
        indicator=indicator, on_event=on_event, until=until, by=by, above=above,
        threshold=threshold, clear=clear, window=window, min_of=min_of, route=route,
        suspend=suspend,
    )  # fmt: skip
    with files.taken_back(folder):
        _write_rule(folder, title, Asker(silent=yes), answers, config)
    _next(folder, title, config)


def _write_rule(
    folder: Path, title: str, asker: Asker, given: Answers, config: Path | None
) -> None:
    site = load_site(None, packs=[folder])
    rule = asked_rule(title, site.indicators, asker, given, route=_route(config))
    files.add(folder / files.RULES, rule.text())
    kept = files.add_stories(folder, title, SystemClock())
    site = load_site(None, packs=[folder])
    found = next(each for each in site.rules if each.id == title)
    out = lines()
    out.print(f"written: {title} in {folder / files.RULES}, in shadow")
    names = "; ".join(each.name for each in kept)
    out.print(f"{counted(len(kept), 'test')} in {folder / files.TESTS}, run and passed: {names}")
    if not files.fires(found, kept):
        out.print(
            "no story could be guessed in which it fires: add one, or it is not known to work",
            style="yellow",
        )


def _folder(name: str, config: Path | None) -> Path:
    """Where the pack stands: as it is written, or by its name below the site's packs."""
    if "/" in name or Path(name).is_dir():
        return Path(name)
    path = config_path(config)
    beside = Path() if path is None else path.parent
    rules = _settings(config).rules_dir
    return beside / (rules or Path("rules")) / name


def _route(config: Path | None) -> str:
    return next(iter(_settings(config).delivery.routes), "supervisors")


def _settings(config: Path | None) -> Config:
    """The configuration; the packs that it names may be those that are to be written."""
    path = config_path(config)
    return load_site(None).config if path is None else load_yaml(path, Config).value


def _refuse(folder: Path, kind: str, name: str) -> None:
    if not (folder / files.INDICATORS).is_file() and kind == "rules":
        msg = f"{folder} is no pack yet: monitor new pack {folder.name}"
        raise UsageError(msg)
    if files.has(folder, kind, name):
        msg = f"{folder} has {kind[:-1]} '{name}' already, and nothing is overwritten"
        raise UsageError(msg)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _next(folder: Path, title: str, config: Path | None) -> None:
    on = config_path(config) is not None and folder.name in _settings(config).packs
    out = lines()
    out.print("next:", style="bold")
    steps: list[tuple[str, str]] = [(f"monitor check -v {folder}", "how sure and how fast it is")]
    if not on:
        steps.append((f"packs: […, {folder.name}] in config.yaml", "so that it runs"))
    steps += [
        (f"monitor advise {title}", "what it makes of your own history"),
        ("monitor shadow " + title, "after a few days: what it would have done"),
        ("status: active", "when you would have wanted each of those"),
    ]
    width = max(len(step) for step, _ in steps)
    for step, why in steps:
        out.print(f"  {step.ljust(width)}  {why}")
