"""Who is told of which alert, when, and how often: decided by the delivery side, on its clock."""
