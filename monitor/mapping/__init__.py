"""Other systems' records as our events, by mappings that are written in YAML."""
