"""The daemon's own trace: what was said to cards and what they answered, without secrets and people."""
