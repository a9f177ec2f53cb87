"""How personal data look to those who may not see them whole."""

_NUMBER_TAIL = 4
_CITIZEN_HEAD = 4
_CITIZEN_TAIL = 2
_NAME_WITH_TAIL = 3


def mask_name(name: str) -> str:
    """Keep the first character, and the last one where there are three or more: `测*`, `测*甲`."""
    if len(name) >= _NAME_WITH_TAIL:
        return name[0] + "*" * (len(name) - 2) + name[-1]
    return name[:1] + "*" * max(len(name) - 1, 1 if name else 0)


def mask_citizen_number(number: str) -> str:
    """Keep four characters and two: `5101************12`. A number too short for that keeps nothing."""
    hidden = len(number) - _CITIZEN_HEAD - _CITIZEN_TAIL
    if hidden <= 0:
        return "*" * len(number)
    return number[:_CITIZEN_HEAD] + "*" * hidden + number[-_CITIZEN_TAIL:]


def mask_number(number: str) -> str:
    """Keep the last four characters of a card or account number. A number of four or fewer keeps nothing."""
    hidden = len(number) - _NUMBER_TAIL
    return "*" * len(number) if hidden <= 0 else "*" * hidden + number[-_NUMBER_TAIL:]


def mask_all(text: str) -> str:
    """Keep nothing, not even the length: birth dates, addresses."""
    return "*" if text else ""
