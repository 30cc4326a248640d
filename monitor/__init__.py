"""Watches a call centre live and acts while it matters."""

import os

# polars gives memory back to the system half a second after it was last used, and a daemon that
# catches up asks for it again at once: the system clears every page. Read when polars is imported,
# which is why it stands here; the same for what is not polars' own: monitor.running.heap.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:10000")
