"""The card as data: names, files, items, keys and value codecs (LD/T 32)."""
