"""Benchmarks: how fast, and why not faster. ``python -m bench`` runs the throughput one."""
