"""A configuration with the packs it names: what a daemon runs on, checked as a whole.

Owns finding the packs, laying ``override:`` over them, and the fingerprint of it all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel

from monitor.archive.tokens import Tokens
from monitor.config import DEFAULT_PATH, Config
from monitor.errors import ConfigError, Problem, SecretError
from monitor.events.do_not_call import DoNotCall, TooManyEntriesError, read_list
from monitor.indicators.check_funnel import names_of
from monitor.indicators.funnel import expanded
from monitor.indicators.load import load_indicators, loads_indicators
from monitor.indicators.model import Indicator, IndicatorFile
from monitor.mapping.configured import of_site
from monitor.mapping.load import LoadedMapping
from monitor.numbers import inventory
from monitor.numbers.check import check_pools
from monitor.rules.load import load_rules, loads_rules
from monitor.rules.model import Rule, RulesFile
from monitor.strict_yaml import Loaded, load_yaml, loads_yaml

M = TypeVar("M", bound=BaseModel)

_AT_ONCE = 50_000
"""Customers of lists whose tokens are made at once."""
SHIPPED_PACKS = Path(__file__).resolve().parent.parent / "rules"
"""In a checkout; an installed wheel carries them as ``monitor/packs``."""


@dataclass(frozen=True, slots=True)
class Site:
    """A configuration with its packs; everything in it has been checked."""

    config: Config
    loaded: Loaded[Config]
    indicators: tuple[Indicator, ...]
    rules: tuple[Rule, ...]
    rule_files: tuple[Loaded[RulesFile], ...]
    indicator_files: tuple[Loaded[IndicatorFile], ...]
    files: tuple[Path, ...]
    """All files read, the configuration first where there is one."""
    do_not_call: DoNotCall
    """The lists that the configuration names."""
    mappings: dict[str, LoadedMapping]
    """The site's own, and those that its topics are read by; by name."""
    hash: str
    """BLAKE2b-64 over the bytes of all files, hex."""

    @property
    def packs_of_rules(self) -> dict[str, str]:
        """The name of its pack by rule."""
        return {
            rule.id: file.path.parent.name for file in self.rule_files for rule in file.value.rules
        }

    @property
    def places(self) -> dict[str, tuple[str, str]]:
        """Group and team by agent, as the configuration says."""
        return {
            agent: (group, team)
            for team, groups in self.config.events.organisation.items()
            for group, agents in groups.items()
            for agent in agents
        }

    def only_by_restart(self, new: Site) -> list[str]:
        """What differs in ``new`` and a running daemon cannot take over.

        Rows that wait to be judged were read by the mappings there are.
        """
        changed = self.config.only_by_restart(new.config)
        if {name: each.file.data for name, each in self.mappings.items()} != {
            name: each.file.data for name, each in new.mappings.items()
        }:
            changed.append("files of mappings")
        return changed


def load_site(
    path: Path | None, *, packs: Iterable[Path] | None = None, text: str = "version: 1\n"
) -> Site:
    """Read, check and put together a configuration and its packs.

    Args:
        path: ``config.yaml``; None: ``text``, which is the embedded defaults.
        packs: folders to take instead of the configuration's own packs.
        text: a configuration that is in no file.

    Raises:
        ConfigError: with every problem of the first stage that has any: configuration,
            indicators, rules.
    """
    loaded = loads_yaml(text, DEFAULT_PATH, Config) if path is None else load_yaml(path, Config)
    config = loaded.value
    folders = _folders(loaded, path) if packs is None else [Path(pack) for pack in packs]
    problems = [
        loaded.problem(("delivery", *fault.loc), fault.message, fault.hint)
        for fault in config.delivery.faults()
    ]
    _raise(problems)
    do_not_call = _lists(loaded)
    pools, listed = inventory.laid_over(config.pools, config.numbers)
    config = config.model_copy(update={"pools": pools}) if listed else config
    mappings = of_site(loaded, config.mappings, config.events.limits)
    tick_ms = config.time.tick
    overlay = _Overlay(loaded)
    indicator_files = _each(
        (folder / "indicators.yaml" for folder in folders),
        lambda file: overlay.indicators(file, tick_ms),
    )
    indicators = expanded(i for file in indicator_files for i in file.value.indicators)
    doubles = _doubles(
        indicator_files, lambda file: map(names_of, file.value.indicators), "indicators"
    )
    _raise(doubles)
    rule_files = _each(
        (folder / "rules.yaml" for folder in folders if (folder / "rules.yaml").exists()),
        lambda file: overlay.rules(file, indicators),
    )
    _raise(_doubles(rule_files, lambda file: [(r.id,) for r in file.value.rules], "rules"))
    if packs is None:  # an override may be for a pack that is not looked at now
        _raise(overlay.unused())
        rules = [rule for file in rule_files for rule in file.value.rules]
        found = check_pools(config.pools, rules)
        _raise([loaded.problem(each.loc, each.message, each.hint) for each in found])
    files = [*(file.path for file in indicator_files), *(file.path for file in rule_files)]
    files = [*([] if path is None else [path]), *files, *config.do_not_call.files, *listed]
    files += [mapping.file.path for mapping in mappings.values()]
    return Site(
        config=config,
        loaded=loaded,
        indicators=indicators,
        rules=tuple(rule for file in rule_files for rule in file.value.rules),
        rule_files=tuple(rule_files),
        indicator_files=tuple(indicator_files),
        files=tuple(files),
        do_not_call=do_not_call,
        mappings=mappings,
        hash=_hash(files),
    )


class _Overlay:
    """``override:`` of a configuration, and which of it has been used."""

    def __init__(self, loaded: Loaded[Config]) -> None:
        self._loaded = loaded
        self._override = loaded.value.override
        self._used: set[tuple[str, str]] = set()

    def indicators(self, path: Path, tick_ms: int) -> Loaded[IndicatorFile]:
        """The file with the overrides of its indicators laid over it."""
        return self._lay(
            load_yaml(path, IndicatorFile),
            "indicators",
            self._override.indicators,
            lambda: load_indicators(path, tick_ms=tick_ms),
            lambda text: loads_indicators(text, path, tick_ms=tick_ms),
        )

    def rules(self, path: Path, indicators: tuple[Indicator, ...]) -> Loaded[RulesFile]:
        """The file with the overrides of its rules laid over it."""
        return self._lay(
            load_yaml(path, RulesFile),
            "rules",
            self._override.rules,
            lambda: load_rules(path, indicators),
            lambda text: loads_rules(text, path, indicators),
        )

    def unused(self) -> list[Problem]:
        """Overrides of ids that no pack has."""
        return [
            self._loaded.problem(
                ("override", part, name),
                f"no pack that is on has {part[:-1]} {name!r}",
                "see `monitor check --json` for the ids there are",
                at_key=True,
            )
            for part in ("indicators", "rules")
            for name in getattr(self._override, part)
            if (part, name) not in self._used
        ]

    def _lay(
        self,
        file: Loaded[M],
        part: str,
        values: dict[str, dict[str, Any]],
        load: Callable[[], Loaded[M]],
        reload: Callable[[str], Loaded[M]],
    ) -> Loaded[M]:
        """``file``, of which only the form is checked, with its overrides; then checked as a whole.

        It still knows where its own values stand.
        """
        entries = [dict(entry) for entry in file.data[part]]
        mine = [entry["id"] for entry in entries if entry["id"] in values]
        if not mine:
            return load()
        self._used.update((part, name) for name in mine)
        merged = [_merge(entry, values.get(entry["id"], {})) for entry in entries]
        text = yaml.safe_dump({**file.data, part: merged}, sort_keys=False, allow_unicode=True)
        try:
            return replace(file, value=reload(text).value)
        except ConfigError as error:
            theirs = [p for p in _problems(load) if p.owner not in mine]
            ours = [p for p in error.problems if p.owner in mine or not theirs]
            raise ConfigError(
                [*theirs, *(self._at_override(part, mine, p) for p in ours)]
            ) from error

    def _at_override(self, part: str, mine: list[str], problem: Problem) -> Problem:
        name = problem.owner if problem.owner in mine else mine[0]
        return self._loaded.problem(
            ("override", part, name), problem.message, problem.hint, owner=name
        )


def _problems(load: Callable[[], object]) -> list[Problem]:
    try:
        load()
    except ConfigError as error:
        return error.problems
    return []


def _merge(base: Any, over: Any) -> Any:
    """``over`` laid over ``base``: mappings key by key, everything else as a whole."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    merged = dict(base)
    for key, value in over.items():
        merged[key] = _merge(base[key], value) if key in base else value
    return merged


def _folders(loaded: Loaded[Config], path: Path | None) -> list[Path]:
    config = loaded.value
    beside = (path or DEFAULT_PATH).parent
    roots = (
        [beside / config.rules_dir]
        if config.rules_dir is not None
        else [beside / "rules", SHIPPED_PACKS, Path(__file__).resolve().parent / "packs"]
    )
    found: list[Path] = []
    problems: list[Problem] = []
    for index, name in enumerate(config.packs):
        here = [root / name for root in roots if (root / name / "indicators.yaml").is_file()]
        if here:
            found.append(here[0])
        else:
            known = sorted(
                {p.parent.name for root in roots for p in root.glob("*/indicators.yaml")}
            )
            where = " and ".join(map(str, roots))
            hint = f"in {where} there are: {', '.join(known) or 'none'}"
            problems.append(loaded.problem(("packs", index), f"no pack {name!r}", hint))
    _raise(problems)
    return found


def _lists(loaded: Loaded[Config]) -> DoNotCall:
    """The customers of ``do_not_call.files``.

    Raises:
        ConfigError: a file cannot be read, or they hold too many.
    """
    customers: list[str] = []
    problems: list[Problem] = []
    for index, path in enumerate(loaded.value.do_not_call.files):
        loc = ("do_not_call", "files", index)
        try:
            customers += read_list(path)
        except OSError as error:
            problems.append(loaded.problem(loc, f"{path}: {error.strerror}", "one customer a line"))
        except ValueError:
            problems.append(loaded.problem(loc, f"{path} is not UTF-8", "save it as UTF-8"))
    _raise(problems)
    try:
        return DoNotCall(customers, loaded.value.events, _tokens_of_lists(loaded.value))
    except TooManyEntriesError as error:
        raise ConfigError([loaded.problem(("do_not_call", "files"), str(error))]) from error


def _tokens_of_lists(config: Config) -> Callable[[], Iterator[Iterable[str]]] | None:
    """What makes the tokens of those on the lists, for events of an archive without customers."""
    if config.archive.key is None or not config.do_not_call.files:
        return None

    def tokens() -> Iterator[Iterable[str]]:
        try:
            made = Tokens(config.archive.secret(), config.events)
        except SecretError:  # whoever has no key is told so: monitor.archive.lost
            return
        for path in config.do_not_call.files:
            names = read_list(path)
            for begin in range(0, len(names), _AT_ONCE):
                yield made.of(names[begin : begin + _AT_ONCE]).values()

    return tokens


def _each(files: Iterable[Path], load: Callable[[Path], Loaded[M]]) -> list[Loaded[M]]:
    """All files loaded; the problems of all of them together."""
    loaded: list[Loaded[M]] = []
    problems: list[Problem] = []
    for file in files:
        try:
            loaded.append(load(file))
        except ConfigError as error:
            problems += error.problems
    _raise(problems)
    return loaded


def _doubles(
    files: Iterable[Loaded[M]],
    taken: Callable[[Loaded[M]], Iterable[tuple[str, ...]]],
    part: str,
) -> list[Problem]:
    """Ids that two packs claim; ``taken`` gives those of each entry."""
    where: dict[str, Path] = {}
    problems: list[Problem] = []
    for file in files:
        for index, ids in enumerate(taken(file)):
            for name in ids:
                other = where.setdefault(name, file.path)
                if other != file.path:
                    message = f"{name!r} stands in {other} too"
                    place = (part, index, "id")
                    problems.append(file.problem(place, message, "rename one of them"))
    return problems


def _hash(files: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise ConfigError(problems)
