"""PC/SC: the only floor that knows pyscard."""
