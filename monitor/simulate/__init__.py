"""Realistic traffic with a truth that is known."""
