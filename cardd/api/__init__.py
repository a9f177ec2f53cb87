"""The local socket: rights, subscriptions, methods."""
