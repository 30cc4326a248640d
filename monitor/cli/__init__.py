"""The command line: one module for each command, put together in ``main``."""

from monitor.cli.main import main

__all__ = ["main"]
