"""The systems that carry out suspensions: commands out, answers in."""
