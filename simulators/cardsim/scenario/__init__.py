"""Scenarios: people, cards and faults at counters, what is done with them, and what must come of it."""
