"""What a social security card has to do, as cases that any card can be put to (LD/T 6001.3; our own concretisation).

A case speaks through a channel and knows of the card only its keys and its PIN. Nothing of the virtual card is used, so
that it is judged from outside like any other card.
"""
