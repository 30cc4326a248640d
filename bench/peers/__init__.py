"""The same job by others: one module each, which is its whole configuration.

They run under an interpreter of their own (``make peers``), so they import nothing of ours but
``bench.peers.task``, which needs the standard library alone.
"""
