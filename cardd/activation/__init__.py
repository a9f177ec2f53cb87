"""Activations: routes as tables, the engine that runs them, the authorities that decide."""
