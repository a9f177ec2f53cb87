"""The directory of applications as the reader takes it from cards that write it differently."""

from pathlib import Path

import pytest
from support.cards import altered, insert

from cardd.cards.files import CardFiles
from cardd.iso7816.apdu import Command
from cardd.rules.names import AIDS, LABELS, SSSE_NAME

SELECT = Command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME, 256)


@pytest.mark.parametrize("entries", ["enveloped", "plain"])
def test_entries_are_read_with_their_envelope_and_without(entries: str, tmp_path: Path) -> None:
    persona = altered(tmp_path, "social-jia-3.0", toggles={"directory_entries": entries}, applications=["DF05"])
    card = insert(persona)
    card.channel.expect(SELECT)
    found = CardFiles(card.channel).directory()
    assert found is not None
    assert [(entry.aid, entry.label) for entry in found if entry.aid] == [
        (AIDS[name], LABELS[name]) for name in ("DF01", "DF02", "DF03", "DF04", "DF07")
    ]
    assert [entry.label for entry in found if not entry.aid] == [LABELS["DF05"]]


def test_a_card_without_a_directory_does_not_say_what_it_has(tmp_path: Path) -> None:
    card = insert(altered(tmp_path, "social-jia-3.0", toggles={"directory": "absent"}))
    card.channel.expect(SELECT)
    assert CardFiles(card.channel).directory() is None
