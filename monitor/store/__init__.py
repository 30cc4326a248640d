"""What must survive: decisions, outbox, journal, checkpoints."""
