"""What a social security card has to do, as cases that any card can be put to (LD/T 6001.3; our own concretisation).

A case speaks through a link and knows of the card only what its issuer says of it: its keys and its PIN, as far as they
are known. So a card in a reader and a virtual card are judged alike, from outside.
"""
