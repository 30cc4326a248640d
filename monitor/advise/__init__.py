"""What a rule's own history says of its thresholds, its evidence and its volume."""
