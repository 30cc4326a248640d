"""Feishu and Lark groups, by custom robots.

Owns the request (https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot), a card with
buttons, and what the codes mean. Of one robot Feishu takes 100 messages a minute and 5 a second, of
at most 20 KB each.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, ClassVar
from urllib.parse import quote

from monitor.delivery.channels.robot import Part, RobotChannel
from monitor.delivery.messages.messages import Message, Tone

_COLOURS: dict[Tone, str] = {"bad": "red", "worrying": "orange", "good": "green", "plain": "blue"}


class FeishuChannel(RobotChannel):
    """One group."""

    url: ClassVar[str] = "https://open.feishu.cn/open-apis/bot/v2/hook"
    bytes_max: ClassVar[int] = 20_000
    code_field: ClassVar[str] = "code"
    text_field: ClassVar[str] = "msg"
    throttled: ClassVar[frozenset[int]] = frozenset({11232, 11233, 99991400})
    # 9499 is "Bad Request" and, to others, "too many request": its words decide.
    permanent: ClassVar[frozenset[int]] = frozenset(
        {9499, 11246, 19001, 19002, 19007, 19021, 19022, 19024, 230001, 230099}
    )
    pause_s: ClassVar[float] = 5.0
    meanings: ClassVar[dict[int, str]] = {
        9499: "its form is wrong, or it is too long",
        11246: "the card's form is wrong",
        19001: "there is no such token",
        19007: "the robot is switched off",
        19021: "the secret is not the robot's, or our clock is an hour wrong",
        19022: "our address is not on the robot's list",
        19024: "no keyword of the robot's is in it",
    }

    def marked_up(self, message: Message) -> str:
        """As it is."""
        return message.body

    def request(self, message: Message, part: Part) -> tuple[str, dict[str, Any]]:
        """Signed in its body: over nothing, by the time in s, a line feed and the key."""
        body: dict[str, Any] = {"msg_type": "interactive", "card": self._card(message, part)}
        if self._secret is not None:
            timestamp = str(self.clock.now_ms() // 1000)
            body |= {"timestamp": timestamp, "sign": signature(self._secret, timestamp)}
        return f"{self._url.rstrip('/')}/{quote(self._token, safe='')}", body

    @staticmethod
    def _card(message: Message, part: Part) -> dict[str, Any]:
        elements: list[dict[str, Any]] = [{"tag": "markdown", "content": part.text}]
        for place, link in enumerate(message.links if part.last else ()):
            elements.append(
                {
                    "tag": "button",
                    "text": {"tag": "plain_text", "content": link.label},
                    "type": "default" if place else "primary",
                    "behaviors": [{"type": "open_url", "default_url": link.url}],
                }
            )
        return {
            "schema": "2.0",
            "header": {
                "title": {"tag": "plain_text", "content": part.title},
                "template": _COLOURS[message.tone],
            },
            "body": {"elements": elements},
        }


def signature(secret: str, timestamp: str) -> str:
    """base64(HMAC-SHA256(timestamp + line feed + secret, nothing)): the text is the key."""
    key = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
