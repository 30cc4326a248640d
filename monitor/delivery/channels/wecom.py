"""WeCom (企业微信) groups, by group robots.

Owns the request (https://developer.work.weixin.qq.com/document/path/91770) and what the codes mean.
Of one robot WeCom takes 20 messages a minute, of at most 4 096 bytes of Markdown each; the key in
the address is all that lets one in, there is no signature.
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from monitor.delivery.channels.robot import Part, RobotChannel
from monitor.delivery.messages.messages import Message, Tone
from monitor.delivery.messages.split import utf8

_COLOURS: dict[Tone, str] = {
    "bad": "warning",
    "worrying": "warning",
    "good": "info",
    "plain": "comment",
}


class WeComChannel(RobotChannel):
    """One group."""

    url: ClassVar[str] = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
    bytes_max: ClassVar[int] = 4_096
    throttled: ClassVar[frozenset[int]] = frozenset({45009, 45033, 45047})
    permanent: ClassVar[frozenset[int]] = frozenset(
        {40008, 40035, 40058, 44004, 45002, 93000, 93004, 93008, 93017}
    )
    meanings: ClassVar[dict[int, str]] = {
        40008: "this kind of message is not known",
        40058: "it is too long, or its form is wrong",
        44004: "it is empty",
        93000: "there is no such key, or the robot is no more",
        93004: "the robot is switched off",
        93008: "the robot is not in the group",
    }

    def marked_up(self, message: Message) -> str:
        """With the links below the text: a robot's Markdown has no buttons."""
        links = " | ".join(f"[{link.label}]({link.url})" for link in message.links)
        return f"{message.body}\n{links}" if links else message.body

    def size(self, message: Message, text: str) -> int:
        """Of the Markdown."""
        return utf8(self._content(message, f"{message.title} (9/9)", text))

    def request(self, message: Message, part: Part) -> tuple[str, dict[str, Any]]:
        """The key is in the address."""
        url = f"{self._url}?{urlencode({'key': self._token})}"
        content = self._content(message, part.title, part.text)
        return url, {"msgtype": "markdown", "markdown": {"content": content}}

    @staticmethod
    def _content(message: Message, title: str, text: str) -> str:
        return f'**<font color="{_COLOURS[message.tone]}">{title}</font>**\n{text}'
