"""One SVG an axis of ``bench.growth``: what an event costs as something grows.

Owns how the plots look: no background, middle grey, so that they read on light and dark pages. Its
library is in the dependency group ``plots``, which only ``make bench-all`` installs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pygal
from pygal.style import Style

_GREY = "#808080"
_STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground=_GREY,
    foreground_strong=_GREY,
    foreground_subtle=_GREY,
    guide_stroke_color="#80808055",
    major_guide_stroke_color="#80808055",
    colors=("#d9822b", "#2b8ad9"),
    font_family="sans-serif",
)


def draw(titles: Mapping[str, str], measured: Mapping[str, Any], folder: Path) -> None:
    """Write ``<axis>.svg`` into ``folder`` for each axis in ``measured``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, by_density in measured.items():
        chart = pygal.Line(
            style=_STYLE,
            js=(),
            width=640,
            height=320,
            range=(0, None),
            include_x_axis=True,
            legend_at_bottom=True,
            dots_size=3,
            x_title=titles[name],
            y_title="events per CPU second",
            value_formatter=lambda value: f"{value:,.0f}",
            disable_xml_declaration=True,
        )
        chart.x_labels = [entry["point"] for entry in next(iter(by_density.values()))]
        for density, entries in by_density.items():
            chart.add(density, [entry["rate"] for entry in entries])
        text = chart.render(is_unicode=True)
        (folder / f"{name}.svg").write_text(text + "\n", encoding="utf-8")
