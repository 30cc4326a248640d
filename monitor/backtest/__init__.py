"""What a rule set would have done on recorded events: figures, reports, comparisons."""
