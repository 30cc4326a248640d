"""The two configurations that are simulated.

Owns where they stand. ``EXACT`` leaves wall time nothing to decide: no partition is ever idle, and
telephony's silence is of no account.
"""

from __future__ import annotations

from pathlib import Path

from monitor.site import Site, load_site

_HERE = Path(__file__).parent
LIVE_PATH = _HERE / "live.yaml"
EXACT_PATH = _HERE / "exact.yaml"
LIVE: Site = load_site(LIVE_PATH)
EXACT: Site = load_site(EXACT_PATH)
