"""What a card may cost in the next period: the mean of past ones, with a prediction interval.

Owns the statistics. For n past totals with mean m and standard deviation s (n - 1 below), taken for
independent draws of one normal distribution, the next one lies with the wished confidence within
``m ± t·s·√(1 + 1/n)``, t of Student's distribution with n - 1 degrees of freedom: the textbook's
prediction interval (Hahn and Meeker, *Statistical Intervals*, §4.2). Trend and season are not in
it: a forecast of a business that grows is too low, and says so nowhere but here and in the docs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.scorecards.report import Sheet

FEW = 6
"""With fewer periods than these the interval is wide and its normality a hope: it is said."""
LEAST = 3
"""With fewer there is no interval at all."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of the total of the next ordinary period; binary floats, for it is no money that is paid."""

    card: str
    currency: str
    used: tuple[tuple[str, float], ...]
    """Periods and totals that it rests on."""
    left_out: tuple[tuple[str, str], ...]
    """Periods that it does not, each with why."""
    mean: float | None
    low: float | None
    high: float | None
    confidence: float
    budget: float | None
    over_budget: float | None
    """The chance that the total is above the budget, on the same assumptions."""
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "card": self.card,
            "currency": self.currency,
            "mean": _two(self.mean),
            "low": _two(self.low),
            "high": _two(self.high),
            "confidence": self.confidence,
            "budget": self.budget,
            "over_budget": None if self.over_budget is None else round(self.over_budget, 4),
            "used": [{"period": label, "total": total} for label, total in self.used],
            "left_out": [{"period": label, "why": why} for label, why in self.left_out],
            "remarks": list(self.remarks),
        }


def _two(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def forecast(
    sheets: Sequence[Sheet], *, confidence: float = 0.9, budget: float | None = None
) -> Forecast:
    """The next ordinary period's total, from past periods.

    Raises:
        ValueError: there is no sheet.
    """
    left_out = [
        (each.period.label, f"promotion: {', '.join(each.promotions)}")
        for each in sheets
        if each.promotions
    ]
    left_out += [
        (each.period.label, "nobody has a statement")
        for each in sheets
        if not each.promotions and not each.statements
    ]
    taken = [each for each in sheets if not each.promotions and each.statements]
    used = [(each.period.label, float(each.total)) for each in taken]
    totals = [total for _, total in used]
    n = len(totals)
    mean = sum(totals) / n if n else None
    low = high = over = None
    remarks = []
    if mean is None:
        remarks.append("no ordinary period to learn from: there is no forecast")
    elif n < LEAST:
        remarks.append(f"{n} of at least {LEAST} periods: a mean, and no interval")
    else:
        error = math.sqrt(sum((x - mean) ** 2 for x in totals) / (n - 1) * (1 + 1 / n))
        half = t_quantile((1 + confidence) / 2, n - 1) * error
        low, high = mean - half, mean + half
        if budget is not None:
            over = (
                float(budget < mean) if not error else 1 - t_below((budget - mean) / error, n - 1)
            )
        if n < FEW:
            remarks.append(
                f"only {n} periods: the interval holds only if totals are spread as a normal"
                " distribution, which so few cannot show"
            )
    first = sheets[0]
    return Forecast(
        first.card,
        first.currency,
        tuple(used),
        tuple(left_out),
        mean,
        low,
        high,
        confidence,
        budget,
        over,
        tuple(remarks),
    )


def t_below(x: float, freedom: int) -> float:
    """The chance that Student's t with so many degrees of freedom is at most ``x``."""
    tail = _beta(freedom / (freedom + x * x), freedom / 2, 0.5) / 2
    return 1 - tail if x > 0 else tail


def t_quantile(chance: float, freedom: int) -> float:
    """Where :func:`t_below` is ``chance``, by bisection."""
    low, high = -1e6, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if t_below(middle, freedom) < chance else (low, middle)
    return (low + high) / 2


def _beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, by Lentz's continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(1 - x, b, a)
    log_front = a * math.log(x) + b * math.log1p(-x) - math.log(a)
    front = math.exp(log_front + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
    value = c = 1.0
    d = 0.0
    for step in range(400):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _not_zero(1 + term * d)
        c = _not_zero(1 + term / c)
        value *= c * d
        if abs(1 - c * d) < 1e-15:
            break
    return front * (value - 1)


def _not_zero(value: float) -> float:
    return value if abs(value) > 1e-30 else 1e-30
