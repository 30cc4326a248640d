"""The ``exporter:`` part of ``config.yaml``.

Owns the model and the reading of the token; who listens is ``server.py``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from monitor.errors import UsageError
from monitor.events.batch import PRIVATE_DIMENSIONS
from monitor.exporter.catalogue import LABEL_DIMENSIONS
from monitor.units import DurationMs

TOKEN_CHARS_MIN = 16


def _dimension(name: str) -> str:
    if name in PRIVATE_DIMENSIONS:
        msg = f"{name} is personal data and never becomes a label"
        raise ValueError(msg)
    if name not in LABEL_DIMENSIONS:
        msg = f"{name!r} is not a dimension; choose from {', '.join(LABEL_DIMENSIONS)}"
        raise ValueError(msg)
    return name


class ExporterSettings(BaseModel):
    """Where figures are served, to whom, and how many of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    host: str = Field("127.0.0.1", min_length=1, max_length=253)
    """Beyond loopback only together with a token."""
    port: int = Field(9108, ge=0, le=65535)
    """0: any free port, which the server then tells."""
    scopes: tuple[Annotated[str, AfterValidator(_dimension)], ...] = LABEL_DIMENSIONS
    """The dimensions whose figures are exported; customers and pairs never are."""
    keys_max: int = Field(500, ge=1, le=100_000)
    """Most keys for each indicator, scope and window; the worst are kept."""
    series_max: int = Field(50_000, ge=0, le=1_000_000)
    """Most indicator series in a scrape."""
    rows_max: int = Field(5_000, ge=1, le=100_000)
    """Most single alerts, numbers out of service and agents."""
    token_env: str | None = Field(None, min_length=1, max_length=100)
    """Name of the environment variable that holds the bearer token."""
    token_file: Path | None = None
    """File that holds the bearer token."""
    threads: int = Field(8, ge=1, le=64)
    """Requests answered at once; one more is told to come back."""
    timeout: DurationMs = Field(10_000, ge=100)
    """A request that takes longer is cut off."""
    stalled_after: DurationMs = Field(60_000, ge=1_000)
    """An engine that has not published a step for so long counts as hung."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.token_env is not None and self.token_file is not None:
            msg = "token_env and token_file exclude each other"
            raise ValueError(msg)
        named = self.token_env is not None or self.token_file is not None
        if not named and not is_loopback(self.host):
            msg = f"host {self.host} is open to others: set token_file or token_env"
            raise ValueError(msg)
        return self


def is_loopback(host: str) -> bool:
    """Only this machine can reach ``host``; a name other than ``localhost`` may be anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(settings: ExporterSettings, environ: Mapping[str, str]) -> str | None:
    """The bearer token that requests must show, or None when none is asked for.

    Raises:
        UsageError: it is configured, but not there, too short, or not printable ASCII.
    """
    if settings.token_file is not None:
        where = str(settings.token_file)
        try:
            token = settings.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"exporter.token_file: cannot read {where}: {error}"
            raise UsageError(msg) from error
    elif settings.token_env is not None:
        where = f"${settings.token_env}"
        token = environ.get(settings.token_env, "").strip()
    else:
        return None
    if len(token) < TOKEN_CHARS_MIN or not all("!" <= char <= "~" for char in token):
        msg = f"exporter: {where} must hold at least {TOKEN_CHARS_MIN} printable ASCII characters"
        raise UsageError(msg)
    return token
