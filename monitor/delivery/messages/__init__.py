"""What people read: facts of a decision, put into words by templates."""
