"""Whoever tries passwords waits longer and longer.

Owns the counting of failures, by name and by address; one thread, the server's, uses it. A try
counts before its outcome is known, so that many at once are no way around it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

OF_NAME_FREE: Final = 5
"""Failures in a row before the next try of one name has to wait."""
OF_ADDRESS_FREE: Final = 20
"""The same, of one address: a whole office may sign in behind it."""
WAIT_S_MAX: Final = 900.0
FORGOTTEN_S: Final = 3_600.0
"""After so long without a try, failures are forgotten."""
KEYS_MAX: Final = 10_000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    at_s: float = 0.0


class Lockout:
    """The failures of keys, such as names; the least recent of too many is forgotten."""

    def __init__(self, free: int, *, most: int = KEYS_MAX) -> None:
        self._free = free
        self._most = most
        self._of: OrderedDict[str, _Failures] = OrderedDict()

    def wait_s(self, key: str, now_s: float) -> float:
        """Seconds until the next try may be; 0.0: now."""
        found = self._of.get(key)
        if found is None or found.count < self._free:
            return 0.0
        if now_s - found.at_s >= FORGOTTEN_S:
            del self._of[key]
            return 0.0
        wait_s = min(WAIT_S_MAX, 2.0 ** min(found.count - self._free, 20))
        return max(0.0, found.at_s + wait_s - now_s)

    def tried(self, key: str, now_s: float) -> None:
        """A try begins; it counts as a failure until :meth:`passed`."""
        found = self._of.pop(key, None) or _Failures()
        if now_s - found.at_s >= FORGOTTEN_S:
            found.count = 0
        found.count += 1
        found.at_s = now_s
        self._of[key] = found
        if len(self._of) > self._most:
            self._of.popitem(last=False)

    def passed(self, key: str) -> None:
        """The try was no failure."""
        self._of.pop(key, None)

    def taken_back(self, key: str) -> None:
        """The try does not count; those before do."""
        found = self._of.get(key)
        if found is not None:
            found.count -= 1
