"""What an alert's bad records have in common, as it travels with the alert.

Owns the value and its words. Who finds it out is ``monitor.explain.remarks``; it decides nothing,
is stored nowhere, and an alert goes without it where it is not there in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from monitor.decisions import Alert, iso


@dataclass(frozen=True, slots=True)
class Shared:
    """One value that chance does not explain, see ``monitor.explain.chance``."""

    dimension: str
    value: str
    """Customers are masked."""
    share: float
    """Of the bad records, those that have it."""
    base_share: float
    """Of what they are compared with."""
    lift: float | None
    """How many times as common; None where it is nowhere else."""
    chance: float


@dataclass(frozen=True, slots=True)
class Remark:
    """What was found among the records that are held."""

    bad: int
    others: int
    """Records the bad ones are compared with."""
    since_ms: int
    """The earliest of them."""
    sampled: bool
    """They are an even sample of what came."""
    named: tuple[Shared, ...]
    """Empty: nothing but chance is needed."""
    records: tuple[str, ...] = ()
    """Where some of the bad ones stand, the newest first: ``calls/3@1200``. Only in messages."""
    trend: tuple[float | None, ...] = ()
    """The share of bad ones, or their count, in equal parts of the time looked at; None where there
    was nothing. Only in messages."""

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "bad": self.bad,
            "others": self.others,
            "since": iso(self.since_ms),
            "sampled": self.sampled,
            "named": [
                {
                    "dimension": each.dimension,
                    "value": each.value,
                    "share": round(each.share, 4),
                    "base_share": round(each.base_share, 4),
                    "lift": None if each.lift is None else round(each.lift, 2),
                    "chance": float(f"{each.chance:.2g}"),
                }
                for each in self.named
            ],
        }

    def text(self, language: str = "en") -> str:
        """One line for people; nothing where nothing is named."""
        form = "{} {}({:.0%},其余 {:.0%})" if language == "zh" else "{} {} ({:.0%}, against {:.0%})"
        return ("、" if language == "zh" else ", ").join(
            form.format(each.dimension, each.value, each.share, each.base_share)
            for each in self.named
        )


class Remarks(Protocol):
    """Who can be asked."""

    def about(self, alert: Alert, /) -> Remark | None:
        """What is known of the alert, found out now if it is not yet; waits a moment at most."""
        ...

    def known(self, alert: Alert, /) -> Remark | None:
        """Likewise, of what was found out before."""
        ...


class NoRemarks:
    """Alerts go without."""

    def about(self, _alert: Alert, /) -> Remark | None:
        """Nothing."""
        return None

    known = about
