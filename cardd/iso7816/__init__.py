"""ISO 7816: commands, status words, TLV, answers to reset, the channel, and what a reader device can do."""
