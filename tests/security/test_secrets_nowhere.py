"""Distinctive secrets in every setting that takes one, trouble of every kind, and then a search."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest

from tests import web
from tests.broker.certificates import Authority
from tests.cli.program import Done, monitor
from tests.daemon.folder import FLAGGED, Folder
from tests.daemon.running import Process, eventually
from tests.delivery.doubles import Answer, http_server
from tests.deploy.tools import free_port
from tests.security.secrets import secret_places

MARK = "zq7Planted"
"""In every secret, and in nothing else."""
FORMS = ("value", "env", "file")


class Planted:
    """Secrets in one of the three forms; remembers where."""

    def __init__(self, root: Path, form: str) -> None:
        self.environ: dict[str, str] = {}
        self.places: set[str] = set()
        self.folder = root / "secrets"
        self.folder.mkdir()
        self._form = form

    def secret(self, place: str, text: str) -> dict[str, str]:
        """A ``Secret`` as it is written."""
        self.places.add(place)
        return {self._form: self._kept(text, self._form)}

    def named(self, place: str, prefix: str, text: str) -> dict[str, str]:
        """A setting that is only ever a name: ``<prefix>_env`` or ``<prefix>_file``."""
        form = "file" if self._form == "file" else "env"
        self.places |= {f"{place}.{prefix}_env", f"{place}.{prefix}_file"}
        return {f"{prefix}_{form}": self._kept(text, form)}

    def plain(self, place: str, text: str) -> str:
        self.places.add(place)
        return text

    def _kept(self, text: str, form: str) -> str:
        if form == "value":
            return text
        name = f"KEPT_{len(self.environ) + len(list(self.folder.iterdir()))}"
        if form == "env":
            self.environ[name] = text
            return name
        path = self.folder / name
        path.write_text(f"{text}\n")
        return str(path)


def kafka(planted: Planted, place: str, port: int, root: Path) -> dict[str, Any]:
    """A connection to a port where nobody listens, with everything that can be secret."""
    pair = Authority(root / place).issue("client")
    return {
        "bootstrap": f"127.0.0.1:{port}",
        "connect_timeout": "1s",
        "security": {
            "tls": {
                **pair.tls(),
                "key_password": planted.secret(
                    f"{place}.security.tls.key_password", f"{MARK}-key-{place}"
                ),
            },
            "sasl": {
                "username": "monitor",
                "password": planted.secret(
                    f"{place}.security.sasl.password", f"{MARK}-sasl-{place}"
                ),
            },
        },
    }


@pytest.fixture(autouse=True)
def _openssl() -> None:
    if shutil.which("openssl") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("openssl is not installed", pytrace=False)
        pytest.skip("openssl is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_no_secret_leaves_a_daemon_in_trouble(tmp_path: Path, form: str) -> None:
    planted = Planted(tmp_path, form)
    token = f"{MARK}-token-0123456789"
    nobody = free_port()
    with http_server() as receiver:
        receiver.answers.extend([Answer(status=500)] * 1_000)
        folder = Folder(
            tmp_path,
            exporter={"port": free_port(), **planted.named("exporter", "token", token)},
            telephony={
                "kind": "kafka",
                "connection": kafka(planted, "telephony.connection", nobody, tmp_path),
            },
            delivery=_delivery(planted, receiver.url, nobody, tmp_path),
            web=_web(planted, tmp_path),
            ingest=_ingest(planted, tmp_path),
            archive={
                "path": str(tmp_path / "archive"),
                "customers": "hashed",
                "key": planted.secret("archive.key", f"{MARK}-archive-0123456789-0123456789"),
            },
            logs={"level": "debug"},
        )
        folder.write()
        seen = _troubled(folder, planted, token)
    for name, telephony in _systems(planted, nobody, tmp_path).items():
        seen += _in_trouble(telephony, planted, tmp_path / name)
    everything = seen + _written(tmp_path, planted)
    _search(everything)
    assert b"delivery" in everything  # the search would find something
    # The daemon of a Kafka source and a PostgreSQL store, neither of which is there.
    other = tmp_path / "other"
    other.mkdir()
    away = Folder(
        other,
        source={"kind": "kafka", **kafka(planted, "source", nobody, other)},
        store={
            "url": planted.secret("store.url", f"postgresql://u:{MARK}-pg@127.0.0.1:{nobody}/calls")
        },
        exporter={"port": free_port()},
        logs={"level": "debug"},
    )
    away.write()
    _search(_away(away, planted) + _written(other, planted))
    assert planted.places == secret_places(), "a setting that takes a secret is not planted here"


def _systems(planted: Planted, nobody: int, root: Path) -> dict[str, dict[str, Any]]:
    """Telephony of each kind that is asked by HTTP, alone and together; nobody is there."""
    kinds = ("http", "kamailio", "vicidial")
    place = "telephony.systems.*"
    one = {"kind": "kafka", "connection": kafka(planted, f"{place}.connection", nobody, root)}
    together = {kind: _asked_directly(kind, planted, place, nobody) for kind in kinds}
    several = {
        "kind": "several",
        "systems": {"topics": one, **together},
        "pools": {"spring": "topics", "autumn": "http", "winter": "vicidial"},
        "otherwise": "kamailio",
    }
    alone = {kind: _asked_directly(kind, planted, "telephony", nobody) for kind in kinds}
    return {"several": several, **alone}


def _asked_directly(kind: str, planted: Planted, place: str, nobody: int) -> dict[str, Any]:
    url = f"http://user:{MARK}-user@127.0.0.1:{nobody}/{MARK}-path?key={MARK}-query"
    name = {"http": "secret", "kamailio": "token", "vicidial": "password"}[kind]
    return {
        "kind": kind,
        "url": planted.plain(f"{place}.url", url),
        name: planted.secret(f"{place}.{name}", f"{MARK}-{name}-{place[-1]}"),
        **({"user": "6666", "cid_group": "SPRING"} if kind == "vicidial" else {}),
    }


def _in_trouble(telephony: dict[str, Any], planted: Planted, root: Path) -> bytes:
    """What a daemon says whose telephony is not there."""
    root.mkdir()
    folder = Folder(
        root,
        exporter={"port": free_port()},
        telephony=telephony,
        delivery={"backoff": {"base": "50ms", "max": "100ms"}, "drain": "0s"},
        logs={"level": "debug"},
    )
    folder.write()
    running = Process(folder).start(**planted.environ)
    try:
        eventually(lambda: running.get("/healthz"), "the exporter")
        folder.flag(FLAGGED)
        eventually(lambda: running.logged("delivery_failed"), "a command in trouble")
        said = _fetch(running.url + "/metrics", {}) + _fetch(running.url + "/status", {})
        return said + _commands(folder, planted)
    finally:
        running.end()


def _web(planted: Planted, root: Path) -> dict[str, Any]:
    pair = Authority(root / "web").issue("server").tls()
    return {
        "enabled": True,
        "port": free_port(),
        "tokens": {"ops": planted.secret("web.tokens", f"{MARK}-bearer-0123456789")},
        "users": {
            "lin": {
                "role": "viewer",
                "password_hash": planted.secret(
                    "web.users.*.password_hash", f"$argon2id$v=19$m=8,t=1,p=1$c2FsdA${MARK}hash"
                ),
            }
        },
        "public_url": "https://monitor.example",
        "oidc": {
            "issuer": f"http://127.0.0.1:{free_port()}",
            "client_id": "monitor",
            "client_secret": planted.secret("web.oidc.client_secret", f"{MARK}-client"),
            "roles": [{"group": "agents", "role": "viewer"}],
        },
        "tls": {
            "cert_file": pair["cert_file"],
            "key_file": pair["key_file"],
            "key_password": planted.secret("web.tls.key_password", f"{MARK}-web-key"),
        },
    }


def _ingest(planted: Planted, root: Path) -> dict[str, Any]:
    """Webhooks are received by a process of their own; what it writes: tests/ingest."""
    pair = Authority(root / "ingest-tls").issue("server").tls()
    secret = planted.secret("ingest.receivers.*.secret", f"{MARK}-app-secret")
    verify = planted.secret("ingest.receivers.*.verify_token", f"{MARK}-verify")
    return {
        "receivers": {
            "whatsapp": {"kind": "whatsapp", "secret": secret, "verify_token": verify},
            "twilio": {"kind": "twilio", "secret": secret, "url": "https://example.com/twilio"},
            "pbx": {"kind": "hmac", "secret": secret},
        },
        "exporter": planted.named("ingest.exporter", "token", f"{MARK}-ingest-metrics-0123456789"),
        "tls": {
            "cert_file": pair["cert_file"],
            "key_file": pair["key_file"],
            "key_password": planted.secret("ingest.tls.key_password", f"{MARK}-ingest-key"),
        },
    }


def _delivery(planted: Planted, url: str, nobody: int, root: Path) -> dict[str, Any]:
    place = "delivery.receivers.*"
    hook = f"{url}/hook/{MARK}-path?token={MARK}-query"
    dead = f"http://user:{MARK}-user@127.0.0.1:{nobody}/{MARK}-path"
    return {
        "receivers": {
            "hook": {
                "type": "webhook",
                "url": planted.plain(f"{place}.url", hook),
                **planted.named(place, "secret", f"{MARK}-signature"),
            },
            "dead": {"type": "webhook", "url": dead},
            "bent": {"type": "webhook", "url": f"http://{MARK}.invalid:1/"},
            "manager": {"type": "alertmanager", "url": dead},
            **_robots(planted, url, dead),
            "crm": {
                "type": "kafka",
                "topic": "crm.commands",
                "connection": kafka(planted, f"{place}.connection", nobody, root),
            },
        },
        "orders": ["crm"],
        "routes": {
            "people": {
                "receivers": [
                    *("log", "hook", "dead", "bent", "manager"),
                    *("ding", "wecom", "lark", "mail", "sms"),
                ]
            }
        },
        "backoff": {"base": "50ms", "max": "100ms"},
        "drain": "0s",
    }


def _robots(planted: Planted, url: str, dead: str) -> dict[str, dict[str, Any]]:
    """Chats: one that refuses, two that are not there."""
    place = "delivery.receivers.*"
    token = planted.secret(f"{place}.token", f"{MARK}-robot")
    secret = planted.secret(f"{place}.secret", f"{MARK}-robot-key")
    key = planted.secret(f"{place}.key", f"{MARK}-wecom")
    return {
        "ding": {"type": "dingtalk", "url": f"{url}/ding", "token": token, "secret": secret},
        "wecom": {"type": "wecom", "url": dead, "key": key},
        "lark": {"type": "feishu", "url": dead, "token": token, "secret": secret},
        "mail": {
            "type": "mail",
            "host": "127.0.0.1",
            "port": int(dead.rpartition(":")[2].partition("/")[0]),
            "sender": "monitor@example.com",
            "to": ["lead@example.com"],
            "username": "monitor",
            "password": planted.secret(f"{place}.password", f"{MARK}-mail"),
        },
        "sms": {
            "type": "apprise",
            "url": planted.secret(f"{place}.url", f"{dead.replace('http', 'json')}?key={MARK}-sms"),
        },
    }


def _troubled(folder: Folder, planted: Planted, token: str) -> bytes:
    """Run through all kinds of trouble; what was said on every way out but files."""
    said: list[bytes] = []
    bearer = {"Authorization": f"Bearer {token}"}
    running = Process(folder).start(**planted.environ)
    try:
        eventually(lambda: running.get("/healthz"), "the exporter")
        folder.flag(FLAGGED)
        eventually(lambda: b"telephony" in running.log().encode(), "commands in trouble")
        ready = eventually(
            lambda: _shows(running.url, "/metrics", bearer, "monitor_deliveries_total"), "metrics"
        )
        said.append(ready)
        wrong = {"Authorization": f"Bearer {token}x"}
        for path in ("/status", "/readyz", "/", "/metrics"):
            said += [_fetch(running.url + path, head) for head in (bearer, wrong, {})]
        said += _asked_over_the_interface(folder)
        good = folder.path.read_text()
        for spoilt in (good.replace("secrets", "nowhere"), good + "\nzzz: 1\n", good + "\n  ]"):
            folder.path.write_text(spoilt)
            before = _reloads(running)
            running.send(signal.SIGHUP)
            _reloaded(running, before)
            said.append(_commands(folder, planted))
        folder.path.write_text(good)
        said.append(_commands(folder, planted))
    finally:
        running.end()
    return b"\n".join(said)


def _asked_over_the_interface(folder: Folder) -> list[bytes]:
    """With the right token, a wrong one, and none."""
    url = f"https://127.0.0.1:{folder.config['web']['port']}"
    told = []
    with httpx.Client(verify=False) as client:  # noqa: S501 - whose it is does not matter here
        for end in ("", "x"):
            head = {"Authorization": f"Bearer {MARK}-bearer-0123456789{end}"}
            answer = client.get(f"{url}/api/v1/self", headers=head)
            assert answer.status_code == (401 if end else 200)
            told.append(repr(answer.headers).encode() + answer.content)
    return told


def _reloads(running: Process) -> int:
    return len(running.logged("reload_refused")) + len(running.logged("reloaded"))


def _reloaded(running: Process, before: int) -> None:
    eventually(lambda: _reloads(running) > before, "a reload, refused or not")


def _shows(url: str, path: str, headers: dict[str, str], text: str) -> bytes:
    body = _fetch(url + path, headers)
    return body if text.encode() in body else b""


def _fetch(url: str, headers: dict[str, str]) -> bytes:
    answer = web.get(url, headers=headers, timeout=10)
    return repr(answer.headers).encode() + answer.content


def _commands(folder: Folder, planted: Planted) -> bytes:
    """Everything that people can ask."""
    said = []
    for command in ("check", "status", "alerts", "deliveries list", "numbers list"):
        for more in ((), ("--json",)):
            done = _asked(*command.split(), "-c", str(folder.path), *more, environ=planted.environ)
            said.append(f"{done.out}{done.err}")
    return "\n".join(said).encode()


def _asked(*arguments: str, environ: dict[str, str]) -> Done:
    with mock.patch.dict(os.environ, environ):
        return monitor(*arguments)


def _away(folder: Folder, planted: Planted) -> bytes:
    """Start without a store: it says so, ends or waits; both are fine here."""
    running = Process(folder).start(**planted.environ)
    try:
        eventually(
            lambda: "postgresql://127.0.0.1" in running.log(),
            "what is said of a store that is away",
        )
    finally:
        running.end(signal.SIGTERM)
    said = _commands(folder, planted)
    # And with the store mended, the source.
    folder.write(store={"path": str(folder.store), "checkpoints": str(folder.root / "ck")})
    running = Process(folder).start(**planted.environ)
    try:
        eventually(lambda: running.unready().get("source"), "a source that is away")
        said += json.dumps(running.status()).encode()
        assert running.process is not None
        assert running.process.poll() is None  # it keeps trying
    finally:
        running.end()
    return said


def _written(root: Path, planted: Planted) -> bytes:
    """All files but the configuration and the secrets themselves."""
    return b"\n".join(
        path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "config.yaml" and planted.folder not in path.parents
    )


def _search(everything: bytes) -> None:
    at = everything.lower().find(MARK.lower().encode())
    assert at < 0, everything[max(0, at - 300) : at + 100].decode(errors="replace")
