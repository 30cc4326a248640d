"""Watches a call centre live and acts while it matters."""
