"""Records byte for byte, as a persona gives them: for cards that break the rule."""

from cardd.base.errors import CarddError
from cardd.rules.address import ItemAddress, parse_item
from cardsim.card.build import unhex
from cardsim.persona import Persona, RawContent


def raw_records(persona: Persona, address: str, content: RawContent, records: list[bytes]) -> list[bytes]:
    """Return a file's records with what the persona's `raw` says of them.

    A list is all its records whole. By tag it is values, of any length; an empty one leaves the record out, a tag that
    the file does not have is put behind the others. Raises DocumentError.
    """
    where = f"$.raw.{address}"
    if isinstance(content, str):
        raise persona.fault(where, 'is records in hexadecimal: [hex, …], or values by tag: {"08": hex, …}')
    if isinstance(content, tuple):
        return [unhex(record) for record in content]
    changed = list(records)
    for name, text in content.items():
        item, value = _parsed(persona, name, text, f"{where}.{name}")
        index = _place(records, item)
        changed[index : index + 1] = [bytes((item.tag, len(value))) + value if value else b""]
    return [record for record in changed if record]


def _parsed(persona: Persona, name: str, text: str, where: str) -> tuple[ItemAddress, bytes]:
    try:
        return parse_item(name), bytes.fromhex(text)
    except (CarddError, ValueError):
        raise persona.fault(where, "is a tag, such as 08 or 40:2, and a value in hexadecimal") from None


def _place(records: list[bytes], item: ItemAddress) -> int:
    same = [index for index, record in enumerate(records) if record[0] == item.tag]
    nth = (item.occurrence or 1) - 1
    return same[nth] if nth < len(same) else len(records)
