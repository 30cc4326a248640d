"""``python -m monitor``: the console script without its name on the path."""

from monitor.cli import main

main()
