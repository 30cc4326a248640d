"""A secret in the configuration: passwords, and addresses that hold one.

Owns the three places it may come from; the file itself, an environment variable or a file of its
own. It is read when it is needed and never printed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from monitor.errors import SecretError


class Secret(BaseModel):
    """A secret, from exactly one of three places."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        # As of a SecretStr itself: what stands here is never quoted, not even when it is wrong.
        json_schema_extra={"writeOnly": True},
    )

    value: SecretStr | None = None
    """The secret itself; better not in a file that is kept in version control."""
    env: str | None = None
    """Name of the environment variable that holds it."""
    file: Path | None = None
    """Path of a file that holds it; white space at its end is not part of it."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in ("value", "env", "file") if getattr(self, name) is not None]
        if len(given) != 1:
            msg = "give exactly one of value, env and file"
            raise ValueError(msg)
        return self

    def reveal(self) -> str:
        """The secret in clear, read now.

        Raises:
            SecretError: the variable is not set, or the file cannot be read.
        """
        if self.value is not None:
            return self.value.get_secret_value()
        if self.env is not None:
            found = os.environ.get(self.env)
            if found is None:
                msg = f"the environment variable {self.env} is not set"
                raise SecretError(msg)
            return found
        try:
            return Path(str(self.file)).read_text(encoding="utf-8").rstrip()
        except (OSError, UnicodeDecodeError) as fault:
            msg = f"the secret in {self.file} cannot be read: {fault}"
            raise SecretError(msg) from fault


def _checked_url(url: SecretStr) -> SecretStr:
    # The text of the fault must not hold the address: its path is often a token.
    try:
        parts = urlsplit(url.get_secret_value())
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise PydanticCustomError(
            "url", "{fault}", {"fault": "is not an address", "hint": "write https://host/path"}
        )
    return url


Url = Annotated[SecretStr, AfterValidator(_checked_url)]
"""An http(s) address; kept out of logs and errors, as paths and queries often hold tokens."""
