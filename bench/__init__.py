"""Benchmarks: how fast, and why not faster. ``python -m bench`` runs the throughput one."""

import monitor as monitor  # before polars, which reads at its import what the product sets
