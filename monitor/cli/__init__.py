"""The command line: a module for each command, and ``commands`` that lists them.

Owns the entry point alone, and imports nothing heavy: from its first line on, ctrl-c is quiet.
"""

import gc
import os
import sys

from monitor.cli.interrupts import INTERRUPTED, quick_end


def main() -> None:
    """Entry point of the console script; ends with the exit status of the command."""
    # Customers' numbers are in what we write: nobody but owner and group, whatever the shell says.
    os.umask(os.umask(0o077) | 0o007)
    try:
        with quick_end():
            from monitor.cli.root import start  # noqa: PLC0415 - what it needs takes a moment
        start()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        gc.freeze()  # the interpreter's last collections would look through all that was loaded
