"""Every method and every way to ask for more, by every single right, every preset, and all rights but one."""

import itertools
import os
import pwd
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from support.counter import counter, line
from support.exchanges import Desk, everything, whole_daemon
from support.private import found_in, shapes

from cardd.api.methods import METHODS
from cardd.api.rights import PRESETS, Right, Rights, RightsRow
from cardsim.persona import SocialSecurityPersona, load_persona

ME: Final = pwd.getpwuid(os.geteuid()).pw_name
PAGE: Final = Path(__file__).parents[2] / "docs" / "rights.md"

WHY: Final = {"purpose": "a look"}
BEYOND: Final[dict[str, tuple[dict[str, Any], Right]]] = {
    "card.read": (WHY, Right.PERSONAL),
    "card.transmit": ({"lease": "l-1", "apdu": "0084000008", "spends": True}, Right.OPERATE),
    "driver.call": ({"function": "iGetReaderInfo", **WHY}, Right.PERSONAL),
    "activation.start": ({"route": "pharmacy", **WHY}, Right.PERSONAL),
    "activation.get": ({"activation": "a-1", **WHY}, Right.PERSONAL),
    "activation.cancel": ({"activation": "a-1", **WHY}, Right.PERSONAL),
    "events.subscribe": ({"personal": True, **WHY}, Right.PERSONAL),
    "journal.find": (WHY, Right.PERSONAL),
    "journal.erase": ({"token": "t-1", **WHY}, Right.PERSONAL),
}
"""What may be asked of a method that needs another right beside that of its row."""

Form = tuple[str, dict[str, Any], frozenset[Right]]
"""A method, parameters, and the rights that these need."""


def _forms() -> Iterator[Form]:
    for name, row in METHODS.items():
        own = frozenset() if row.right is None else frozenset({row.right})
        if name != "journal.erase":
            yield name, {}, own
        if name in BEYOND:
            params, further = BEYOND[name]
            yield name, params, own | {further}


FORMS: Final = tuple(_forms())


def _grants() -> Iterator[tuple[str, frozenset[Right]]]:
    for right in Right:
        # the driver's functions tell whole persons: nobody is granted them alone
        yield f"{right}", frozenset({right}) if right is not Right.DRIVER else frozenset({right, Right.PERSONAL})
        yield f"all but {right}", frozenset(Right) - {right} - ({Right.DRIVER} if right is Right.PERSONAL else set())
    yield from PRESETS.items()
    yield "everything", frozenset(Right)


GRANTS: Final = dict(_grants())


@pytest.mark.asyncio
@pytest.mark.parametrize("grant", GRANTS)
async def test_what_is_forbidden_is_what_lacks_a_right_and_that_is_on_record_with_the_right(
    tmp_path: Path, grant: str
) -> None:
    granted = GRANTS[grant]
    rights = Rights.of([RightsRow(grant=sorted(granted), user=ME)])
    lacking = set()
    async with counter(tmp_path, rights=rights) as desk, line(desk.path) as client:
        for name, params, needed in FORMS:
            answer = await client.call(name, **params)
            data = answer.get("error", {}).get("data", {})
            missing = needed - granted
            if not missing:
                assert data.get("reason") != "FORBIDDEN", (name, params)
                continue
            assert (data["reason"], data["right"] in missing) == ("FORBIDDEN", True), (name, params)
            lacking.add((name, data["right"]))
        denied = await desk.recorded("access.denied")
        assert {(one["method"], one["right"]) for one in denied} == lacking
        assert len(denied) == len(lacking)
        assert {one["client"] for one in denied} <= {ME}


def test_whoever_asks_for_more_is_known_here() -> None:
    """A method that takes a purpose can tell of persons: it stands in the table above."""
    takes = {name for name, row in METHODS.items() if "purpose" in row.signature.params.__struct_fields__}
    assert takes == {name for name, (_, further) in BEYOND.items() if further is Right.PERSONAL}


# -- the page


def _rows(heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading of the page."""
    text = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", text, re.MULTILINE)]
    return rows[:1] + rows[2:]


def test_the_page_says_what_each_preset_may_call() -> None:
    (titles, *rows) = _rows("Methods and presets")
    assert titles == ["method", "needs", *PRESETS]
    shown = {row[0].strip("`"): row[1:] for row in rows}
    for name, params, needed in FORMS:
        title = name if not params or name == "journal.erase" else f"{name}` {_more(params)}"
        marks = ["●" if needed <= granted else "" for granted in PRESETS.values()]
        needs = ", ".join(sorted(needed)) or "–"
        assert shown.pop(title) == [needs, *marks], f"| `{title}` | {needs} | {' | '.join(marks)} |"
    assert shown == {}


def _more(params: dict[str, Any]) -> str:
    return "with `spends" if "spends" in params else "with a `purpose"


def test_the_page_says_what_each_preset_is() -> None:
    (_, *rows) = _rows("Presets")
    shown = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in rows}
    assert shown == {name: set(map(str, rights)) for name, rights in PRESETS.items()}


# -- what is told without a purpose


@pytest.mark.asyncio
async def test_whatever_is_called_without_a_purpose_tells_nothing_whole(tmp_path: Path) -> None:
    """A whole day at the counter: every method, and every event that it makes."""
    told: list[str] = []
    async with whole_daemon(tmp_path) as desk:
        await everything(desk)
        told += (str(message) for message in desk.events)
        told += _answers(desk)
    assert len(told) > len(METHODS)
    text = "\n".join(told).encode()
    assert [what for what in found_in(text) if not what.startswith(_SHORT)] == []
    assert [what for what, pattern in itertools.chain(*map(shapes, _holders())) if pattern in text] == []


_SHORT: Final = ("123456 ",)
"""The PIN of the cards, which stands in longer numbers by chance; that no PIN is told anywhere is another test's."""


def _answers(desk: Desk) -> Iterator[str]:
    for said in desk.book.values():
        asked = [message for arrow, message in said if arrow == "→"]
        if not any("purpose" in message["params"] for message in asked):
            yield from (str(message) for arrow, message in said if arrow == "←")


def _holders() -> Iterator[str]:
    for persona in ("p3-3.0-sm4", "p5-offline", "social-bing-2.0"):
        card = load_persona(persona).card
        assert isinstance(card, SocialSecurityPersona)
        yield from (card.holder.name, card.holder.social_security_number, card.card_number)
