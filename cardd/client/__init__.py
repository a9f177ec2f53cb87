"""Clients of the socket, which know nothing of the daemon: `blocking` for scripts and tills, `aio` for event loops."""
