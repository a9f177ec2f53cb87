"""What a card remembers, in a file."""

from pathlib import Path

import msgspec

from cardd.base.document import DocumentError
from cardsim.card.chip import Chip
from cardsim.card.image import CardImage, put_image, take_image


def load_state(chip: Chip, path: Path) -> None:
    """Make a card remember what a file says; without the file, or with an empty one, it stays fresh.

    Raises DocumentError for a file that is not this card's.
    """
    try:
        content = path.read_bytes()
        if not content:
            return
        image = msgspec.json.decode(content, type=CardImage)
    except FileNotFoundError:
        return
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DocumentError(path, 1, 1, f"cannot be read as a card's memory: {type(error).__name__}") from None
    try:
        put_image(chip.machine, image)
    except (KeyError, ValueError):
        raise DocumentError(path, 1, 1, "is the memory of another card: remove it, or name its persona") from None


def save_state(chip: Chip, path: Path) -> None:
    """Write what a card remembers: the whole file or none of it."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(take_image(chip.machine)), indent=1))
    fresh.replace(path)
