"""Power cut after every single byte of a command's work: the card is as before or as after, and says which."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.account import DF04, DSK, SSSE, Till, account_card, till

from cardd.crypto.block import Algorithm
from cardd.crypto.derive import session_key
from cardd.crypto.messaging import encipher, mac, mac_input
from cardd.crypto.money import Amounts
from cardsim.card.chip import Chip
from cardsim.card.image import CardImage, take_image
from cardsim.card.make import make_chip
from cardsim.persona import load_persona

ALGORITHMS = [Algorithm.DES, Algorithm.SM4]
AMOUNTS = Amounts(1500, 200, 3300)
CHALLENGE = bytes.fromhex("1122334455667788")
ENOUGH = 400
REPLACE = bytes.fromhex("84D401121CA53360C26D93B6510463E79450BC6514051FE0B6403425256293B1EE")


@dataclass(frozen=True)
class Case:
    """A command that writes; `prepare` brings a powered card to where it is answered 9000 and returns it."""

    prepare: Callable[[Till], bytes]
    steps: bool = False
    """Whether a counter of tries goes down first, so that there is a state between before and after."""


def credit(card: Till) -> bytes:
    begun = card.ready().begin_load(5000)
    return card.credit_command(begun, 5000)


def debit(card: Till) -> bytes:
    begun = card.ready().begin_purchase(AMOUNTS)
    return card.debit_command(begun, AMOUNTS)


def begin_after_a_load(card: Till) -> bytes:
    card.expect(credit(card))
    return bytes.fromhex("B02801011301") + AMOUNTS.encode() + bytes(6)


def starting_day(card: Till) -> bytes:
    card.ready().authenticate(DSK)
    return bytes.fromhex("B0560000020701")


def wrong_pin(card: Till) -> bytes:
    card.ready()
    return bytes.fromhex("0020000003000000")


def right_pin(card: Till) -> bytes:
    card.send(wrong_pin(card))
    return bytes.fromhex("0020000003123456")


def new_pin(card: Till) -> bytes:
    card.ready()
    return bytes.fromhex("805E010007123456FF654321")


def wrong_key(card: Till) -> bytes:
    card.ready().expect(bytes.fromhex("0084000008"))
    return bytes.fromhex("0082008410") + bytes(16)


def record(card: Till) -> bytes:
    card.ready().authenticate(0x85)
    return bytes.fromhex("00DC8C28038C0121")


def appended(card: Till) -> bytes:
    card.ready().authenticate(0x86)
    return bytes.fromhex("00DC00AB03000131")


def photo(card: Till) -> bytes:
    card.ready().expect(SSSE)
    card.authenticate(0x04)
    return bytes.fromhex("00D68810") + bytes((40,)) + bytes(range(40))


def maintenance(card: Till, key: int, header: str, plain: bytes = b"") -> bytes:
    card.ready().expect(SSSE)
    card.authenticate(key)
    return protected(card, header, plain)


def protected(card: Till, header: str, plain: bytes = b"") -> bytes:
    challenge = card.expect(bytes.fromhex("0084000008"))
    stk = card.chip.machine.session.application.key(0x02)
    assert stk is not None
    session = session_key(card.algorithm, stk.versions[1], challenge)
    cipher = encipher(card.algorithm, session, plain) if plain else b""
    covered = mac_input(bytes.fromhex(header), cipher)
    return covered + mac(card.algorithm, session, covered)


def unblocked(card: Till) -> bytes:
    card.ready().expect(SSSE)
    card.send(bytes.fromhex("0020000003000000"))
    card.authenticate(0x06)
    return protected(card, "84240000")


def reloaded(card: Till) -> bytes:
    return maintenance(card, 0x06, "84240001", bytes.fromhex("654321"))


def blocked(card: Till) -> bytes:
    return maintenance(card, 0x05, "84160000")


def environment_blocked(card: Till) -> bytes:
    return maintenance(card, 0x05, "841E0001")


CASES = {
    "credit": Case(credit),
    "debit": Case(debit),
    "initialize, which gives the proof up": Case(begin_after_a_load),
    "starting day": Case(starting_day),
    "wrong PIN": Case(wrong_pin),
    "right PIN": Case(right_pin, steps=True),
    "change PIN": Case(new_pin, steps=True),
    "external authentication": Case(wrong_key),
    "record": Case(record),
    "appended record": Case(appended),
    "photo": Case(photo),
    "unblock PIN": Case(unblocked),
    "reload PIN": Case(reloaded),
    "card block": Case(blocked),
    "application block": Case(environment_blocked),
}


def images(fresh: Callable[[], Till], prepare: Callable[[Till], bytes]) -> Iterator[tuple[CardImage, CardImage]]:
    """Yield the memory before and the memory after tear and next power-up, cutting one byte later each time."""
    for count in range(ENOUGH):
        card = fresh()
        command = prepare(card)
        before = take_image(card.chip.machine)
        card.chip.machine.memory.cut_after(count)
        assert card.card.transmit(command) == b""
        card.card.power_on()
        yield before, take_image(card.chip.machine)


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.name)
@pytest.mark.parametrize("name", CASES)
def test_a_command_is_done_or_not_wherever_the_power_is_cut(name: str, algorithm: Algorithm, tmp_path: Path) -> None:
    case = CASES[name]

    def fresh() -> Till:
        return till(account_card(tmp_path, algorithm))

    whole = fresh()
    command = case.prepare(whole)
    assert whole.card.transmit(command)
    after = take_image(whole.chip.machine)
    seen = []
    for before, torn in images(fresh, case.prepare):
        assert before != after
        state = "before" if torn == before else "after" if torn == after else "between"
        seen.append(state)
        # once done, more power changes nothing
        if seen[-3:] == ["after"] * 3:
            break
    expected = ["before", "between", "after"] if case.steps else ["before", "after"]
    assert list(dict.fromkeys(seen)) == expected
    assert sorted(seen, key=expected.index) == seen
    assert len(seen) < ENOUGH


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.name)
@pytest.mark.parametrize(("kind", "sequence"), [("1", 7), ("2", 3)])
def test_there_is_a_proof_exactly_where_the_money_moved(
    kind: str, sequence: int, algorithm: Algorithm, tmp_path: Path
) -> None:
    proofs = []
    for count in range(ENOUGH):
        card = till(account_card(tmp_path, algorithm))
        command = (credit if kind == "1" else debit)(card)
        card.chip.machine.memory.cut_after(count)
        assert card.card.transmit(command) == b""
        card.card.power_on()
        # the holder need not be there to type the PIN
        card.expect(SSSE)
        card.expect(DF04)
        moved = card.balance() != 100_000
        proof = card.proof(kind, sequence)
        assert (proof is not None) == moved
        proofs.append(proof)
        if proofs[-3:] == [proof] * 3 and moved:
            break
    assert proofs[0] is None
    assert proofs[-1] is not None


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.name)
@settings(max_examples=25, deadline=None)
@given(
    deeds=st.lists(
        st.tuples(st.sampled_from("12"), st.integers(0, 3000), st.none() | st.integers(0, 150)), min_size=1, max_size=8
    )
)
def test_a_terminal_that_asks_for_the_proof_never_loses_count(
    algorithm: Algorithm, deeds: list[tuple[str, int, int | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    card = till(account_card(tmp_path_factory.mktemp("card"), algorithm)).ready()
    balance, counters = 100_000, {"1": 7, "2": 3}
    for kind, amount, tear in deeds:
        if kind == "1":
            command = card.credit_command(card.begin_load(amount), amount)
        else:
            command = card.debit_command(card.begin_purchase(Amounts(amount)), Amounts(amount))
        if tear is not None:
            card.chip.machine.memory.cut_after(tear)
        answer = card.card.transmit(command)
        if tear is None:
            done = True
        else:
            assert answer == b""
            card.ready()
            done = card.proof(kind, counters[kind]) is not None
        if done:
            balance += amount if kind == "1" else -amount
            counters[kind] += 1
        assert card.balance() == balance
        begun = card.begin_load(0), card.begin_purchase(Amounts(0))
        assert int.from_bytes(begun[0][4:6], "big") == counters["1"]
        assert int.from_bytes(begun[1][14:16], "big") == counters["2"]


PSAM = """
card: psam
level: city
algorithms: [des]
keys: {root: "00112233445566778899AABBCCDDEEFF"}
master_key: "CAFEBABE00112233445566778899AABB"
"""
DF01 = bytes.fromhex("00A4040006D15600000590")


def signature(chip: Chip) -> bytes:  # noqa: ARG001
    data = bytes(18) + b"2" + bytes.fromhex("20240506101112") + bytes((1, 0)) + bytes(8)
    return bytes.fromhex("80700100") + bytes((len(data),)) + data


def new_key(chip: Chip) -> bytes:
    """Return a command that was computed with the openssl command (tests/vectors/exchange/psam-money.yaml)."""
    chip.machine.session.challenge = CHALLENGE
    return REPLACE


@pytest.mark.parametrize(("prepare", "work"), [(signature, 4), (new_key, 19)])
def test_a_security_module_has_counted_or_replaced_or_has_not(
    prepare: Callable[[Chip], bytes], work: int, tmp_path: Path
) -> None:
    path = tmp_path / "module.yaml"
    path.write_text(PSAM, encoding="utf-8")
    seen = []
    for count in range(work + 3):
        chip = make_chip(load_persona(path))
        card = chip.on()
        card.power_on()
        for select in (SSSE, DF01):
            assert card.transmit(select)[:1] == b"\x61"
        command = prepare(chip)
        before = take_image(chip.machine)
        chip.machine.memory.cut_after(count)
        assert card.transmit(command) == b""
        card.power_on()
        seen.append(take_image(chip.machine) != before)
    assert seen == [False] * work + [True] * 3
