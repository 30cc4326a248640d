"""Customers nobody may call: what puts them on the list, and who asks."""
