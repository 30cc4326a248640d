"""What records mean: the catalogue, decoding into columns, dead letters, enrichment."""
