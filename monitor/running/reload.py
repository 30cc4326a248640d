"""A new configuration while the daemon runs: whole, or not at all.

Owns the order: read and checked first, journaled, then put in place between two steps.
"""

from __future__ import annotations

import structlog

from monitor.assembly import build_judges, open_router, widen_pending
from monitor.errors import ConfigError, LeaseLost, StoreError
from monitor.running.parts import Parts
from monitor.site import Site, load_site

log = structlog.get_logger(__name__)


def reload(parts: Parts) -> bool:
    """Read the configuration again; what is wrong with it changes nothing, and is logged.

    Raises:
        LeaseLost: another daemon is the active one.
    """
    try:
        site = load_site(parts.path)
        changed = parts.site.only_by_restart(site)
        if changed:
            refuse(parts, f"restart to change {', '.join(changed)}")
            return False
        parts.store.journal.append("reload", max(parts.engine.judged, 0), {"hash": site.hash})
    except LeaseLost:
        raise
    except (ConfigError, OSError, StoreError) as error:
        refuse(parts, str(error))
        return False
    _take_over(parts, site)
    parts.stats.reloads["ok"] += 1
    log.info("reloaded", config=site.hash, rules=len(site.rules))
    return True


def refuse(parts: Parts, why: str) -> None:
    """Say that the configuration stays as it is."""
    log.warning("reload_refused", detail=why)
    parts.stats.reloads["refused"] += 1


def _take_over(parts: Parts, site: Site) -> None:
    engine, config, telephony = parts.engine, site.config, parts.telephony
    judges = build_judges(
        site,
        covered_from=parts.new_from(),
        desk=engine.judges.desk,
        answers=telephony.answers,
    )
    engine.replace(judges)
    for rule, until in judges.rules.still_heard():
        log.warning("rule_gone_numbers_wait", rule=rule, until=until)
    widen_pending(engine)
    parts.recorder.router = open_router(site, telephony, parts.systems)
    parts.recorder.ack_timeout_ms = config.numbers.ack_timeout
    parts.site = site
    parts.reloaded(site)
