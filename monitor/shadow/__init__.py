"""What rules in shadow would have done, next to what happened after."""
