"""Robots of chats: JSON to an address, in parts that they take, and an answer whose code counts.

Owns what DingTalk, WeCom and Feishu have in common. All three answer 200 whatever they think of a
message; what they think stands in the body, and a body that says nothing is no success.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import httpx
import msgspec
from pydantic import SecretStr

from monitor.clock import Clock
from monitor.delivery.channels.progress import Progress
from monitor.delivery.channels.told import PeopleChannel
from monitor.delivery.messages.messages import Message, Messages
from monitor.delivery.messages.split import split
from monitor.delivery.pacing import Pacer
from monitor.errors import DeliveryError
from monitor.posting import classify, client, exchange

_TOO_FAST = ("too fast", "freq", "too many", "rate limit", "限流", "频率")
"""Of which code it is changes; the words are in every answer that means it."""
_SAID_MAX = 200


class Answered(NamedTuple):
    """What an answer's body says."""

    code: int
    text: str


class Part(NamedTuple):
    """One of the requests that a message goes out in."""

    title: str
    text: str
    last: bool


class RobotChannel(PeopleChannel):
    """One request a part, in order; those that have arrived are not sent again.

    Attributes:
        url: the vendor's own.
        bytes_max: of what :meth:`size` measures.
        code_field, text_field: of an answer.
        throttled, permanent: its codes: come back later; nothing will help. All others are tried
            again, as nobody shall miss an alert for a code that is new.
        pause_s: how long to leave it alone once it is too much.
    """

    url: ClassVar[str]
    bytes_max: ClassVar[int]
    code_field: ClassVar[str] = "errcode"
    text_field: ClassVar[str] = "errmsg"
    throttled: ClassVar[frozenset[int]]
    permanent: ClassVar[frozenset[int]]
    pause_s: ClassVar[float] = 60.0

    def __init__(
        self,
        messages: Messages,
        *,
        url: SecretStr | None,
        token: str,
        secret: str | None = None,
        clock: Clock,
        pacer: Pacer | None = None,
        timeout_ms: int = 10_000,
        http: httpx.Client | None = None,
    ) -> None:
        """``url``: another than the vendor's; ``secret``: requests are signed with it.

        ``pacer``: shared with the lane, which counts the first request of a delivery.
        """
        super().__init__(messages, clock=clock)
        self._url = self.url if url is None else url.get_secret_value()
        self._token, self._secret = token, secret
        self.pacer = pacer
        self._http = client(timeout_ms) if http is None else http
        self.progress: Progress = Progress()

    @abstractmethod
    def request(self, message: Message, part: Part) -> tuple[str, dict[str, Any]]:
        """Address and body, signed for now."""

    @abstractmethod
    def marked_up(self, message: Message) -> str:
        """The text below the title as this chat reads it."""

    def size(self, message: Message, text: str) -> int:
        """Bytes that count against the limit when ``text`` goes out by itself: the whole body."""
        part = Part(f"{message.title} (9/9)", text, last=True)
        return len(msgspec.json.encode(self.request(message, part)[1]))

    def hand_over(self, message: Message) -> str:
        """Send the parts of a message that have not arrived yet; what was answered last.

        Raises:
            DeliveryError: an answer's status or code, or none; or there is no room for another
                request right now.
        """
        texts = split(self.marked_up(message), self.bytes_max, lambda t: self.size(message, t))
        said, begun = "", False
        for number, text in enumerate(texts, 1):
            piece = f"{number} {text}"  # what is told otherwise by now is told anew
            if self.progress.arrived(message.id, piece):
                continue
            if begun:
                self._make_room()
            begun = True
            title = message.title
            if len(texts) > 1:
                title = f"{title} ({number}/{len(texts)})"
            said = self._post(*self.request(message, Part(title, text, number == len(texts))))
            if len(texts) > 1:
                self.progress.note(message.id, piece)
        self.progress.over(message.id)
        return said

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _make_room(self) -> None:
        if self.pacer is None:
            return
        now_s = self.clock.monotonic_s()
        wait_ms = self.pacer.wait_ms(now_s)
        if wait_ms > 0:
            text = "the parts that are left wait for the receiver's rate"
            raise DeliveryError(text, retry=True, reason="paced", retry_after_s=wait_ms / 1000)
        self.pacer.took(now_s)

    def _post(self, url: str, body: dict[str, Any]) -> str:
        answer = exchange(self._http, url, msgspec.json.encode(body), {}, clock=self.clock)
        answered = self._read(answer.body) if answer.whole else None
        if answered is not None and answered.code != 0:
            raise self._failure(answered)
        failure = classify(answer.status, retry_after_s=answer.retry_after_s)
        if failure is not None:
            raise failure
        if answered is None:
            raise DeliveryError("the answer says no code", retry=True, reason="answer")
        return f"{answered.code} {answered.text}".strip()

    def _read(self, body: bytes) -> Answered | None:
        try:
            found = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        code = found.get(self.code_field) if isinstance(found, dict) else None
        if not isinstance(code, int) or isinstance(code, bool):
            return None
        text = found.get(self.text_field)
        return Answered(code, text[:_SAID_MAX] if isinstance(text, str) else "")

    def _failure(self, answered: Answered) -> DeliveryError:
        said = answered.text.lower()
        if answered.code in self.throttled or any(words in said for words in _TOO_FAST):
            text = f"the receiver is told too much at once ({answered.code})"
            return DeliveryError(text, retry=True, reason="throttled", retry_after_s=self.pause_s)
        # What it says may quote what it was sent, and so a token: the code is enough.
        text = f"the receiver answered code {answered.code}{self.hint(answered)}"
        return DeliveryError(text, retry=answered.code not in self.permanent, reason="refused")

    def hint(self, answered: Answered) -> str:
        """What a code means, for those who mend it; begins with ``: ``, or is empty."""
        known = self.meanings.get(answered.code, "")
        return f": {known}" if known else ""

    meanings: ClassVar[dict[int, str]] = {}
    """Codes, in words."""
