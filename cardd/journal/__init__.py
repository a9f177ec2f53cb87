"""The durable record of events and activations."""
