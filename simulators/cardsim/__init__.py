"""cardsim: virtual cards, readers and people to test card software with."""
