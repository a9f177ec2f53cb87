"""The messages of the local socket and their framing."""
