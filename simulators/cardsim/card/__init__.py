"""The card side of the rig: what a card answers, and nothing of how a reader asks."""
