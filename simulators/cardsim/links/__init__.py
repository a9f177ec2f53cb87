"""Ways for a virtual card to lie in a reader: a vpcd port, a socket of our own, the same process."""
