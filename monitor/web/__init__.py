"""The daemon's HTTP server for interfaces: who asks, what they may, and the bounds of it."""
