"""One sender for each kind of receiver."""
