"""Who hears of a decision, and how it gets there."""
