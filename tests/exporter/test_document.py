import re
import runpy
import sys
from pathlib import Path

import promql_parser
import pytest

from monitor.exporter.catalogue import CATALOGUE, INGEST
from monitor.exporter.document import render

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_what_the_catalogue_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "run: python -m monitor.exporter.document > docs/metrics.md"
    )


def test_the_command_in_its_first_line_makes_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "monitor.exporter.document")
    runpy.run_module("monitor.exporter.document", run_name="__main__")
    assert capsys.readouterr().out == render()


def test_every_metric_has_one_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", render(), re.MULTILINE)
    assert sorted(rows) == sorted(spec.name for spec in (*CATALOGUE, *INGEST))


def test_its_queries_are_promql_and_name_real_metrics() -> None:
    blocks = re.findall(r"```promql\n(.*?)```", render(), re.DOTALL)
    queries = [query for block in blocks for query in block.split("\n\n")]
    assert len(queries) == 4
    for query in queries:
        promql_parser.parse(query)
    named = set(re.findall(r"callcentre_\w+", " ".join(queries)))
    assert named <= {spec.name for spec in CATALOGUE}
