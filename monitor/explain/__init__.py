"""What the hits behind an alert have in common, and the records they came from; decides nothing."""
