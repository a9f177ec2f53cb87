"""The WebSocket gateway: browser pages are let in by a loopback port, and are clients of the socket from there on."""
