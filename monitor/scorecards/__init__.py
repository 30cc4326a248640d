"""Performance pay: cards written in YAML, worked out exactly, explained down to the events.

Owns cards, their language, the sums they are worked out from and what comes of them. It reads no
log: ``monitor.tally`` does.
"""
