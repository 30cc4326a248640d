"""Passwords of local users: made into a hash, compared with it, and what one must be like.

Owns the parameters (argon2id, of RFC 9106 the choice for little memory: 64 MiB, three passes).
Whoever is not known takes as long as whoever is.
"""

from __future__ import annotations

import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

CHARS_MIN: Final = 12
CHARS_MAX: Final = 256
PARAMETERS: Final = {"time_cost": 3, "memory_cost": 65_536, "parallelism": 4}
"""Passes, KiB and lanes; hashes with others are made anew when their users sign in."""


def unfit(name: str, password: str) -> str:
    """What is the matter with a password, in words; empty when it can serve."""
    if not CHARS_MIN <= len(password) <= CHARS_MAX:
        return f"a password has {CHARS_MIN} to {CHARS_MAX} characters"
    if name and name.lower() in password.lower():
        return "a password does not hold the user's name"
    if len(set(password)) < 5:
        return "a password has five different characters at least"
    return ""


class Passwords:
    """Hashes and compares; any thread may use it."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=PARAMETERS["time_cost"],
            memory_cost=PARAMETERS["memory_cost"],
            parallelism=PARAMETERS["parallelism"],
        )
        self._nobodys = ""
        self._lock = threading.Lock()

    def hash(self, password: str) -> str:
        """What is kept of it, parameters and salt among it."""
        return self._hasher.hash(password)

    def right(self, kept: str | None, password: str) -> bool:
        """Whether it is the one; ``kept`` None (nobody of that name): never, as slowly."""
        with self._lock:  # before the first comparison of either kind
            self._nobodys = self._nobodys or self._hasher.hash("nobody's password")
        try:
            self._hasher.verify(kept or self._nobodys, password)
        except (Argon2Error, InvalidHashError):
            return False
        return bool(kept)

    def outdated(self, kept: str) -> bool:
        """Whether it was made with other parameters than are asked for now."""
        return self._hasher.check_needs_rehash(kept)
