"""The compose file, the Dockerfile and the configuration that goes with them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import Config
from monitor.exporter.settings import ExporterSettings
from monitor.site import load_site
from monitor.strict_yaml import load_yaml
from tests.deploy.tools import program, run

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
CONFIG = ROOT / "deploy" / "config.compose.yaml"
SECRETS = dict.fromkeys(
    ("MONITOR_EXPORTER_TOKEN", "GRAFANA_ADMIN_PASSWORD", "POSTGRES_PASSWORD"), "x" * 24
)
ALL = ("--profile", "demo", "--profile", "postgres")
SERVING = {"monitor", "kafka", "postgres", "prometheus", "alertmanager", "grafana"}


def compose(*arguments: str, **environ: str) -> str:
    return run(program("docker-compose"), "-f", COMPOSE, *ALL, *arguments, **environ)


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    """The file as Compose itself understands it."""
    made: dict[str, Any] = json.loads(compose("config", "--format", "json", **SECRETS))
    return made


def test_compose_accepts_the_file() -> None:
    assert compose("config", "-q", **SECRETS) == ""


def test_it_keeps_to_the_compose_specification() -> None:
    checker = program("check-jsonschema")
    assert "ok" in run(checker, "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_without_a_token_nothing_starts() -> None:
    with pytest.raises(AssertionError, match=r"MONITOR_EXPORTER_TOKEN.*deploy/env\.example"):
        compose("config", "-q", **(SECRETS | {"MONITOR_EXPORTER_TOKEN": ""}))


def test_no_secret_has_a_default(model: dict[str, Any]) -> None:
    for secret in model["secrets"].values():
        assert secret["environment"] in SECRETS
    example = (ROOT / "deploy" / "env.example").read_text(encoding="utf-8")
    given = dict(line.split("=") for line in example.splitlines() if re.match(r"\w+=", line))
    assert given == dict.fromkeys(SECRETS, "")


def test_all_services_are_there(model: dict[str, Any]) -> None:
    assert set(model["services"]) == SERVING | {"topics", "simulator"}
    assert model["services"]["simulator"]["profiles"] == ["demo"]


def test_images_are_pinned(model: dict[str, Any]) -> None:
    images = {service["image"] for service in model["services"].values()}
    assert all(re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", image) for image in images), images


def test_ports_stay_on_this_machine(model: dict[str, Any]) -> None:
    published = [
        (port["host_ip"], port["published"])
        for service in model["services"].values()
        for port in service.get("ports", [])
    ]
    assert {host for host, _ in published} == {"127.0.0.1"}
    assert len({port for _, port in published}) == len(published) == len(SERVING)


def test_every_service_is_watched_and_bounded(model: dict[str, Any]) -> None:
    for name, service in model["services"].items():
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory", "pids"} <= set(limits), name
        assert service["logging"]["options"]["max-size"] == "10m", name
        assert "no-new-privileges:true" in service["security_opt"], name
        if name in SERVING - {"monitor"}:  # the daemon's own stands in its Dockerfile
            assert service["healthcheck"]["test"], name


def test_data_is_in_named_volumes(model: dict[str, Any]) -> None:
    for name in SERVING:
        kinds = {mount["type"] for mount in model["services"][name]["volumes"] if "source" in mount}
        assert "volume" in kinds, name
    named = {
        mount["source"]
        for service in model["services"].values()
        for mount in service.get("volumes", [])
        if mount["type"] == "volume"
    }
    assert named == set(model["volumes"])


def test_mounted_files_exist_and_cannot_be_written(model: dict[str, Any]) -> None:
    bound = [
        mount
        for service in model["services"].values()
        for mount in service.get("volumes", [])
        if mount["type"] == "bind"
    ]
    assert len(bound) >= 8
    for mount in bound:
        assert Path(mount["source"]).exists(), mount
        assert mount["read_only"] is True, mount


def test_topics_get_the_brokers_time(model: dict[str, Any]) -> None:
    assert (
        model["services"]["kafka"]["environment"]["KAFKA_LOG_MESSAGE_TIMESTAMP_TYPE"]
        == "LogAppendTime"
    )
    script = model["services"]["topics"]["command"][0]
    assert "message.timestamp.type=LogAppendTime" in script
    config = load_yaml(CONFIG, Config).value
    assert config.source.kind == "kafka"
    used = [
        *config.source.topics,
        config.telephony.commands,
        config.telephony.acks,
        str(config.dead_letters.topic),
    ]
    for topic in used:
        assert re.search(rf"(?<=[ \n]){re.escape(topic)}(?=[ ;\n])", script), topic


def test_the_daemon_has_no_more_rights_than_it_needs(model: dict[str, Any]) -> None:
    daemon = model["services"]["monitor"]
    assert daemon["read_only"] is True
    assert daemon["cap_drop"] == ["ALL"]
    assert daemon["command"] == ["run", "-c", "/etc/monitor/config.yaml"]


def test_the_configuration_fits_the_compose_file(model: dict[str, Any]) -> None:
    site = load_site(CONFIG)
    config = site.config
    daemon = model["services"]["monitor"]
    mounts = {mount["target"]: mount for mount in daemon["volumes"]}
    assert mounts["/etc/monitor/config.yaml"]["source"] == str(CONFIG)
    assert {str(config.store.path.parent), str(config.store.checkpoints.parent)} == {
        "/var/lib/monitor"
    }
    assert mounts["/var/lib/monitor"]["type"] == "volume"
    assert config.exporter.token_env in daemon["environment"]
    assert daemon["ports"][0]["target"] == config.exporter.port == ExporterSettings().port
    assert config.source.kind == "kafka"
    host, port = config.source.bootstrap.split(":")
    assert (
        f"INTERNAL://{host}:{port}"
        in (model["services"][host]["environment"]["KAFKA_ADVERTISED_LISTENERS"])
    )
    routes = {rule.notify.route for rule in site.rules}
    assert routes <= set(config.delivery.routes)


def test_prometheus_asks_where_the_daemon_listens(model: dict[str, Any]) -> None:
    scrape = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = [
        target
        for job in scrape["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    ]
    assert "monitor:9108" in targets
    hosts = {target.partition(":")[0] for target in targets} - {"localhost"}
    assert hosts <= set(model["services"])
    assert model["services"]["prometheus"]["secrets"][0]["source"] == "exporter_token"


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    assert run(program("hadolint"), DOCKERFILE) == ""


def test_the_image_does_not_run_as_root_and_is_watched() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    final = text[text.rindex("\nFROM ") :]
    assert re.findall(r"^USER (.*)$", final, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in final
    assert "/healthz" in final
    assert len(set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))) == 1
    assert "--require-hashes --no-deps -r requirements.lock" in text
    assert "--no-build-isolation" in text


def test_what_the_dockerfile_copies_is_not_ignored() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)
        for source in line.split()[:-1]
    }
    kept = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert copied == set(kept)
    assert all((ROOT / name).exists() for name in copied)


def test_what_builds_the_package_is_pinned() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.search(r"^hatchling==\S+ \\$", lock, re.MULTILINE)
