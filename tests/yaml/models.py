"""A model with every construct that packs use, so that strict YAML is tested on its own."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from monitor.errors import ConfigError, Problem
from monitor.strict_yaml import Loaded, loads_yaml
from monitor.units import DurationMs, Threshold


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Count(Part):
    count: str
    where: str | None = None


class Sum(Part):
    sum: str
    on: str
    where: str | None = None


class Calendar(Part):
    calendar: Literal["day", "week"]
    tz: str


class Sequential(Part):
    method: Literal["sequential"]
    false_alarms: str = ""


class Raw(Part):
    method: Literal["raw"]
    min_of: int = Field(ge=1)


class Better(StrEnum):
    LOWER = "lower"
    HIGHER = "higher"


def _not_empty(value: Any) -> Any:
    if value == "":
        msg = "says nothing"
        raise ValueError(msg)
    return value


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Levels(Part):
    warn: Threshold | None = None
    crit: Threshold | None = None

    @model_validator(mode="after")
    def _some(self) -> Levels:
        if self.warn is None and self.crit is None:
            msg = "a rule needs a level"
            raise ValueError(msg)
        return self


class Item(Part):
    id: str
    status: Literal["active", "shadow", "off"] = "active"
    window: DurationMs | Calendar | None = None
    hits: Count | Sum | None = None
    evidence: Annotated[Sequential | Raw, Field(discriminator="method")] | None = None
    levels: Levels | None = None
    by: tuple[str, ...] = ()
    only: Annotated[tuple[str, ...], BeforeValidator(_list)] = ()
    n: int = 0
    share: float = 0.0
    flag: bool = False
    at: datetime | None = None
    better: Better = Better.LOWER
    text: Annotated[str, BeforeValidator(_not_empty)] = "x"
    titles: dict[Literal["en", "zh"], str] = Field(default_factory=dict)
    extra: dict[str, int] = Field(default_factory=dict)
    either: int | str = 0


class File(Part):
    version: Literal[1] = 1
    items: tuple[Item, ...] = ()
    on: str = ""
    route: str = ""


PATH = Path("a/b.yaml")


def load(text: str) -> Loaded[File]:
    return loads_yaml(text, PATH, File)


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return caught.value.problems


def told(text: str) -> list[str]:
    """Problems without the file's name, which all of them share."""
    return [str(problem).removeprefix("a/b.yaml:") for problem in problems(text)]


def item(body: str) -> str:
    """A file with one item; the body's first line is line 4."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"version: 1\nitems:\n  - id: one\n{lines}"
