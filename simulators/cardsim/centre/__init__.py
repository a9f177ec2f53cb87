"""A simulated card centre: a register of persons and cards behind HTTP, with faults to order."""
