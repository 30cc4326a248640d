"""The files that Prometheus and Alertmanager load, checked by their own tools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from monitor.exporter.catalogue import CATALOGUE
from tests.deploy.dashboards import DEPLOY
from tests.deploy.tools import program, run

RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
UNIT_TESTS = sorted((DEPLOY / "prometheus" / "tests").glob("*.test.yml"))
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"
OPERATING = DEPLOY.parent / "docs" / "operating.md"
pytestmark = pytest.mark.prometheus


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def alerts() -> Iterator[dict[str, Any]]:
    return (rule for rule in rules() if "alert" in rule)


RECORDED = [rule for rule in rules() if "record" in rule]
NAMES = [alert["alert"] for alert in alerts()]


def test_rules_are_valid(promtool: str) -> None:
    told = run(promtool, "check", "rules", *RULES)
    assert f"{len(NAMES)} rules found" in told
    assert f"{len(RECORDED)} rules found" in told


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_rules_fire_when_they_should_and_not_before(promtool: str, path: Path) -> None:
    assert "SUCCESS" in run(promtool, "test", "rules", path)


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_is_tested_both_ways(name: str) -> None:
    cases = [
        case
        for path in UNIT_TESTS
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    ]
    expected = [
        check.get("exp_samples", []) for case in cases for check in case.get("promql_expr_test", [])
        if f'"{name}"' in check["expr"]
    ] + [
        check.get("exp_alerts", []) for case in cases for check in case.get("alert_rule_test", [])
        if check["alertname"] == name
    ]  # fmt: skip
    assert any(expected)
    assert not all(expected)


@pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule["record"])
def test_every_recorded_series_is_tested_and_stands_on_known_metrics(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])
    known = {f"{spec.name}{end}" for spec in CATALOGUE for end in ("", "_bucket")}
    assert set(re.findall(r"\b(?:monitor|callcentre)_\w+", rule["expr"])) <= known
    assert re.fullmatch(r"\w+:\w+:\w+", rule["record"]), "level:metric:operation"
    checks = [
        check
        for path in UNIT_TESTS
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for check in case.get("promql_expr_test", [])
        if rule["record"] in check["expr"]
    ]
    assert any(check.get("exp_samples") for check in checks)


@pytest.mark.parametrize("alert", list(alerts()), ids=NAMES)
def test_every_alert_says_what_people_need(alert: dict[str, Any]) -> None:
    assert re.fullmatch(r"Monitor[A-Z][A-Za-z]+", alert["alert"])
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    notes = alert["annotations"]
    assert notes["summary"].endswith((".", "?"))
    assert notes["summary_zh"].endswith(("。", "?"))
    assert notes["runbook"] == f"docs/operating.md#{alert['alert'].lower()}"
    promql_parser.parse(alert["expr"])
    known = {f"{spec.name}{end}" for spec in CATALOGUE for end in ("", "_bucket")}
    assert set(re.findall(r"\b(?:monitor|callcentre)_\w+", alert["expr"])) <= known


def test_every_alert_has_its_paragraph_in_the_runbook() -> None:
    headings = re.findall(
        r"^### (Monitor\w+)$", OPERATING.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert headings == NAMES


def test_the_prometheus_configuration_is_valid(promtool: str, tmp_path: Path) -> None:
    # As the container sees it: the rules beside it, the token where the secret is mounted.
    token = tmp_path / "exporter_token"
    token.write_text("a-token-for-the-tests")
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert "/run/secrets/exporter_token" in text
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets", str(tmp_path)))
    (tmp_path / "rules").symlink_to(DEPLOY / "prometheus" / "rules")
    output = run(promtool, "check", "config", tmp_path / "prometheus.yml")
    assert f"{len(RULES)} rule files found" in output
    assert f"{len(NAMES)} rules found" in output


def routed(amtool: str, *labels: str) -> str:
    asked = ("config", "routes", "test", f"--config.file={ALERTMANAGER}")
    return run(amtool, *asked, *labels).splitlines()[0]


def test_alertmanager_routes(amtool: str) -> None:
    assert "SUCCESS" in run(amtool, "check-config", ALERTMANAGER)
    assert routed(amtool, "alertname=number-hangup", "severity=critical") == "supervisors"
    assert routed(amtool, "alertname=MonitorDown", "severity=critical") == "operations"
    assert routed(amtool, "alertname=MonitorSeriesDropped", "severity=info") == "operations"
    assert routed(amtool, "alertname=suspension_refused", "severity=warning") == "operations"


def test_alertmanager_inhibits_only_alerts_that_exist() -> None:
    config = yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8"))
    named = set(re.findall(r"\bMonitor[A-Z]\w+", yaml.safe_dump(config["inhibit_rules"])))
    assert named
    assert named <= set(NAMES)


def test_a_missing_program_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "false")
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        program("no-such-program")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        program("no-such-program")
