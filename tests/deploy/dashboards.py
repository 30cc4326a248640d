"""The queries behind the dashboards, and a Prometheus to run them on.

Also for tests with the real daemon: ``prometheus(target)`` scrapes it, ``panel_queries`` and
``variable_queries`` say what Grafana will ask, ``run_query`` asks it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests import web
from tests.deploy.tools import await_true, free_port, program, started

DEPLOY = Path(__file__).parents[2] / "deploy"
BOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
VARIABLES: Mapping[str, str] = {
    "indicator": "hangup_rate",
    "window": "30m",
    "least": "1",
    "__rate_interval": "30s",
    "__range": "60s",
}
"""What a page would put in; every other variable stands at *All*."""


@dataclass(frozen=True)
class Query:
    """One PromQL query of a panel, as written."""

    board: str
    panel: str
    ref: str
    expr: str

    def filled(self, variables: Mapping[str, str] = VARIABLES) -> str:
        """The query that Grafana would send."""
        return fill(self.expr, variables)

    def __str__(self) -> str:
        """For test ids."""
        return f"{self.board}: {self.panel} [{self.ref}]"


@dataclass(frozen=True)
class Values:
    """A variable's ``label_values(selector, label)``, as written."""

    board: str
    variable: str
    selector: str
    label: str


def fill(text: str, variables: Mapping[str, str] = VARIABLES) -> str:
    """``$name`` and ``${name}`` replaced; what is not in ``variables`` becomes *All*."""
    return re.sub(
        r"\$(?:\{(\w+)\}|(\w+))",
        lambda found: variables.get(found[1] or found[2], ".*"),
        text,
    )


def panel_queries(path: Path) -> list[Query]:
    """Every query of every panel of a dashboard's JSON."""
    board = json.loads(path.read_text(encoding="utf-8"))
    return [
        Query(path.stem, panel["title"], target["refId"], target["expr"])
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]


def annotation_queries(path: Path) -> list[Query]:
    """What is drawn into the graphs of a dashboard."""
    board = json.loads(path.read_text(encoding="utf-8"))
    return [
        Query(path.stem, each["name"], "annotation", each["expr"])
        for each in board["annotations"]["list"]
    ]


def variable_queries(path: Path) -> list[Values]:
    """Every variable of a dashboard that is filled from Prometheus."""
    board = json.loads(path.read_text(encoding="utf-8"))
    found = []
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            assert match is not None, variable["query"]
            found.append(Values(path.stem, variable["name"], match[1], match[2]))
    return found


def run_query(url: str, expr: str) -> list[dict[str, Any]]:
    """The samples of an instant query; ``url`` is the Prometheus' own.

    Raises:
        AssertionError: Prometheus refuses the query; carries its words.
    """
    answer = web.post(f"{url}/api/v1/query", data={"query": expr}, timeout=10).json()
    assert answer["status"] == "success", f"{expr}: {answer.get('error')}"
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def label_values(url: str, selector: str, label: str) -> list[str]:
    """The values of a label in the series that a selector finds."""
    answer = web.get(
        f"{url}/api/v1/label/{label}/values", params={"match[]": selector}, timeout=10
    ).json()
    assert answer["status"] == "success", f"{selector}: {answer.get('error')}"
    values: list[str] = answer["data"]
    return values


@contextmanager
def prometheus(
    folder: Path, target: str, *, token: str | None = None, rules: tuple[Path, ...] = ()
) -> Iterator[str]:
    """A real Prometheus that scrapes ``target`` (``host:port``) each two seconds; yields its URL.

    Skips without the program, and fails in CI. Stops at the end.
    """
    binary = program("prometheus")
    job: dict[str, Any] = {"job_name": "monitor", "static_configs": [{"targets": [target]}]}
    if token is not None:
        job["authorization"] = {"credentials": token}
    config = {
        # A scrape that is cut off makes every series stale: a busy machine gets its time.
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [job],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    url = f"http://{address}"
    with started(command, folder / "prometheus.log", f"{url}/-/ready"):
        yield url


def await_scrapes(url: str, count: int) -> None:
    """Wait until the daemon was scraped successfully ``count`` times.

    Raises:
        AssertionError: it was not within half a minute.
    """
    seen = f'sum(sum_over_time(up{{job="monitor"}}[1h])) >= {count}'
    await_true(lambda: bool(run_query(url, seen)), f"{count} scrapes")


def scrape_error(url: str) -> str:
    """What Prometheus says of its last scrape of the daemon; empty when all is well."""
    answer = web.get(f"{url}/api/v1/targets", timeout=10).json()
    return "; ".join(target["lastError"] for target in answer["data"]["activeTargets"])
