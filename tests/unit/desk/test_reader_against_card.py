"""Reader against card: every generation, algorithm, interface and key service, through real readers and workers."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.cards import altered, software_keys
from support.modules import Desk, virtual

from cardd.base.secret import Personal
from cardd.desk.read import read_card
from cardd.desk.reading import CardReading
from cardd.desk.stopped import StoppedKeys
from cardd.desk.write import write_records
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion

pytestmark = pytest.mark.asyncio

LONG_S = 30.0
# a 1.0 card has no way to name an algorithm: it is DES
CARDS = [("1.0", "des"), ("2.0", "des"), ("2.0", "sm4"), ("3.0", "des"), ("3.0", "sm4")]
SERVICES = ["software", "national", "provincial", "city"]


async def service(desk: Desk, directory: Path, name: str) -> KeyService:
    if name == "software":
        return software_keys()
    await desk.with_modules([altered(directory, "psam", level=name)])
    return desk.keys


def reading(desk: Desk, keys: KeyService) -> Callable[[Channel, Insertion], CardReading]:
    end = desk.clock.monotonic() + LONG_S
    return lambda channel, insertion: read_card(channel, insertion, keys, None, end, stopped=StoppedKeys())


@pytest.mark.parametrize("keys", SERVICES)
@pytest.mark.parametrize("interface", ["contact", "contactless"])
@pytest.mark.parametrize(("profile", "algorithm"), CARDS)
async def test_every_card_proves_itself_gives_its_holder_and_takes_an_update(
    tmp_path: Path, profile: str, algorithm: str, interface: str, keys: str
) -> None:
    persona = altered(
        tmp_path,
        "social-jia-3.0",
        profile=profile,
        algorithm=algorithm,
        keys={"stk_root": "0123456789ABCDEF"} if algorithm == "des" else {},
    )
    async with Desk() as desk:
        key_service = await service(desk, tmp_path, keys)
        insertion = await desk.insert("front", virtual(persona, interface))
        found = await desk.readers.run(insertion.id, reading(desk, key_service), timeout_s=LONG_S)
        assert (found.identity.generation, found.identity.algorithm) == (profile, {"des": 1, "sm4": 3}[algorithm])
        assert (found.identity.authentic, str(found.identity.via)) == (True, interface)
        assert name_of(found) == "测试甲"

        def write(channel: Channel, insertion: Insertion) -> None:
            end = desk.clock.monotonic() + LONG_S
            updates = {"SSSEEF06": {"0C": "510700"}}
            write_records(channel, insertion, key_service, found.identity, updates, end, stopped=StoppedKeys())

        await desk.readers.run(insertion.id, write, timeout_s=LONG_S)
        again = await desk.readers.run(insertion.id, reading(desk, key_service), timeout_s=LONG_S)
        assert again.holder is not None
        assert isinstance(again.holder.birthplace, Personal)
        assert again.holder.birthplace.disclose() == "510700"
        # rights were gained by a write on any card: nobody finds it open
        assert desk.backend.bays["front"].disconnects == [profile == "3.0", True, profile == "3.0"]


def name_of(found: CardReading) -> str | None:
    assert found.holder is not None
    assert isinstance(found.holder.name, Personal)
    return found.holder.name.disclose()
