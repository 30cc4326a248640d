"""The running daemon, put together; ``daemon`` is the page to begin with."""
