"""cardd: smart-card middleware for the Chinese social security card (社会保障卡)."""

__version__ = "0.1.0"
