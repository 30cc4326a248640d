"""How cost grows: events a second against keys, indicators, rules, windows, disorder and the rest.

``python -m bench.growth [NAME …]``. Each point is a replay in a process of its own, one thread, so
that its memory is its own. What one axis varies the others hold at the job of ``bench.job``: 2 000
numbers, 4 indicators, 10 rules, 2 windows. Writes the results and, with ``--plots``, one SVG each.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench import point
from bench.job import DISORDER_MS, WINDOWS, Job, write_events, write_pack
from bench.point import Point
from bench.report import Report, arguments, tell

DENSE = Job("20 000/s", events=800_000, density=20_000)
SPARSE = Job("200/s", events=300_000, density=200)
LENGTHS = (*WINDOWS, "5m", "1h", "8h", "12h")


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that grows, at its points; the first is what the others are compared with."""

    name: str
    title: str
    points: tuple[tuple[str, Mapping[str, Any]], ...]
    """What the point is called, and what it changes of the job or of the pack."""
    worst: float | None = None
    """The requirement: the last point's cost of an event, to the first point's."""
    events: int = 1
    """So many times the job's events."""


_PACK = ("indicators", "rules", "windows")
AXES = (
    Axis(
        "numbers",
        "numbers seen",
        tuple((f"{n:,}", {"numbers": n}) for n in (1_000, 10_000, 100_000, 1_000_000)),
        worst=2.0,
        events=4,
    ),
    Axis(
        "indicators",
        "indicators, each in five scopes and two windows",
        tuple((str(n), {"indicators": n}) for n in (5, 10, 20, 50, 100)),
    ),
    Axis(
        "rules",
        "rules with sequential evidence",
        tuple((f"{n:,}", {"rules": n}) for n in (10, 30, 100, 300, 1_000)),
        worst=1.5,
    ),
    Axis(
        "windows",
        "windows of each indicator",
        tuple((str(n), {"windows": LENGTHS[:n]}) for n in range(1, len(LENGTHS) + 1)),
    ),
    Axis(
        "disorder",
        "disorder in seconds, of which 1 is in order",
        tuple(
            (text, {"disorder_ms": ms})
            for text, ms in (("0", 0), ("0.9", DISORDER_MS), ("5", 5_000), ("60", 60_000))
        ),
    ),
    Axis(
        "duplicates",
        "duplicates in percent",
        tuple((f"{share:.0%}"[:-1], {"duplicates": share}) for share in (0, 0.01, 0.1, 0.25, 0.5)),
    ),
    Axis(
        "hostile",
        "hostile records in percent",
        tuple((f"{s * 100:g}", {"hostile": s}) for s in (0, 0.0001, 0.001, 0.01)),
        worst=4 / 3,
    ),
)
"""A quarter slower is a third more cost."""


def main() -> None:
    """Measure the axes that are named, or all, at both densities."""
    parser = arguments("bench.growth", __doc__)
    parser.add_argument("axes", nargs="*", metavar="NAME", help=", ".join(a.name for a in AXES))
    parser.add_argument("--rounds", type=int, default=2, help="runs of each; the best counts")
    parser.add_argument("--plots", type=Path, help="folder of one SVG an axis")
    given = parser.parse_args()
    unknown = set(given.axes) - {axis.name for axis in AXES}
    if unknown:
        parser.error(f"no such axis: {', '.join(sorted(unknown))}")
    report = Report("growth", given)
    chosen = [axis for axis in AXES if not given.axes or axis.name in given.axes]
    measured = {axis.name: _measure(axis, given.rounds, quick=given.quick) for axis in chosen}
    report.table(
        ("axis", *(f"{job.name}: {text}" for job in (DENSE, SPARSE) for text in _HEAD)),
        [row for axis in chosen for row in _rows(axis, measured[axis.name])],
        after=_images(chosen, given.plots),
    )
    report.keep({"axes": measured})
    if given.plots is not None:
        from bench.plots import draw  # noqa: PLC0415 - its library is not ours

        draw({axis.name: axis.title for axis in chosen}, measured, given.plots)


def _images(axes: Sequence[Axis], folder: Path | None) -> str:
    """The plots, as the page beside their folder's parent shows them."""
    if folder is None:
        return ""
    place = "/".join(folder.parts[1:])
    return "\n\n".join(f"![{axis.title}]({place}/{axis.name}.svg)" for axis in axes)


Measured = dict[str, list[dict[str, Any]]]
"""By density, one entry a point."""
_HEAD = ("events/CPU s", "cost", "MB")


def _measure(axis: Axis, rounds: int, *, quick: bool) -> Measured:
    points = (axis.points[0], axis.points[-1]) if quick else axis.points
    part = 10 if quick else 1
    found: Measured = {}
    for density in (DENSE, SPARSE):
        job = replace(density, events=density.events * axis.events // part)
        found[density.name] = [
            {"point": text} | _point(f"{axis.name} {text}, {job.name}", job, change, rounds)
            for text, change in points
        ]
    return found


def _point(title: str, job: Job, change: Mapping[str, Any], rounds: int) -> dict[str, Any]:
    """The best round's figures, and the stages of one more with a stop-watch."""
    of_pack = {name: value for name, value in change.items() if name in _PACK}
    of_job = {name: value for name, value in change.items() if name not in _PACK}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        file = Path(name) / "events.jsonl"
        tell(f"{title}: writing {job.events:,} events")
        write_events(replace(job, **of_job), file)
        pack = write_pack(Path(name) / "pack", **({"indicators": 5} | of_pack))
        runs: list[Point] = []
        for number in range(rounds):
            tell(f"{title}: {number + 1} of {rounds}")
            runs.append(point.run(file, pack))
        watched = point.run(file, pack, watch=True)
    best = max(runs, key=lambda run: run.rate)
    return asdict(best) | {"rate": best.rate, "stages_cpu_s": watched.stages_cpu_s}


def _rows(axis: Axis, measured: Measured) -> list[list[str]]:
    columns = list(measured.values())
    rows = []
    for number, entry in enumerate(columns[0]):
        cells = [f"{axis.name} {entry['point']}"]
        for points in columns:
            here, first = points[number], points[0]
            cost = first["rate"] / here["rate"]
            last = number == len(points) - 1
            mark = _mark(cost, axis.worst) if last else ""
            cells += [f"{here['rate']:,.0f}", f"{cost:.2f}{mark}", f"{here['rss_mb']:,.0f}"]
        rows.append(cells)
    return rows


def _mark(cost: float, worst: float | None) -> str:
    if worst is None:
        return ""
    return f" ≤ {worst:.2f}" if cost <= worst else f" > {worst:.2f}!"


if __name__ == "__main__":
    main()
