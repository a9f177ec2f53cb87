"""Stations, readers, insertions and the worker behind each reader. Knows no card."""
