"""Incidents: what went on in one activation in the field, rebuilt as a scenario with invented people."""
