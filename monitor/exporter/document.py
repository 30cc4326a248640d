"""``docs/metrics.md`` from the catalogue.

Made by ``python -m monitor.exporter.document > docs/metrics.md``.
Owns the page's text; a test keeps the committed page equal to :func:`render`.
"""

from __future__ import annotations

import sys

from monitor.exporter.catalogue import CATALOGUE, INGEST, LABEL_DIMENSIONS, MetricSpec

_HEAD = """# Metrics

<!-- Made by `python -m monitor.exporter.document`; a test keeps it true. Do not edit by hand. -->

`/metrics` speaks the Prometheus text format and OpenMetrics 1.0.0, compressed where the scraper
asks for it. Figures are read from the engine's last published step at each scrape. Names beginning
with `callcentre_` are about the centre, with `monitor_` about the daemon; `process_…` and
`python_gc_…` come from the client library.

Rules that hold for all of them:

- Times are Unix timestamps in seconds, so an age is `time() - …_timestamp_seconds` and keeps
  growing when the daemon hangs.
- Counters whose label values are known begin at 0, so `increase()` counts the first event too.
- **Customers are never a label**, and neither are pairs of dimensions. Each list is bounded
  (`exporter.keys_max`, `series_max`, `rows_max`); what a bound left out is counted in
  `callcentre_indicator_keys_dropped` and `monitor_exporter_dropped_series`.

## Windowed figures

A figure carries `indicator`, `window` (as written in the pack), `scope` (the dimension), and that
dimension's own label with the key:

```promql
callcentre_indicator_ratio{indicator="hangup_rate", window="30m", scope="team", team="team-1"}
```

Keys that find the scope's table full (`limits.keys_per_scope`) are counted together, in one more
series: its key is `other`, and it alone carries `bucket="other"`, so a team that is really called
`other` is another series. No rule judges it, and an indicator that counts different values has
none. With it sums are whole whatever overflows; `{bucket=""}` leaves it out.

To aggregate over keys, divide sums; never average ratios:

```promql
  sum(callcentre_indicator_hits{indicator="hangup_rate", window="30m", scope="number"})
/ sum(callcentre_indicator_of{indicator="hangup_rate", window="30m", scope="number"})
```

The agents of one team, and a figure next to its target:

```promql
callcentre_indicator_ratio{indicator="hangup_rate", window="30m", scope="agent"}
  and on (agent) callcentre_agent_info{team="team-1"}

callcentre_indicator_ratio{window="30m", scope="team"}
  > on (indicator) group_left () callcentre_indicator_target
```
"""


def render() -> str:
    """The whole page."""
    domain = [spec for spec in CATALOGUE if spec.name.startswith("callcentre_")]
    daemon = [spec for spec in CATALOGUE if spec.name.startswith("monitor_")]
    keys = ", ".join(f"`{name}`" for name in LABEL_DIMENSIONS)
    return "\n".join(
        [
            _HEAD,
            "## The centre",
            "",
            f"*key* in a label list is the label of the scope's own dimension: {keys}.",
            "",
            *_table(domain),
            "",
            "## The daemon",
            "",
            *_table(daemon),
            "",
            "## The receiver of webhooks",
            "",
            "`monitor ingest` is a process of its own, with `/metrics` at `ingest.exporter`.",
            "",
            *_table(list(INGEST)),
            "",
        ]
    )


def _table(specs: list[MetricSpec]) -> list[str]:
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for spec in specs:
        labels = [f"`{label}`" for label in spec.labels] + (["*key*"] if spec.scoped else [])
        rows.append(f"| `{spec.name}` | {spec.kind.value} | {', '.join(labels)} | {spec.help} |")
    return rows


if __name__ == "__main__":
    sys.stdout.write(render())
