"""Turns the published data sets into our events: `python -m tests.realdata.convert NAME IN… OUT`.

What the sources do not say is left out, never invented, with one exception that stands in
docs/real-data.md: the bank's rows have a day and no clock, so the calls of a day are laid evenly
between 09:00 and 18:00 local time.
"""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

Event = dict[str, Any]
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_INDIA = ZoneInfo("Asia/Kolkata")
_LISBON = ZoneInfo("Europe/Lisbon")
_TELEMARKETER = "140"
"""India's prefix for registered telemarketers."""


def telephone(calls: Path, texts: Path) -> Iterator[Event]:
    """September 2016: every caller is an own number; telemarketers are a campaign of their own."""
    with calls.open(encoding="utf-8", newline="") as lines:
        for index, row in enumerate(csv.DictReader(lines, skipinitialspace=True)):
            talk_s = int(row["duration"])
            start = _indian(row["start"])
            yield {
                "id": f"call-{index}",
                "type": "call.ended",
                "time": _ms(start + timedelta(seconds=talk_s)),
                "call_id": f"call-{index}",
                "direction": "outbound",
                "number": row["call_num"],
                "customer": row["rec_num"],
                "campaign": "telemarketers"
                if row["call_num"].startswith(_TELEMARKETER)
                else "others",
                "outcome": "answered" if talk_s > 0 else "no_answer",
                "started_at": _ms(start),
                "talk_s": talk_s,
            }
    with texts.open(encoding="utf-8", newline="") as lines:
        for index, row in enumerate(csv.DictReader(lines, skipinitialspace=True)):
            yield {
                "id": f"text-{index}",
                "type": "sms.sent",
                "time": _ms(_indian(row["timestamp"])),
                "message_id": f"text-{index}",
                "number": row["sending_telephone"],
                "customer": row["receiving_telephone"],
            }


def bank(table: Path) -> Iterator[Event]:
    """A bank's telemarketing, May 2008 to November 2010: the last call to each customer.

    The rows are in order of time without a year: a month that goes back is the next year.
    """
    year, month, index = 2008, 5, 0
    with table.open(encoding="utf-8", newline="") as lines:
        days = itertools.groupby(csv.DictReader(lines), key=lambda row: (row["month"], row["day"]))
        for (name, day), rows in days:
            calls = list(rows)
            found = _MONTHS.index(name) + 1
            year += found < month
            month = found
            opening = datetime(year, month, int(day), 9, tzinfo=_LISBON)
            for place, row in enumerate(calls):
                ended = opening + timedelta(hours=9) * (place / len(calls))
                common = {
                    "time": _ms(ended),
                    "customer": f"row-{index}",
                    "campaign": row["contact"],
                }
                talk_s = int(row["duration"])
                yield {
                    "id": f"call-{index}",
                    "type": "call.ended",
                    "call_id": f"call-{index}",
                    "direction": "outbound",
                    "outcome": "answered" if talk_s else "no_answer",
                    "talk_s": talk_s,
                    **common,
                }
                if row["y"] == "yes":
                    yield {"id": f"deal-{index}", "type": "deal.won", **common}
                index += 1


_OUTCOMES = {"ANSWERED": "answered", "NO ANSWER": "no_answer", "BUSY": "busy", "FAILED": "failed"}
_CAUSES = {"NORMAL_CLEARING": "answered", "NO_USER_RESPONSE": "no_answer", "USER_BUSY": "busy"}


def asterisk(table: Path) -> Iterator[Event]:
    """A lab's CDR: src, dst, context …, start, answer, end, duration, billsec, disposition.

    The columns are Asterisk's ``cdr_csv``; times are taken as UTC.
    """
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.reader(lines):
            start, answer, end, duration, talk = row[8:13]
            yield {
                "id": row[16],
                "type": "call.ended",
                "time": _ms(_utc(end, "%Y-%m-%d %H:%M:%S")),
                "call_id": row[16],
                "direction": "outbound",
                "number": row[1],
                "customer": row[2],
                "campaign": "asterisk",
                "outcome": _OUTCOMES[row[13]],
                "started_at": _ms(_utc(start, "%Y-%m-%d %H:%M:%S")),
                "ring_s": int(duration) - int(talk),
                **({"talk_s": int(talk)} if answer else {}),
            }


def freeswitch(table: Path) -> Iterator[Event]:
    """A lab's CDR: name, caller, callee, context, start, answer, end, duration, billsec, cause, id.

    Times have no seconds and are taken as UTC; a cause that is not known has failed.
    """
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.reader(lines):
            caller, callee, _, start, answer, end, duration, talk, cause, name = row[1:11]
            yield {
                "id": name,
                "type": "call.ended",
                "time": _ms(_utc(end, "%Y/%m/%d %H:%M")),
                "call_id": name,
                "direction": "outbound",
                "number": caller,
                "customer": callee,
                "campaign": "freeswitch",
                "outcome": _CAUSES.get(cause, "failed"),
                "started_at": _ms(_utc(start, "%Y/%m/%d %H:%M")),
                "ring_s": int(duration) - int(talk),
                **({"talk_s": int(talk)} if answer else {}),
            }


def _utc(text: str, layout: str) -> datetime:
    return datetime.strptime(text, layout).replace(tzinfo=UTC)


def _indian(text: str) -> datetime:
    return datetime.strptime(text, "%d-%m-%Y %H:%M:%S").replace(tzinfo=_INDIA)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def write(events: Iterator[Event], target: Path) -> int:
    """Write the events in order of time; returns how many."""
    ordered = sorted(events, key=lambda event: (event["time"], event["id"]))
    encoder = msgspec.json.Encoder()
    with target.open("wb") as out:
        out.writelines(encoder.encode(event) + b"\n" for event in ordered)
    return len(ordered)


def main() -> None:
    name, *paths = sys.argv[1:]
    *sources, target = map(Path, paths)
    made: dict[str, Callable[..., Iterator[Event]]] = {
        "telephone": telephone,
        "bank": bank,
        "asterisk": asterisk,
        "freeswitch": freeswitch,
    }
    events = made[name](*sources)
    count = write(events, target)
    print(f"{count} events in {target}")


if __name__ == "__main__":
    main()
