"""Where mappings are: the site's own files, then those that ship with the product.

Owns the order: a name that the site has is the site's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from monitor.errors import UsageError
from monitor.mapping.load import LoadedMapping, load_mapping

_HERE = Path(__file__).resolve().parent
_PLACES = (_HERE.parent.parent / "mappings", _HERE / "shipped")
"""In a checkout; in an installed wheel."""


def shipped() -> dict[str, Path]:
    """The files that ship with the product, by name of the mapping."""
    for place in _PLACES:
        found = {path.stem: path for path in sorted(place.glob("*.yaml"))}
        if found:
            return found
    return {}


def meant(
    name: str, own: Mapping[str, LoadedMapping], settings: Mapping[str, str] | None = None
) -> LoadedMapping:
    """The mapping of a name, or of a file's path.

    Raises:
        UsageError: there is none.
        ConfigError: the file is wrong.
    """
    if name in own and not settings:
        return own[name]
    if name in own:
        return load_mapping(own[name].file.path, settings)
    paths = shipped()
    if name in paths:
        return load_mapping(paths[name], settings)
    if name.endswith((".yaml", ".yml")):
        return load_mapping(Path(name), settings)
    raise UsageError(unknown(name, own))


def unknown(name: str, own: Iterable[str]) -> str:
    """The message for a name that no mapping has, with what may have been meant."""
    known = sorted({*own, *shipped()})
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"no mapping '{name}'; {hint}"
