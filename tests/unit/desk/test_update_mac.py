"""Cards that take updates with a MAC only: 6987 to a plain one, which costs nothing, and then once more with it."""

import time
from pathlib import Path

import pytest
from support.cards import DEADLINE, ROOT, STK_ROOT, OpenCard, altered, answered_instead, insert, software_keys
from support.contents import content

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.desk.identify import identify
from cardd.desk.read import read_card
from cardd.desk.social import open_social
from cardd.desk.stopped import StoppedKeys
from cardd.desk.update_mac import sending
from cardd.desk.updates import Updates
from cardd.desk.write import write_records
from cardd.iso7816.apdu import Command
from cardd.iso7816.status import SW, StatusError
from cardd.keys.line import HsmLine
from cardd.keys.remote import RemoteKeys
from cardd.keys.service import KeyService
from cardd.keys.software import SoftwareKeys
from cardd.rules.files import FILES, Generation
from cardsim.hsm import HsmServer, Machine

UPDATE_RECORD, UPDATE_BINARY, EXTERNAL_AUTHENTICATION, CHALLENGE = 0xDC, 0xD6, 0x82, 0x84
HOLDER = {"SSSEEF06": {"0C": "510700"}}
PIN = Secret(b"123456")


def choosy(directory: Path, updates: str = "with_mac", **more: object) -> OpenCard:
    return insert(altered(directory, "social-jia-3.0", toggles={"updates": updates}, **more))


def write(card: OpenCard, updates: Updates, keys: KeyService | None = None) -> None:
    service = keys or software_keys()
    identity = identify(card.channel, card.insertion, service, DEADLINE)
    card.record.commands.clear()
    write_records(card.channel, card.insertion, service, identity, updates, DEADLINE, stopped=StoppedKeys(), pin=PIN)


def refusal(card: OpenCard, updates: Updates, keys: KeyService | None = None) -> CarddError:
    with pytest.raises(CarddError) as caught:
        write(card, updates, keys)
    return caught.value


def updates_of(card: OpenCard) -> list[tuple[int, int]]:
    """Return class and length of the data of every update that was sent."""
    sent = [c for c in card.record.commands if c.ins in {UPDATE_RECORD, UPDATE_BINARY}]
    return [(c.cla, len(c.data)) for c in sent]


def birthplace(card: OpenCard) -> str | None:
    again = card.again()
    reading = read_card(again.channel, again.insertion, software_keys(), None, DEADLINE, stopped=StoppedKeys())
    assert reading.holder is not None
    assert isinstance(reading.holder.birthplace, Personal)
    return reading.holder.birthplace.disclose()


def test_a_refused_update_is_sent_once_more_with_its_mac(tmp_path: Path) -> None:
    card = choosy(tmp_path)
    write(card, HOLDER)
    assert updates_of(card) == [(0x00, 5), (0x04, 9)]
    assert birthplace(card) == "510700"


def test_a_card_that_takes_plain_updates_is_sent_no_mac(tmp_path: Path) -> None:
    card = choosy(tmp_path, "plain")
    write(card, HOLDER)
    assert updates_of(card) == [(0x00, 5)]


def test_the_key_of_the_file_is_proved_once_and_no_try_is_spent(tmp_path: Path) -> None:
    card = choosy(tmp_path)
    write(card, HOLDER)
    proved = [c.p2 for c in card.record.commands if c.ins == EXTERNAL_AUTHENTICATION]
    assert proved.count(0x04) == 1
    assert not any(0x63C0 <= sw <= 0x63CF for sw in card.record.words)


def test_each_part_of_a_long_file_has_its_own_challenge(tmp_path: Path) -> None:
    card = choosy(tmp_path)
    write(card, {"SSSEEF08": {"whole": "5A" * 0x200}})
    sent = [(c.ins, c.cla) for c in card.record.commands if c.ins in {UPDATE_BINARY, CHALLENGE}]
    first = sent.index((UPDATE_BINARY, 0x00))
    assert sent[first:][:9] == [(UPDATE_BINARY, 0x00), (CHALLENGE, 0x00), (UPDATE_BINARY, 0x04)] * 3


class WrongMacs(SoftwareKeys):
    def __init__(self) -> None:
        super().__init__(Secret(ROOT), tests_only=True)

    def update_mac(self, *_: object, **__: object) -> bytes:
        return bytes(4)


def test_a_mac_that_the_card_does_not_take_is_not_sent_again(tmp_path: Path) -> None:
    card = choosy(tmp_path)
    error = refusal(card, HOLDER, WrongMacs())
    assert (error.reason, error.facts["status_word"]) == (Reason.STATUS_WORD, "6988")
    assert (error.facts["file"], error.facts["item"]) == ("SSSEEF06", "0C")
    assert updates_of(card) == [(0x00, 5), (0x04, 9)]
    assert birthplace(card) == "510100"


def test_the_machine_of_an_issuer_is_not_asked_what_no_source_has_it_answer(tmp_path: Path) -> None:
    card = choosy(tmp_path)
    with HsmServer(Machine(ROOT)) as server:
        keys = RemoteKeys(HsmLine(server.url, clock=SystemClock()))
        try:
            identity = identify(card.channel, card.insertion, keys, time.monotonic() + 20)
            with pytest.raises(CarddError) as caught:
                write_records(
                    card.channel,
                    card.insertion,
                    keys,
                    identity,
                    HOLDER,
                    time.monotonic() + 20,
                    stopped=StoppedKeys(),
                )
        finally:
            keys.close()
    error = caught.value
    assert (error.reason, error.facts["status_word"]) == (Reason.STATUS_WORD, "6987")
    assert (error.facts["file"], error.facts["item"]) == ("SSSEEF06", "0C")
    assert updates_of(card) == [(0x00, 5)]
    assert birthplace(card) == "510100"


def test_a_key_service_that_lacks_the_key_is_named_with_it(tmp_path: Path) -> None:
    card = choosy(tmp_path, algorithm="des", keys={"stk_root": STK_ROOT.hex()})
    error = refusal(card, HOLDER, SoftwareKeys(Secret(ROOT), tests_only=True))
    assert (error.reason, error.facts["key"]) == (Reason.PSAM_KEY_MISSING, "STKSSSE")
    assert updates_of(card) == [(0x00, 5)]


@pytest.mark.parametrize(("application", "length"), [("DF06", 10), ("DF01", 252)])
def test_the_cards_word_stands_where_there_is_no_key_or_no_room(application: str, length: int) -> None:
    card = insert("social-jia-3.0")
    opened = open_social(card.channel, card.insertion)
    assert opened is not None
    answered_instead(card, {UPDATE_BINARY: b"\x69\x87"})
    card.record.commands.clear()
    with pytest.raises(StatusError) as caught:
        sending(opened, software_keys(), application, DEADLINE)(Command(0x00, UPDATE_BINARY, 0, 0, bytes(length)))
    assert caught.value.sw == SW.MAC_MISSING
    assert card.record.instructions == [UPDATE_BINARY]


def test_another_refusal_is_no_reason_for_a_mac() -> None:
    card = insert("social-jia-3.0")
    opened = open_social(card.channel, card.insertion)
    assert opened is not None
    answered_instead(card, {UPDATE_BINARY: b"\x69\x88"})
    card.record.commands.clear()
    with pytest.raises(StatusError):
        sending(opened, software_keys(), "DF01", DEADLINE)(Command(0x00, UPDATE_BINARY, 0, 0, bytes(8)))
    assert card.record.instructions == [UPDATE_BINARY]


def test_a_new_record_of_a_cyclic_file_is_added_once(tmp_path: Path) -> None:
    card = choosy(tmp_path)
    given, _ = content(FILES["DF02EF16"], Generation("3.0"))
    assert isinstance(given, list)
    for sent in ([0x00, 0x04], []):
        write(card, {"DF02EF16": {"1": given[0]}})
        assert [cla for cla, _ in updates_of(card)] == sent
