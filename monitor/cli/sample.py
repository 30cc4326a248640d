"""``monitor sample``: which customers a supervisor looks at this week, and the records of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import polars as pl
import typer

from monitor import logs
from monitor.assembly import open_decoder
from monitor.cli.declare import one_of, single
from monitor.cli.options import ConfigOption, site_of
from monitor.cli.output import counted, lines
from monitor.cli.recorded import (
    KafkaOption,
    SinceOption,
    UntilOption,
    check_span,
    recorded_source,
    to_ms,
)
from monitor.cli.sample_shown import Record, document, show
from monitor.decisions import iso
from monitor.errors import UsageError
from monitor.events.catalogue import EVENT_TYPES, ZONES
from monitor.events.sampling import Chosen, Draw, choose, first_of, week_of
from monitor.site import Site
from monitor.source.settings import FilesSettings
from monitor.units import parse_share

_NEW = ("customer.claimed", "customer.qualified")
_COLUMNS = ("id", "type", "time", "customer", "agent")
_BATCH = 20_000


def _share(text: str) -> float:
    try:
        share = float(parse_share(text))
    except ValueError as error:
        msg = f"{error}: write a share such as 20%"
        raise typer.BadParameter(msg) from error
    if not 0 <= share <= 1:
        msg = f"{text} is no share of anything"
        raise typer.BadParameter(msg)
    return share


def _week(text: str) -> str:
    if not re.fullmatch(r"\d{4}-W\d\d", text):
        msg = f"{text} is no ISO week, such as 2026-W47"
        raise typer.BadParameter(msg)
    return text


SeedOption = Annotated[
    str, typer.Option("--seed", metavar="TEXT", help="The same seed draws the same customers.")
]
FilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="F.jsonl",
        help="Recorded events; repeat for several. A pattern in quotes is fine: 'day-*.jsonl'."
        " By default those that the configuration names.",
    ),
]
WeekOption = Annotated[
    str | None,
    typer.Option(
        "--week", metavar="2026-W47", parser=_week, help="This ISO week only; else every week."
    ),
]
ZoneOption = Annotated[
    str, typer.Option("--tz", metavar="ZONE", help="Weeks begin at its Monday's midnight.")
]
ShareOption = Annotated[
    float,
    typer.Option("--share", metavar="SHARE", parser=_share, help="Of an agent's new customers."),
]
AtLeastOption = Annotated[
    int, typer.Option("--at-least", metavar="N", min=0, help="For an agent and week.")
]
AtMostOption = Annotated[
    int, typer.Option("--at-most", metavar="N", min=1, help="For an agent and week.")
]
NewOption = Annotated[
    list[str] | None,
    typer.Option(
        "--new",
        metavar="TYPE",
        help="Event that makes a customer new, the first of its kind; repeat for several."
        f" By default {' and '.join(_NEW)}.",
    ),
]
FullOption = Annotated[
    bool, typer.Option("--customers", help="Customers' telephone numbers in full.")
]
FormatOption = Annotated[
    Literal["json", "csv", "table"] | None,
    typer.Option(
        "--format",
        help="JSON Lines, CSV, or a table; by default that on a terminal, else JSON.",
    ),
]


def sample(
    seed: SeedOption,
    files: FilesOption = None,
    kafka: KafkaOption = False,
    since: SinceOption = None,
    until: UntilOption = None,
    week: WeekOption = None,
    zone: ZoneOption = "UTC",
    share: ShareOption = "20%",  # type: ignore[assignment]  # parsed as if it were given
    at_least: AtLeastOption = 0,
    at_most: AtMostOption = 10,
    new: NewOption = None,
    in_full: FullOption = False,
    output: FormatOption = None,
    config: ConfigOption = None,
) -> None:
    """Random checks: which new customers of each agent a supervisor looks at, week by week.

    A customer is drawn where a hash of seed, week, agent and customer falls below the share: the
    same in every run, whatever the order of the records. Beside each stand the agent's records of
    that week with the customer. Records are read twice, so they must not be a pipe. A customer who
    came before the records begin looks new: let them go back far enough.
    """
    logs.configure(level="warning")
    check_span(files, since, until)
    if at_least > at_most:
        raise UsageError("--at-least is more than --at-most")
    types = tuple(one_of(name, EVENT_TYPES) for name in new or _NEW)
    where = ZoneInfo(one_of(zone, ZONES))
    site = site_of(config)
    if not files and not kafka and isinstance(site.config.source, FilesSettings):
        files = list(site.config.source.paths)

    def records(types: Iterable[str]) -> Iterator[pl.DataFrame]:
        return _read(site, types, files, kafka=kafka, since=since, until=until)

    first = first_of(pl.concat([_NOTHING, *map(first_of, records(types))]))
    chosen = choose(first, Draw(seed, share, at_least, at_most), where)
    if week is not None:
        chosen = [each for each in chosen if each.week == week]
    found = _records_of(chosen, records(EVENT_TYPES), where) if chosen else {}
    documents = [document(each, found.get(_key(each), []), in_full=in_full) for each in chosen]
    show(documents, output or ("table" if sys.stdout.isatty() else "json"))
    nobody = first["agent"].null_count()
    text = f"{counted(len(chosen), 'customer')} of {first.height:,} new ones"
    lines(stderr=True).print(text + (f"; {nobody:,} have no agent" if nobody else ""))


_NOTHING = pl.DataFrame(
    schema={name: pl.Int64 if name == "time" else pl.String for name in _COLUMNS}
)


def _read(
    site: Site,
    types: Iterable[str],
    files: list[str] | None,
    *,
    kafka: bool,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[pl.DataFrame]:
    """All well-formed records of ``types``, batch by batch."""
    wanted = sorted(types)
    decoder = open_decoder(site, frozenset(), frozenset(wanted))
    source = recorded_source(site, files, kafka=kafka, until=until)
    source.start({}, None if since is None else to_ms(since))
    try:
        while not source.exhausted():
            for fetched in source.poll(_BATCH, 0.2):
                frame = decoder.decode(fetched).frame
                yield frame.select(_COLUMNS).filter(pl.col("type").is_in(wanted))
    finally:
        source.close()


def _key(chosen: Chosen) -> tuple[str, str, str]:
    return chosen.week, chosen.agent, chosen.customer


def _records_of(
    chosen: Sequence[Chosen], frames: Iterable[pl.DataFrame], zone: ZoneInfo
) -> dict[tuple[str, str, str], list[Record]]:
    """What each agent did with each customer in the week, by (time, id), each id once."""
    wanted = {_key(each) for each in chosen}
    customers = pl.Series(sorted({each.customer for each in chosen}))
    found: dict[tuple[str, str, str], dict[str, Record]] = {}
    for frame in frames:
        rows = frame.filter(pl.col("customer").is_in(customers.implode()))
        for event, kind, time_ms, customer, agent in rows.rows():
            key = week_of(time_ms, zone), agent, customer
            if key in wanted:
                record = {"at": iso(time_ms), "type": kind, "id": event}
                found.setdefault(key, {})[event] = record
    return {
        key: sorted(records.values(), key=lambda record: (record["at"], record["id"]))
        for key, records in found.items()
    }


app = single(
    "sample",
    sample,
    "sample --seed autumn --from events.jsonl --week 2026-W47",
    "sample --seed autumn --share 20% --at-most 10 --tz Asia/Shanghai --format csv",
    "sample --seed autumn --kafka --since 2026-11-16T00:00 --until 2026-11-23T00:00",
)
