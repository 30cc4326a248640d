"""Figures for Prometheus, read at scrape."""
