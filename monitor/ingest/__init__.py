"""Webhooks of other systems, kept before they are answered."""
