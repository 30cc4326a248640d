"""One daemon, one virtual clock, and everything around it fails: replayable by a seed's number.

docs/reliability.md, "Simulation", says what is simulated and what is compared.
"""
