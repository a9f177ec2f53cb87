"""The hospital route: a visit is registered with the card in; if it is the first one, it activates the card.

Who the card says it belongs to is told whatever the authority says, and also where it says nothing.
"""

from typing import Final

from cardd.activation.rows import of_one_card

HOSPITAL: Final = of_one_card()
