"""A persona out of a trace: the recorded card's quirks, and somebody invented in the holder's place."""
