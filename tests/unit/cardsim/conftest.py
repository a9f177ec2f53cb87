"""Cards on the bench: written as YAML, exchanged with in hexadecimal."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cardsim.card.chip import Chip
from cardsim.card.make import make_chip
from cardsim.persona import load_persona

Exchange = Callable[..., list[str]]

BASE = """
card: social-security
profile: "{profile}"
algorithm: {algorithm}
interface: dual
atr: "3B6D00000081544C9686845101C0FFEE01"
keys: {{root: {roots}, stk_root: "0123456789ABCDEF"{keys}}}
{code}card_number: "T0000001X"
holder:
  social_security_number: "510101190001010012"
  name: {name}
  sex: "1"
  ethnic_group: "01"
  birthplace: "510100"
  birth_date: "1900-01-01"
pin: "123456"
"""


CODE = 'identification_code: "510100D156000005C0FFEE01FFFFFFFF"\n'


@pytest.fixture
def chip(tmp_path: Path) -> Callable[..., Chip]:
    """Make a card of V0 with further YAML behind it."""

    def make(
        more: str = "",
        *,
        profile: str = "3.0",
        algorithm: str = "sm4",
        keys: str = "",
        name: str = "测试甲",
        roots: str = "00112233445566778899AABBCCDDEEFF",
        code: str = CODE,
    ) -> Chip:
        path = tmp_path / "card.yaml"
        text = BASE.format(profile=profile, algorithm=algorithm, keys=keys, name=name, roots=roots, code=code)
        path.write_text(text + more, encoding="utf-8")
        return make_chip(load_persona(path))

    return make


@pytest.fixture
def bench(chip: Callable[..., Chip]) -> Callable[..., Exchange]:
    """Give a function that sends hex commands to a card (SSSE selected) and returns hex answers."""

    def put(more: str = "", *, interface: str = "contactless", **basis: str) -> Exchange:
        card = chip(more, **basis).on(interface)
        card.power_on()
        card.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
        return lambda *commands: [card.transmit(bytes.fromhex(command)).hex().upper() for command in commands]

    return put


@pytest.fixture
def shipped_card() -> Callable[..., Exchange]:
    """Give a function that sends hex commands to a shipped persona on contacts, fetching what waits."""

    def put(name: str) -> Exchange:
        card = make_chip(load_persona(name)).on("contact")
        card.power_on()

        def one(command: str) -> str:
            answer = card.transmit(bytes.fromhex(command))
            if answer[0] == 0x61:
                answer = card.transmit(bytes((0x00, 0xC0, 0x00, 0x00, answer[1])))
            return answer.hex().upper()

        return lambda *commands: [one(command) for command in commands]

    return put
