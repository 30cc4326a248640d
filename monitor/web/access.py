"""Who asks, and how often they may.

Owns the comparison of tokens and the counting of requests; one thread, the server's, uses it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from monitor.units import Rate
from monitor.web.settings import Language, Person, Role, WebSettings, revealed

ALLOWANCES_MAX = 10_000


Via = Literal["token", "password", "oidc"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks; ``name`` is what the audit says."""

    name: str
    role: Role
    teams: frozenset[str] | None = None
    """Whose alerts it acts on; None: those of all teams."""
    language: Language = "en"
    zone: str = "UTC"
    """In which times are shown to it."""
    via: Via = "token"
    session: str = ""
    """Digest of the session's id; empty: a token was shown."""
    csrf: str = field(default="", repr=False)
    """What a form must bring along (``csrf_token``, or the header ``X-CSRF-Token``)."""

    def acts_on(self, team: str) -> bool:
        """Whether it may act on alerts of ``team``; ``""``: of the company, or of no one team."""
        if self.role < Role.SUPERVISOR:
            return False
        return self.teams is None or team in self.teams


def rights(role: Role, teams: Iterable[str]) -> frozenset[str] | None:
    """Whose alerts somebody of this role acts on; None: everybody's."""
    return None if role >= Role.OPERATOR else frozenset(teams)


def caller_as(name: str, person: Person, settings: WebSettings) -> Caller:
    """Who is configured under ``name``."""
    role = Role[person.role.upper()]
    return Caller(
        name=name,
        role=role,
        teams=rights(role, person.teams),
        language=person.language or settings.language,
        zone=person.zone or settings.zone,
    )


class Tokens:
    """The tokens of a site; only their digests stay in memory.

    Raises:
        SecretError: a token is not where the configuration says.
        UsageError: it cannot serve as one.
    """

    def __init__(self, settings: WebSettings) -> None:
        self._known = tuple(
            (_digest(text), caller_as(name, settings.tokens[name], settings))
            for name, text in revealed(settings).items()
        )

    def caller(self, authorization: str) -> Caller | None:
        """Who sent this header; takes as long for every token, right or wrong."""
        scheme, _, shown = authorization.partition(" ")
        digest = _digest(shown.strip())
        found: Caller | None = None
        for known, caller in self._known:  # all of them, also after a match
            if hmac.compare_digest(known, digest):
                found = caller
        return found if scheme.lower() == "bearer" else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


class Allowance:
    """A bucket of requests that fills evenly, ``rate.count`` in each ``rate.per_ms``."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._left = float(rate.count)
        self._at_s: float | None = None

    def take(self, now_s: float) -> float:
        """Seconds until the next one may come; 0.0 when this one may, and is counted."""
        per_s = self._rate.count * 1000 / self._rate.per_ms
        if self._at_s is not None:
            self._left = min(self._rate.count, self._left + (now_s - self._at_s) * per_s)
        self._at_s = now_s
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / per_s if per_s else self._rate.per_ms / 1000


class Allowances:
    """One for each caller, and one for the strangers of each address.

    The least recent of too many is forgotten.
    """

    def __init__(self, rate: Rate, *, most: int = ALLOWANCES_MAX) -> None:
        self._rate = rate
        self._most = most
        self._of: OrderedDict[tuple[str, str], Allowance] = OrderedDict()

    def take(self, caller: Caller | None, address: str, now_s: float) -> float:
        """As :meth:`Allowance.take`."""
        key = ("", address) if caller is None else (caller.via, caller.name)
        allowance = self._of.pop(key, None) or Allowance(self._rate)
        self._of[key] = allowance
        if len(self._of) > self._most:
            self._of.popitem(last=False)
        return allowance.take(now_s)
