"""Grafana's JSON model, as far as our dashboards use it.

Owns the shapes and the layout (24 columns, filled from left to right). What is shown is in the
other files here; ``build.py`` writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

Json = dict[str, Any]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
TAG = "call-centre"


def query(expr: str, legend: str = "", *, ref: str = "A", instant: bool = False) -> Json:
    """One PromQL query; ``instant`` ones give a table or a single value."""
    return {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": expr,
        "format": "table" if instant else "time_series",
        "instant": instant,
        "legendFormat": legend or "__auto",
        "range": not instant,
        "refId": ref,
    }


def steps(*levels: tuple[float | None, str]) -> Json:
    """Absolute thresholds; the first begins at None."""
    return {
        "mode": "absolute",
        "steps": [{"color": color, "value": value} for value, color in levels],
    }


PLAIN = steps((None, GREEN))


def better(direction: Literal["lower", "higher"], target: float | None, slack: float) -> Json:
    """Green on the good side of ``target``, red past ``slack`` times it on the bad side."""
    if target is None:
        return steps((None, BLUE))
    if direction == "lower":
        return steps((None, GREEN), (target, YELLOW), (round(target * slack, 6), RED))
    return steps((None, RED), (round(target / slack, 6), YELLOW), (target, GREEN))


def panel(
    kind: str,
    title: str,
    description: str,
    queries: Sequence[Json],
    *,
    width: int = 8,
    height: int = 8,
    unit: str = "short",
    thresholds: Json = PLAIN,
    options: Json | None = None,
    custom: Json | None = None,
    overrides: Sequence[Json] = (),
    transformations: Sequence[Json] = (),
    extra: Json | None = None,
) -> Json:
    """One panel; its place is :func:`dashboard`'s to give. ``extra``: further field defaults."""
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": list(queries),
        "gridPos": {"h": height, "w": width, "x": 0, "y": 0},
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "thresholds": thresholds,
                "color": {"mode": "palette-classic"},
                "custom": custom or {},
                **(extra or {}),
            },
            "overrides": list(overrides),
        },
        "options": options or {},
        "transformations": list(transformations),
    }


def graph(title: str, description: str, queries: Sequence[Json], **given: Any) -> Json:
    """Lines over time; a query with the reference ``T`` is a dashed target."""
    stack = given.pop("stack", False)
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 25 if stack else 0,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stack else "none", "group": "A"},
    }
    dashed = {
        "matcher": {"id": "byFrameRefID", "options": "T"},
        "properties": [
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
            {"id": "color", "value": {"mode": "fixed", "fixedColor": "text"}},
        ],
    }
    legend = {"displayMode": "table", "placement": "bottom", "showLegend": True}
    options = {
        "legend": legend | {"calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    has_target = any(entry["refId"] == "T" for entry in queries)
    overrides = [dashed] if has_target else []
    return panel(
        "timeseries",
        title,
        description,
        queries,
        custom=custom,
        options=options,
        overrides=overrides,
        **given,
    )


def stat(title: str, description: str, expr: str, **given: Any) -> Json:
    """One large figure, coloured by its thresholds."""
    options = {
        "colorMode": "background",
        "graphMode": "area",
        "justifyMode": "center",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto",
    }
    given = {"width": 4, "height": 4, **given}
    mode = {"color": {"mode": "thresholds"}, **given.pop("extra", {})}
    return panel("stat", title, description, [query(expr)], options=options, extra=mode, **given)


def table(
    title: str,
    description: str,
    queries: Sequence[Json],
    *,
    columns: Mapping[str, str],
    sort: str | None = None,
    overrides: Sequence[Json] = (),
    **given: Any,
) -> Json:
    """Instant queries side by side; ``columns``: field to heading, in order; the rest is hidden.

    With several queries the values are called ``Value #A``, ``Value #B``, …; with one, ``Value``.
    """
    order = {name: place for place, name in enumerate(columns)}
    keep = {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}}
    organize = {
        "id": "organize",
        "options": {"indexByName": order, "renameByName": dict(columns)},
    }
    merge = [{"id": "merge", "options": {}}] if len(queries) > 1 else []
    sort_by = [{"displayName": sort, "desc": True}] if sort else []
    return panel(
        "table",
        title,
        description,
        queries,
        options={"showHeader": True, "sortBy": sort_by, "cellHeight": "sm"},
        custom={"align": "auto", "filterable": True},
        transformations=[*merge, keep, organize],
        overrides=overrides,
        **given,
    )


def column(name: str, *properties: tuple[str, Any] | Json) -> Json:
    """An override of one column by its heading: properties, and links, which go together."""
    links = [each for each in properties if isinstance(each, dict)]
    given = [each for each in properties if not isinstance(each, dict)]
    given += [("links", links)] if links else []
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in given],
    }


def link(title: str, url: str) -> Json:
    """Where a cell may lead."""
    return {"title": title, "url": url, "targetBlank": False}


def row(title: str) -> Json:
    """A heading across the page."""
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


def variable(
    name: str,
    label: str,
    values: str,
    *,
    multi: bool = False,
    everything: bool = False,
    current: str = "",
) -> Json:
    """A choice filled by ``label_values(…)``."""
    chosen = "$__all" if everything else current
    text = "All" if everything else current
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": values, "refId": name},
        "definition": values,
        "refresh": 2,
        "sort": 7,
        "multi": multi,
        "includeAll": everything,
        "allValue": ".*" if everything else None,
        "current": {"selected": True, "text": text, "value": chosen},
        "options": [],
        "hide": 0,
    }


def choice(name: str, label: str, values: Iterable[str], current: str) -> Json:
    """A choice from a fixed list."""
    listed = list(values)
    return {
        "name": name,
        "label": label,
        "type": "custom",
        "query": ",".join(listed),
        "multi": False,
        "includeAll": False,
        "current": {"selected": True, "text": current, "value": current},
        "options": [
            {"selected": value == current, "text": value, "value": value} for value in listed
        ],
        "hide": 0,
    }


def annotation(
    name: str, expr: str, color: str, title: str, text: str, tags: str, *, shown: bool = True
) -> Json:
    """Moments drawn into every graph: ``expr`` gives them as values, in ms."""
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": shown,
        "hide": False,
        "iconColor": color,
        "expr": expr,
        "step": "30s",
        "titleFormat": title,
        "textFormat": text,
        "tagKeys": tags,
        "useValueForTime": True,
    }


_ALERTS = 'callcentre_alert_since_timestamp_seconds{shadow="false", level="%s"} * 1000'
_SCOPE = (
    "{{company}} {{team}} {{group}} {{agent}} {{campaign}} {{number}} {{number_type}}"
    " {{customer_tag}}"
)
ANNOTATIONS = (
    annotation(
        "Critical 严重告警", _ALERTS % "crit", RED, "{{rule}}", _SCOPE, "rule,level,team,campaign"
    ),
    annotation(
        "Warnings 警告", _ALERTS % "warn", YELLOW, "{{rule}}", _SCOPE, "rule,level,team,campaign",
        shown=False,
    ),
    annotation(
        "Suspensions 停用",
        'callcentre_number_since_timestamp_seconds{state="suspended"} * 1000',
        BLUE,
        "suspended 停用 {{number}}",
        "{{rule}}",
        "number,rule",
    ),
)  # fmt: skip
"""On every board; warnings are drawn when they are switched on above it."""
CONSOLE = "http://localhost:9109"
"""Where the console is unless ``build.py --console`` says otherwise."""


def in_console(path: str) -> str:
    """The address of a page of the console."""
    return f"${{console}}/console/{path}"


def console_of(dimension: str) -> Json:
    """A link from a cell with a name to what the console has of it."""
    page = in_console(f"scope?by={dimension}&name=${{__value.text:percentencode}}")
    return link("Console 控制台", page)


def dashboard(
    uid: str, title: str, description: str, variables: Sequence[Json], panels: Sequence[Json]
) -> Json:
    """A page: panels flow from left to right and get their ids in order."""
    source = {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "current": {},
        "options": [],
        "hide": 0,
    }
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source, *variables, _console()]},
        "annotations": {"list": [dict(each) for each in ANNOTATIONS]},
        "links": [
            {
                "type": "link",
                "title": "Console 控制台",
                "tags": [],
                "icon": "dashboard",
                "url": in_console(""),
                "tooltip": "What can be done about alerts and numbers. 处理告警与号码",
                "targetBlank": True,
                "includeVars": False,
                "keepTime": False,
            },
            {
                "type": "dashboards",
                "title": "Call centre 呼叫中心",
                "tags": [TAG],
                "asDropdown": False,
                "includeVars": False,
                "keepTime": True,
                "icon": "external link",
                "url": "",
            },
        ],
        "panels": _placed(panels),
    }


def _console() -> Json:
    """Hidden; ``var-console`` in a board's address has its way for a visit."""
    return {
        "name": "console",
        "label": "Console 控制台",
        "type": "textbox",
        "query": CONSOLE,
        "current": {"selected": True, "text": CONSOLE, "value": CONSOLE},
        "options": [{"selected": True, "text": CONSOLE, "value": CONSOLE}],
        "hide": 2,
    }


def _placed(panels: Sequence[Json]) -> list[Json]:
    x = y = tallest = 0
    placed = []
    for number, entry in enumerate(panels, start=1):
        if entry["type"] == "row":
            x, y, tallest = 0, y + tallest, 0
            placed.append(entry | {"id": number, "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}})
            y += 1
            continue
        size = entry["gridPos"]
        if x + size["w"] > 24:
            x, y, tallest = 0, y + tallest, 0
        placed.append(entry | {"id": number, "gridPos": size | {"x": x, "y": y}})
        x, tallest = x + size["w"], max(tallest, size["h"])
    return placed
