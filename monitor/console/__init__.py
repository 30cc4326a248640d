"""The pages that people look at: boards, alerts, numbers, rules, the daemon's health.

Owns templates, words and static files. Every figure comes from the functions of the interface, and
every act goes through it: there is nothing here that a program could not ask for.
"""
