"""A run of the daemon: from taking up where the last one ended to the last checkpoint."""
