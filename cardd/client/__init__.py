"""Clients of the local socket."""
