"""DingTalk groups, by custom robots.

Owns the request (https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages):
address, signature, Markdown or a card with buttons, and what the codes mean. Of one robot DingTalk
takes 20 messages a minute, of at most 20 000 bytes each; past that none for ten minutes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, ClassVar
from urllib.parse import quote_plus, urlencode

from monitor.delivery.channels.robot import Answered, Part, RobotChannel
from monitor.delivery.messages.messages import Message


class DingTalkChannel(RobotChannel):
    """One group."""

    url: ClassVar[str] = "https://oapi.dingtalk.com/robot/send"
    bytes_max: ClassVar[int] = 20_000
    throttled: ClassVar[frozenset[int]] = frozenset({130101, 410100, 90018, 90030})
    permanent: ClassVar[frozenset[int]] = frozenset(
        {
            88, 40014, 40035, 43004, 300001, 300005, 310000, 400013, 400101, 400102, 400105,
            400106, 430101, 430102, 430103, 430104, 460101,
        }
    )  # fmt: skip
    meanings: ClassVar[dict[int, str]] = {
        300001: "there is no such token",
        300005: "there is no such token",
        310000: "the robot's security setting (signature, keyword or address) does not let it in",
        400013: "the group is no more",
        400101: "there is no such token",
        400102: "the robot is switched off",
        400106: "there is no such robot",
        430101: "an address in it counts as unsafe",
        430102: "DingTalk does not like its text",
        460101: "it is too long",
    }

    def marked_up(self, message: Message) -> str:
        """A line break is two spaces and a break; one alone would be a space."""
        return message.body.replace("\n", "  \n")

    def request(self, message: Message, part: Part) -> tuple[str, dict[str, Any]]:
        """Signed in its address: ``sign`` over the time in ms, a line feed and the key."""
        asked = {"access_token": self._token}
        if self._secret is not None:
            timestamp = str(self.clock.now_ms())
            asked |= {"timestamp": timestamp, "sign": signature(self._secret, timestamp)}
        url = f"{self._url}?{urlencode(asked, quote_via=quote_plus)}"
        return url, self._body(message, part)

    @staticmethod
    def _body(message: Message, part: Part) -> dict[str, Any]:
        text = f"### {part.title}\n\n{part.text}"
        if not message.links or not part.last:
            return {"msgtype": "markdown", "markdown": {"title": part.title, "text": text}}
        buttons = [{"title": link.label, "actionURL": link.url} for link in message.links]
        card = {"title": part.title, "text": text, "btnOrientation": "1", "btns": buttons}
        return {"msgtype": "actionCard", "actionCard": card}

    def hint(self, answered: Answered) -> str:
        """Which of the security settings it was, as far as the answer says so."""
        if answered.code == 310000:
            for words, meaning in (
                ("keyword", "no keyword of the robot's is in it"),
                ("whitelist", "our address is not on the robot's list"),
                ("timestamp", "our clock is an hour wrong"),
                ("sign", "the secret is not the robot's"),
                ("签名", "the secret is not the robot's"),
                ("关键词", "no keyword of the robot's is in it"),
            ):
                if words in answered.text.lower():
                    return f": {meaning}"
        return super().hint(answered)


def signature(secret: str, timestamp: str) -> str:
    """base64(HMAC-SHA256(secret, timestamp + line feed + secret))."""
    text = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()
