"""What an activation has done to the world, by name. The engine does these, after the commit that asks for them."""

from enum import StrEnum

from cardd.desk.prompts import Purpose

__all__ = ["Effect", "Purpose"]


class Effect(StrEnum):
    """One thing to do. Each ends in an outcome, which becomes the next fact."""

    LOOK_AT_CARDS = "look_at_cards"
    """Take notice of the cards that lie in the station's readers already."""
    READ_OLD_CARD = "read_old_card"
    """Read the old card that was put in, unless its number is known, and ask the authority about it."""
    VERIFY_OLD_PASSWORD = "verify_old_password"  # noqa: S105 - an effect's name
    """Have the authority check the password that was given."""
    READ_SOCIAL_CARD = "read_social_card"
    """Read and authenticate the social security card that was put in, and ask the authority about it."""
    VERIFY_PIN = "verify_pin"
    """Present the PIN that was given to the social security card, once."""
    CHANGE_PIN = "change_pin"
    """Have the card replace the PIN it has by the new one, once."""
    ACTIVATE = "activate"
    """Ask the authority to activate, under the activation's id as the key."""
    ASK_OUTCOME = "ask_outcome"
    """Ask the authority what became of the key, again and again until it answers."""
    UPDATE_CARD = "update_card"
    """Do the next thing that is left on the card that was read: its PIN first, then the verdict's records."""
    CONFIRM = "confirm"
    """Tell the authority whether the records are on the card, again and again until it has heard."""
