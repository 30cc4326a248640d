"""A sheet or a comparison as one HTML page that needs nothing else: no script, no font, no network.

Owns the words of both languages and the figures of bars; the looks are ``page.html``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, StrictUndefined

from monitor.indicators.model import Language
from monitor.scorecards.compare import Backtest, Gap
from monitor.scorecards.load import Card
from monitor.scorecards.money import grouped, rounded, shown
from monitor.scorecards.report import Sheet, text_of

WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "person": "person", "team": "team", "profile": "profile", "total": "total",
            "people": "people", "mean": "mean", "working": "working", "line": "line",
            "amount": "amount", "figures": "figures", "figure": "figure", "value": "value",
            "records": "records", "pools": "pools", "pool": "pool", "weight": "weight",
            "share": "share", "remarks": "please note", "to": "to", "days_of": "days of",
            "old": "old", "new": "new", "difference": "difference", "period": "period",
            "largest": "largest", "smallest": "smallest", "gain": "get more", "lose": "get less",
            "per_person": "Per person and period", "per_period": "Everybody, per period",
            "each": "Each person, mean of ordinary periods", "ordinary": "ordinary periods",
            "promotion": "periods with a promotion", "which": "", "by_hand": "by hand",
        },
        "zh": {
            "person": "人员", "team": "团队", "profile": "档案", "total": "合计",
            "people": "人数", "mean": "平均", "working": "计算过程", "line": "项目",
            "amount": "金额", "figures": "数据", "figure": "指标", "value": "数值",
            "records": "记录数", "pools": "奖金池", "pool": "奖金池", "weight": "权重",
            "share": "分得", "remarks": "请注意", "to": "至", "days_of": "时区",
            "old": "旧方案", "new": "新方案", "difference": "差额", "period": "周期",
            "largest": "最大", "smallest": "最小", "gain": "增加人次", "lose": "减少人次",
            "per_person": "按人按周期", "per_period": "全员按周期",
            "each": "每人(平常周期平均)", "ordinary": "平常周期", "promotion": "大促周期",
            "which": "", "by_hand": "人工填写",
        },
    }
)  # fmt: skip


def sheet_page(card: Card, sheet: Sheet, *, language: Language = "en") -> str:
    """One period of one card."""
    most = max((abs(each.total) for each in sheet.statements), default=Fraction())
    statements = [
        {
            "of": each,
            "total": money(each.total, sheet.places),
            "bar": _share(each.total, most),
            "parts": _parts(each.lines, most),
            "lines": [(line, _shown(line.value, line.places)) for line in each.lines],
            "figures": [
                (_title(card, name, language), figure, _shown(figure.value))
                for name, figure in each.figures.items()
            ],
        }
        for each in sorted(sheet.statements, key=lambda each: (-each.total, each.person))
    ]  # fmt: skip
    count = len({each.person for each in sheet.statements})
    mean = sheet.total / count if count else Fraction()
    paying = [line for line in card.spec.lines if line.pays]
    return _render(
        language,
        kind="sheet",
        sheet=sheet,
        statements=statements,
        count=count,
        total=money(sheet.total, sheet.places),
        mean=money(mean, sheet.places),
        legend=[(place, line.title.get(language) or line.title.get("en") or line.id)
                for place, line in enumerate(paying)],
        pools=[(pool, money(pool.amount, sheet.places)) for pool in sheet.pools],
        money=lambda value: money(value, sheet.places),
        text_of=text_of,
    )  # fmt: skip


def backtest_page(found: Backtest, *, places: int, language: Language = "en") -> str:
    """Old against new."""
    most = max((abs(each.mean) for each in found.people), default=Fraction())
    periods = max((max(gap.old, gap.new) for gap in found.totals), default=Fraction())
    spreads = [
        (name, each)
        for name, each in (
            ("ordinary", found.ordinary),
            ("promotion", found.promotion),
            ("ordinary", found.ordinary_totals),
            ("promotion", found.promotion_totals),
        )
    ]
    return _render(
        language,
        kind="backtest",
        found=found,
        spreads=[spreads[:2], spreads[2:]],
        people=[(each, _share(each.mean, most)) for each in found.people],
        totals=[(gap, _share(gap.old, periods), _share(gap.new, periods)) for gap in found.totals],
        money=lambda value: money(value, places),
        signed=lambda value: _signed(value, places),
        who=_who,
    )


def money(value: Fraction, places: int) -> str:
    """An amount for people: ``1,234.50``."""
    return grouped(shown(rounded(value, places, "half_even"), places))


def _shown(value: Fraction | None, places: int | None = None) -> str:
    """A figure for people; a dash where there is none."""
    text = text_of(value, places)
    return "–" if text is None else grouped(text)


def _signed(value: Fraction, places: int) -> str:
    text = money(value, places)
    return text if text.startswith("-") else f"+{text}"


def _who(gap: Gap) -> str:
    return f"{gap.person} {gap.period}".strip()


def _title(card: Card, name: str, language: Language) -> str:
    titles = card.spec.figures[name].title
    return titles.get(language) or titles.get("en") or name


def _share(value: Fraction, most: Fraction) -> str:
    """Percent of the longest bar, one decimal."""
    return shown(rounded(abs(value) / most * 100, 1, "half_even"), 1) if most else "0"


def _parts(lines: Sequence[Any], most: Fraction) -> list[tuple[int, str, str]]:
    """Pieces of a bar: place of the colour, width and title; what is taken off has none."""
    paying = [line for line in lines if line.pays]
    return [
        (place % 6, _share(line.value, most), f"{line.title}: {text_of(line.value, line.places)}")
        for place, line in enumerate(paying)
        if line.value is not None and line.value > 0
    ]


def _render(language: Language, **what: Any) -> str:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("monitor.scorecards").joinpath("page.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(words=WORDS[language], language=language, **what)
