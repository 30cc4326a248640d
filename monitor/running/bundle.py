"""What a configuration judges by, as text that is kept with each checkpoint.

Owns the way there and back. A daemon that died and comes back with another configuration first
finishes what the old one had begun, under the old one (docs/semantics.md, 12); for that it needs
the old one, as it was loaded, whatever has become of the files since. Where things are read, kept
and sent is not part of it, so no password is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from monitor.errors import ConfigError
from monitor.sealed import plain
from monitor.site import Site, load_site

Bundle = dict[str, Any]

TODAYS: Final = (
    "source",
    "store",
    "checkpoint",
    "dead_letters",
    "exporter",
    "web",
    "ingest",
    "delivery",
    "telephony",
    "logs",
)
"""Sections that decide nothing: today's hold, whatever they were."""


def bundled(site: Site) -> Bundle:
    """What ``site`` judges by."""
    data = site.loaded.data
    rules = {file.path.parent: file.data for file in site.rule_files}
    return {
        "config": _text({name: value for name, value in data.items() if name not in TODAYS}),
        "packs": [
            {
                "name": file.path.parent.name,
                "indicators": _text(file.data),
                "rules": _text(rules.get(file.path.parent)),
            }
            for file in site.indicator_files
        ],
    }


def unbundled(bundle: Mapping[str, Any], *, today: Site, known_as: str) -> Site:
    """The site of a bundle, where today's is.

    Args:
        bundle: of :func:`bundled`.
        today: whose source, store and so on hold.
        known_as: the hash that it had.

    Raises:
        ConfigError: a program before this one understood it, and this one does not.
    """
    with tempfile.TemporaryDirectory(prefix="monitor-") as made:
        folder = Path(made)
        (folder / "config.yaml").write_text(bundle["config"], encoding="utf-8")
        packs = []
        for number, pack in enumerate(bundle["packs"]):
            # Two packs may have one name, in two places.
            home = folder / str(number) / Path(pack["name"]).name
            home.mkdir(parents=True)
            (home / "indicators.yaml").write_text(pack["indicators"], encoding="utf-8")
            if pack["rules"]:
                (home / "rules.yaml").write_text(pack["rules"], encoding="utf-8")
            packs.append(home)
        site = load_site(folder / "config.yaml", packs=packs)
    update = {name: getattr(today.config, name) for name in TODAYS}
    config = site.config.model_copy(update=update)
    return replace(site, config=config, hash=known_as)


def site_before(state: Mapping[str, Any], today: Site) -> Site | None:
    """The site that a checkpoint was written under; None when it cannot be had any more."""
    if "site" not in state:  # older programs kept none
        return None
    try:
        return unbundled(plain(state["site"]), today=today, known_as=state["config"])
    except (ConfigError, OSError):
        return None


def _text(data: Mapping[str, Any] | None) -> str:
    if data is None:
        return ""
    return str(yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True))
