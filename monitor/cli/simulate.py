"""``monitor simulate``: realistic traffic with a truth that is known."""

from __future__ import annotations

import signal
import threading
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from monitor import logs
from monitor.cli.declare import one_of, single, some_duration
from monitor.cli.interrupts import INTERRUPTED
from monitor.cli.options import ConfigOption, site_of
from monitor.cli.output import lines
from monitor.clock import Clock, SystemClock
from monitor.errors import UsageError
from monitor.simulate.pacing import to_file, to_kafka
from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.simulation import NUMBERS_DEFAULT, Simulation
from monitor.simulate.simulation import simulate as plan
from monitor.source.settings import KafkaConnection, KafkaSettings

_NAMES = ", ".join(SCENARIOS)


def _scenario(name: str) -> str:
    return one_of(name, SCENARIOS)


def _complete(start: str) -> list[tuple[str, str]]:
    return [(name, one.title) for name, one in SCENARIOS.items() if name.startswith(start)]


ScenarioOption = Annotated[
    str,
    typer.Option(
        "--scenario",
        "-s",
        metavar="NAME",
        help=f"What happens in it: {_NAMES}.",
        callback=_scenario,
        autocompletion=_complete,
    ),
]
ToOption = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="WHERE",
        help="file:F.jsonl, file:FOLDER (a file for each topic), kafka (as configured)"
        " or kafka:host:port.",
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option("--rate", metavar="N", min=0.001, help="Events a second, on average."),
]
LengthOption = Annotated[
    int | None,
    typer.Option(
        "--for",
        metavar="DURATION",
        parser=some_duration,
        help="Event time, such as 2h; by default as long as the scenario is meant to be.",
    ),
]
SeedOption = Annotated[
    int,
    typer.Option("--seed", metavar="N", help="The same seed and --start give the same bytes."),
]
NumbersOption = Annotated[int, typer.Option("--numbers", metavar="N", min=1, help="Own numbers.")]
StartOption = Annotated[
    datetime | None,
    typer.Option(
        "--start",
        metavar="TIME",
        help="Event time of the beginning, as 2026-11-22T09:00, local unless it names a zone;"
        " by default it ends now.",
    ),
]
LiveOption = Annotated[
    bool, typer.Option("--live", help="Begin now and go on in real time, until ctrl-c.")
]
PartitionsOption = Annotated[
    int, typer.Option("--partitions", metavar="N", min=1, help="Of topics made in Kafka.")
]


def simulate(
    scenario: ScenarioOption,
    to: ToOption,
    rate: RateOption = None,
    length: LengthOption = None,
    seed: SeedOption = 1,
    numbers: NumbersOption = NUMBERS_DEFAULT,
    start: StartOption = None,
    live: LiveOption = False,
    partitions: PartitionsOption = 4,
    config: ConfigOption = None,
) -> None:
    """Write made-up traffic to a file or to Kafka, with what was planted beside it."""
    logs.configure(level="warning")
    clock, stop = SystemClock(), threading.Event()
    span_ms = length or SCENARIOS[scenario].duration_ms
    start_ms = clock.now_ms() - (0 if live else span_ms)
    if start is not None:
        start_ms = int(start.timestamp() * 1000)
    simulation = plan(
        scenario,
        start_ms=start_ms,
        seed=seed,
        rate=rate,
        duration_ms=length,
        numbers=numbers,
        live_states=live,
    )
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pace = clock if live else None
    kind, _, place = to.partition(":")
    if kind == "file" and place:
        truth = _file(simulation, Path(place), pace, stop)
    elif kind == "kafka":
        truth = Path("var") / f"{scenario}.truth.json"
        connection = _connection(config, place)
        to_kafka(simulation, connection, partitions=partitions, truth=truth, clock=pace, stop=stop)
    else:
        msg = f"--to {to}: write file:F.jsonl, file:FOLDER, kafka or kafka:host:port"
        raise UsageError(msg)
    _tell(simulation, truth)
    if stop.is_set() and not live:
        raise typer.Exit(INTERRUPTED)


def _file(simulation: Simulation, path: Path, pace: Clock | None, stop: threading.Event) -> Path:
    try:
        return to_file(simulation, path, clock=pace, stop=stop)
    except OSError as error:
        msg = f"{error.filename or path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error


def _connection(config: Path | None, place: str) -> KafkaConnection:
    if place:
        try:
            return KafkaConnection(bootstrap=place)
        except ValidationError as error:
            msg = f"--to kafka:{place}: write kafka:host:port"
            raise UsageError(msg) from error
    source = site_of(config).config.source
    if not isinstance(source, KafkaSettings):
        raise UsageError("--to kafka: the configuration's source is not Kafka; kafka:host:port")
    return source


def _tell(simulation: Simulation, where: Path) -> None:
    truth = simulation.truth
    lines(stderr=True).print(
        f"{sum(truth.events.values()):,} events, {truth.duplicates:,} copies,"
        f" {truth.late:,} late; truth in {where}"
    )


app = single(
    "simulate",
    simulate,
    "simulate -s number-going-bad --to file:events.jsonl",
    "simulate -s normal-day --for 2h --rate 200 --start 2026-11-22T09:00 --to file:day",
    "simulate -s demo --live --to kafka:localhost:9092",
)
