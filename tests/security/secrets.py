"""Every place of the configuration that can hold a secret, found in the models themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from monitor.config import Config
from monitor.secret import Secret

_TELLING = ("secret", "token", "password", "credential", "api_key", "passphrase")


def secret_places() -> set[str]:
    """``source.security.sasl.password`` and so on; ``*`` where names are the site's own."""
    return set(_walk(Config, ()))


def _walk(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        place = (*above, name)
        kinds = set(_kinds(field.annotation))
        if kinds & {Secret, SecretStr} or any(word in name for word in _TELLING):
            yield ".".join(place)
            continue
        inside = ("*",) if "dict[" in str(field.annotation) else ()
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _walk(kind, (*place, *inside))


def _kinds(annotation: Any) -> Iterator[Any]:
    """The classes in an annotation, however deep."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for each in inner:
        yield from _kinds(each)
