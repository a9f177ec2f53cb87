"""The simulator's commands, one file each: `cardsim.cli` finds them here."""
