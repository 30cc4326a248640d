"""DingTalk, WeCom and Feishu as their robots behave: 200 for everything, and limits that hold."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from monitor.clock import ManualClock
from tests.delivery.doubles import Answer

TOKEN, SECRET = "token-of-the-robot", "SECsesame"


class Asked(NamedTuple):
    """One request."""

    path: str
    query: dict[str, list[str]]
    content: dict[str, Any]
    length: int


class Vendor:
    """One robot; what it takes, and how often it was told too much."""

    code, text = "errcode", "errmsg"
    rates: tuple[tuple[int, int], ...]
    """Count and ms."""
    too_fast: tuple[int, str]
    too_long: tuple[int, str]

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.taken: list[dict[str, Any]] = []
        self.refused: list[int] = []
        self.script: deque[Answer | tuple[int, str]] = deque()
        """What it does instead, once each."""
        self._asked_ms: deque[int] = deque()

    def answer(self, path: str, body: bytes) -> Answer:
        if self.script:
            wanted = self.script.popleft()
            return wanted if isinstance(wanted, Answer) else self.says(*wanted)
        now_ms = self.clock.now_ms()
        self._asked_ms.append(now_ms)
        for count, per_ms in self.rates:
            if sum(asked > now_ms - per_ms for asked in self._asked_ms) > count:
                return self.says(*self.too_fast)
        content = msgspec.json.decode(body)
        parts = urlsplit(path)
        wrong = self.wrong(Asked(parts.path, parse_qs(parts.query), content, len(body)))
        if wrong is not None:
            return self.says(*wrong)
        self.taken.append(content)
        return Answer(body=json.dumps({self.code: 0, self.text: "ok"}).encode())

    def says(self, code: int, text: str) -> Answer:
        self.refused.append(code)
        return Answer(body=json.dumps({self.code: code, self.text: text}).encode())

    def wrong(self, asked: Asked) -> tuple[int, str] | None:
        raise NotImplementedError

    def texts(self) -> list[str]:
        """What people read."""
        raise NotImplementedError


def _signed(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


class DingTalk(Vendor):
    rates = ((20, 60_000),)
    too_fast = (130101, "send too fast, exceed 20 times per minute")
    too_long = (460101, "description: body size;solution: 20000bytes;")

    def wrong(self, asked: Asked) -> tuple[int, str] | None:
        if asked.query["access_token"] != [TOKEN]:
            return 300005, "token is not exist"
        timestamp = asked.query.get("timestamp", ["0"])[0]
        if abs(int(timestamp) - self.clock.now_ms()) > 3_600_000:
            return 310000, "invalid timestamp"
        if asked.query["sign"] != [_signed(SECRET.encode(), f"{timestamp}\n{SECRET}".encode())]:
            return 310000, "sign not match"
        if asked.length > 20_000:
            return self.too_long
        return (
            None if asked.content["msgtype"] in {"markdown", "actionCard"} else (400105, "msgtype")
        )

    def texts(self) -> list[str]:
        return [each[each["msgtype"]]["text"] for each in self.taken]


class WeCom(Vendor):
    rates = ((20, 60_000),)
    too_fast = (45009, "api freq out of limit, hint: [1], more info at https://example.com")
    too_long = (40058, "markdown.content exceed max length 4096.")

    def wrong(self, asked: Asked) -> tuple[int, str] | None:
        if asked.query["key"] != [TOKEN]:
            return 93000, "invalid webhook url"
        if len(asked.content["markdown"]["content"].encode()) > 4_096:
            return self.too_long
        return None

    def texts(self) -> list[str]:
        return [each["markdown"]["content"] for each in self.taken]


class Feishu(Vendor):
    code, text = "code", "msg"
    rates = ((100, 60_000), (5, 1_000))
    too_fast = (11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]")
    too_long = (9499, "Bad Request")

    def wrong(self, asked: Asked) -> tuple[int, str] | None:
        if not asked.path.endswith(f"/{TOKEN}"):
            return 19001, "param invalid: incoming webhook access token invalid"
        timestamp = asked.content.get("timestamp", "0")
        fresh = abs(int(timestamp) * 1000 - self.clock.now_ms()) < 3_600_000
        if not fresh or asked.content["sign"] != _signed(f"{timestamp}\n{SECRET}".encode(), b""):
            return 19021, "sign match fail or timestamp is not within one hour from current time"
        return self.too_long if asked.length > 20_000 else None

    def texts(self) -> list[str]:
        return [
            f"{each['card']['header']['title']['content']}\n"
            f"{each['card']['body']['elements'][0]['content']}"
            for each in self.taken
        ]


VENDORS: dict[str, Callable[[ManualClock], Vendor]] = {
    "dingtalk": DingTalk,
    "wecom": WeCom,
    "feishu": Feishu,
}


def settings(kind: str, url: str, **changes: Any) -> dict[str, Any]:
    """The receiver as it is written."""
    named = {"key": {"value": TOKEN}} if kind == "wecom" else {"token": {"value": TOKEN}}
    secret = {} if kind == "wecom" else {"secret": {"value": SECRET}}
    made = {"type": kind, "url": f"{url}/robot/send", "timeout": "500ms", "zone": "Asia/Shanghai"}
    return {**made, **named, **secret, **changes}
