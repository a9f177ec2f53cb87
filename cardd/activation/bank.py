"""The bank route: the identity document that was shown is held against the card, then the authority decides.

The document stands in the request from the beginning, so the states are those of one card alone; a document that is not
the holder's refuses before the authority is asked anything.
"""

from typing import Final

from cardd.activation.rows import of_one_card

BANK: Final = of_one_card()
