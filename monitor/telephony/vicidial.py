"""VICIdial: numbers of a CID group made inactive and active again by ``non_agent_api.php``.

Owns the calls of ``update_cid_group_entry`` and the reading of replies, which are text and judged
by their first word. Written from the documentation of that API, never run against VICIdial: the
tests' other end is a fake of the same documentation. VICIdial knows no end: a number comes back
because the daemon says so, or, should it be gone for good, never.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from urllib.parse import urlencode

from monitor.clock import Clock
from monitor.errors import DeliveryError
from monitor.telephony.base import Blocked
from monitor.telephony.direct import DirectTelephony, Reply, not_taken
from monitor.telephony.wire import Read

_FUNCTION = "update_cid_group_entry"
_SOURCE = "monitor"
ASKED_MAX = 2_000
"""Numbers that are asked about in one reconciliation; each is a request."""


class VicidialTelephony(DirectTelephony):
    """A :class:`monitor.telephony.base.CommandChannel` and ``Reconciler``."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        *,
        group: str,
        areacode: str,
        timeout_ms: int,
        clock: Clock,
    ) -> None:
        """``group``: the CID group; ``areacode``: of its entries that are changed."""
        super().__init__(url, timeout_ms=timeout_ms, clock=clock)
        self._login = {"source": _SOURCE, "user": user, "pass": password}
        self._entry = {"cid_group_id": group, "areacode": areacode}
        self._asked_last = ""

    def carry_out(self, command: Read, command_json: bytes) -> Reply | None:  # noqa: ARG002
        """Make the number's entries inactive, or active again."""
        active = "N" if command.action == "suspend" else "Y"
        said = self._call(stage="UPDATE", outbound_cid=_cid(command.number), active=active)
        word, _, words = said.partition(":")
        if word == "SUCCESS":
            return Reply("applied")
        return Reply("rejected", words.strip())

    def blocked(self, numbers: Iterable[str]) -> Blocked:
        """Which of ``numbers`` are inactive; there is no telling whose doing it was.

        Raises:
            DeliveryError: VICIdial does not answer.
        """
        asked = self._turn_of(sorted(numbers))
        inactive = {number: None for number in asked if self._is_out(number)}
        return Blocked(inactive, frozenset(), timed=False, asked=frozenset(asked))

    def _turn_of(self, numbers: list[str]) -> list[str]:
        """Those to ask about now: of too many, every time the next ones."""
        if len(numbers) <= ASKED_MAX:
            return numbers
        first = bisect_right(numbers, self._asked_last)
        turn = (numbers[first:] + numbers[:first])[:ASKED_MAX]
        self._asked_last = turn[-1]
        return turn

    def _is_out(self, number: str) -> bool:
        cid = _cid(number)
        said = self._call(stage="INFO", outbound_cid=cid)
        rows = [line.strip().split("|") for line in said.splitlines()]
        flags = [row[-1] for row in rows if cid in row and row[-1] in ("Y", "N")]
        return bool(flags) and all(flag == "N" for flag in flags)

    def _call(self, **fields: str) -> str:
        """The text of the reply.

        Raises:
            DeliveryError: no answer; or the login is refused.
        """
        form = self._login | {"function": _FUNCTION} | self._entry | fields
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.post(urlencode(form).encode(), headers)
        text = answer.body.decode("utf-8", "replace").strip()
        if not 200 <= answer.status < 300 or not text:
            raise not_taken(answer)
        if text.startswith(("ERROR: Login incorrect", "ERROR: auth")):
            raise DeliveryError("VICIdial refuses the login", retry=True, reason="status_4xx")
        return text


def _cid(number: str) -> str:
    """As VICIdial has it: digits alone."""
    return number.lstrip("+")
