"""The command line: a module for each command, and ``commands`` that lists them.

Owns the entry point alone, and imports nothing heavy: from its first line on, ctrl-c is quiet.
"""

import sys

from monitor.cli.interrupts import INTERRUPTED, quick_end


def main() -> None:
    """Entry point of the console script; ends with the exit status of the command."""
    try:
        with quick_end():
            from monitor.cli.root import start  # noqa: PLC0415 - what it needs takes a moment
        start()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
