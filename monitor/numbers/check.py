"""What is wrong with guards of pools that name rules: a rule that is not there says nothing.

Owns the checks of ``pools:`` against the rules that are on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from monitor.indicators.findings import Finding, near
from monitor.numbers.settings import PoolsSettings
from monitor.rules.model import Rule


def check_pools(pools: PoolsSettings, rules: Collection[Rule]) -> Iterator[Finding]:
    """Faults of ``inhibited_by``; ``loc`` begins at the top of the configuration."""
    known = {rule.id: rule for rule in rules}
    parts = {"defaults": pools.defaults.inhibited_by}
    parts |= {name: pool.inhibited_by or () for name, pool in pools.pools.items()}
    for pool, names in parts.items():
        for index, name in enumerate(names):
            loc = ("pools", pool, "inhibited_by", index)
            rule = known.get(name)
            if rule is None:
                yield Finding(loc, f"no rule '{name}'", near(name, known))
            elif rule.by != ("campaign",):
                hint = "a pool bears the name of its campaign: name a rule by campaign alone"
                yield Finding(loc, f"'{name}' is by {', '.join(rule.by)}", hint)
