"""The mappings that a configuration names.

Owns finding and checking them against the rest of it; where files lie is ``find``.
"""

from __future__ import annotations

from typing import Any

from monitor.errors import ConfigError, Problem
from monitor.events.settings import RecordLimits
from monitor.mapping.find import shipped, unknown
from monitor.mapping.load import LoadedMapping, load_mapping, unknown_settings
from monitor.mapping.settings import MappingSettings
from monitor.strict_yaml import Loaded


def of_site(
    loaded: Loaded[Any], settings: MappingSettings, limits: RecordLimits
) -> dict[str, LoadedMapping]:
    """The mappings of ``files``, and the shipped ones that topics are read by; by name.

    Args:
        loaded: the configuration, which has ``settings`` under ``mappings``.
        settings: what it says.
        limits: of a record.

    Raises:
        ConfigError: a file is wrong, or a name is nobody's.
    """
    found, problems = _own(loaded, settings, limits)
    known = shipped()
    for topic, name in settings.topics.items():
        if name in found:
            continue
        if name in known:
            found[name] = load_mapping(known[name], settings.settings.get(name), limits)
        elif not problems:
            message, _, hint = unknown(name, found).partition("; ")
            problems.append(loaded.problem(("mappings", "topics", topic), message, hint))
    if not problems:  # what could not be loaded is not missing
        problems += _settings(loaded, settings, found)
    if problems:
        raise ConfigError(problems)
    return found


def _own(
    loaded: Loaded[Any], settings: MappingSettings, limits: RecordLimits
) -> tuple[dict[str, LoadedMapping], list[Problem]]:
    found: dict[str, LoadedMapping] = {}
    problems: list[Problem] = []
    for index, path in enumerate(settings.files):
        try:
            made = load_mapping(path, limits=limits)
            name = made.name
            if name in settings.settings:
                made = load_mapping(path, settings.settings[name], limits)
        except ConfigError as error:
            problems += error.problems
            continue
        if found.setdefault(name, made) is not made:
            message = f"{name!r} stands in {found[name].file.path} too"
            place = ("mappings", "files", index)
            problems.append(loaded.problem(place, message, "rename one of them"))
    return found, problems


def _settings(
    loaded: Loaded[Any], settings: MappingSettings, found: dict[str, LoadedMapping]
) -> list[Problem]:
    """Settings of mappings, or for mappings, that are not there."""
    problems: list[Problem] = []
    for name, values in settings.settings.items():
        place = ("mappings", "settings", name)
        if name not in found:
            message, hint = f"no mapping {name!r} is in use", "see mappings.topics and .files"
            problems.append(loaded.problem(place, message, hint, at_key=True))
            continue
        for key, hint in unknown_settings(found[name].file.value, values):
            message = f"{name} has no setting {key!r}"
            problems.append(loaded.problem((*place, key), message, hint, at_key=True))
    return problems
