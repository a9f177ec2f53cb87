"""The account's corners: keys by index, choices that the rule leaves open, memory in a file, reasons told.

What every command answers in the usual course stands in tests/vectors/exchange/money.yaml.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.account import DF04, SSSE, TIME, Till, account_card, till

from cardd.base.document import DocumentError
from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts, load_tac
from cardsim.state import load_state, save_state

Make = Callable[..., Till]

AMOUNTS = Amounts(1500, 200, 3300)
OWN = {1: "11" * 16, 2: "22" * 16, 3: "33" * 16}
FULL = 0xFFFFFFFF


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(algorithm: Algorithm = Algorithm.SM4, **changes: Any) -> Till:
        chip = account_card(tmp_path, algorithm, **changes)
        return till(chip, "contactless" if chip.answers.contactless else None)

    return make


def word(card: Till, command: str) -> str:
    return f"{card.send(bytes.fromhex(command))[1]:04X}"


def load(card: Till, amount: int = 5000, index: int = 1) -> tuple[bytes, bytes]:
    """Do a load; return what INITIALIZE answered and the certificate."""
    begun = card.begin_load(amount, index)
    return begun, card.expect(card.credit_command(begun, amount))


def purchase(card: Till, amounts: Amounts = AMOUNTS, time: bytes = TIME) -> tuple[bytes, bytes]:
    begun = card.begin_purchase(amounts)
    return begun, card.expect(card.debit_command(begun, amounts, time=time))


@pytest.mark.parametrize("index", [1, 2, 3])
def test_each_index_is_a_key_of_its_own(index: int, make: Make) -> None:
    card = make(keys={"DPK": OWN, "DLK": OWN, "DTK": OWN}).ready()
    card.key = bytes.fromhex(OWN[index])
    begun, certificate = load(card, index=index)
    assert begun[6] == index
    assert certificate == card.load_certificate(begun, 5000)
    begun = card.begin_purchase(AMOUNTS, index)
    assert begun[16] == index
    assert card.expect(card.debit_command(begun, AMOUNTS)) == card.debit_answer(begun, AMOUNTS)


def test_an_index_without_a_key_is_unknown(make: Make) -> None:
    card = make(keys={"DPK": {2: "22" * 16}}).ready()
    assert word(card, "B028010113" + "01" + "00" * 18) == "9403"
    assert card.begin_purchase(Amounts(0), 2)


def test_a_transaction_cannot_begin_that_could_not_be_certified(make: Make) -> None:
    card = make(keys={"DTK": {2: "22" * 16}}).ready()
    assert word(card, "B028010113" + "01" + "00" * 18) == "6A88"
    assert word(card, "B02800010B" + "01" + "00" * 10) == "6A88"


def test_the_balance_cannot_grow_beyond_its_place(make: Make) -> None:
    card = make(balance=FULL - 5).ready()
    assert word(card, "B02800010B" + "01" + "00000006" + "00" * 6) == "6985"
    load(card, 5)
    assert card.balance() == FULL


def test_a_years_sums_cannot_grow_beyond_their_place(make: Make) -> None:
    card = make(yearly={"self_paid": FULL, "year": "2024"}).ready()
    begun = card.begin_purchase(Amounts(1, 1))
    assert card.send(card.debit_command(begun, Amounts(1, 1)))[1] == 0x6985
    assert card.balance() == 100_000
    purchase(card, Amounts(1, 0, 1))
    assert card.sums() == (FULL, 1, "2024")


def test_a_time_that_is_no_digits_is_wrong_data(make: Make) -> None:
    card = make().ready()
    begun = card.begin_purchase(AMOUNTS)
    assert card.send(card.debit_command(begun, AMOUNTS, time=b"\xff" * 7))[1] == 0x6A80
    assert card.balance() == 100_000


def test_a_persona_gives_the_years_sums_and_its_first_day(make: Make) -> None:
    card = make(yearly={"self_paid": 1, "pool": 2, "year": "2023", "starting_day": "0701"}).ready()
    assert card.sums() == (1, 2, "2023")
    assert card.expect(bytes.fromhex("B056010002")) == bytes.fromhex("0701")


@pytest.mark.parametrize("starting_day", ["1301", "0100", "0132", "101"])
def test_a_starting_day_is_a_day_in_a_persona_too(starting_day: str, make: Make) -> None:
    with pytest.raises(DocumentError, match="starting_day"):
        make(yearly={"starting_day": starting_day})


@pytest.mark.parametrize("day", ["0101", "0131", "1231"])
def test_every_day_may_begin_the_year(day: str, make: Make) -> None:
    card = make().ready()
    card.authenticate(0x87)
    assert word(card, f"B056000002{day}") == "9000"
    assert card.expect(bytes.fromhex("B056010002")).hex() == day


@pytest.mark.parametrize("amount", [0x01020304, FULL])
def test_amounts_have_four_bytes(amount: int, make: Make) -> None:
    card = make(balance=0).ready()
    load(card, amount)
    assert card.balance() == amount
    purchase(card, Amounts(amount, amount, amount))
    assert card.balance() == 0
    assert card.sums() == (amount, amount, "2024")


@pytest.mark.parametrize("day", ["0001", "1301", "0100", "0132", "01AA"])
def test_a_starting_day_is_a_day_of_a_year(day: str, make: Make) -> None:
    card = make().ready()
    card.authenticate(0x87)
    assert word(card, f"B056000002{day}") == "6A80"


def test_a_card_with_a_balance_is_for_use_offline_unless_it_says_otherwise(make: Make) -> None:
    assert word(make().ready(), "B026000104") == "9000"
    assert word(make(files={"DF04EF05": {"8F": "1"}}).ready(), "B026000104") == "6985"
    assert word(make(balance=None).ready(), "B026000104") == "6985"
    assert word(make(balance=None, files={"DF04EF05": {"8F": "2"}}).ready(), "B026000104") == "9000"
    assert word(make(raw={"DF04EF05": {"8F": "31"}}).ready(), "B026000104") == "6985"


def test_a_card_may_be_made_for_use_offline_by_an_update(make: Make) -> None:
    card = make(files={"DF04EF05": {"8F": "1"}}).ready()
    card.authenticate(0x85)
    assert word(card, "00DC8F2803" + "8F0132") == "9000"
    assert word(card, "B026000104") == "9000"


def test_only_the_account_has_the_accounts_commands(make: Make) -> None:
    card = make().ready()
    card.expect(SSSE)
    assert word(card, "B026000104") == "6985"
    card.expect(bytes.fromhex("00A4040006D15600000500"))
    assert word(card, "B02801011301" + "00" * 18) == "6985"


def test_a_blocked_application_has_no_account(make: Make) -> None:
    card = make(blocked=["DF04"])
    card.card.power_on()
    card.expect(SSSE)
    assert card.send(DF04)[1] == 0x9303
    assert word(card, "B026000104") == "9303"


def test_selecting_the_account_again_ends_a_transaction(make: Make) -> None:
    card = make().ready()
    command = card.debit_command(card.begin_purchase(AMOUNTS), AMOUNTS)
    card.expect(DF04)
    assert card.send(command)[1] == 0x6901


def test_a_proof_outlives_power_and_other_commands_until_the_next_begin(make: Make) -> None:
    card = make().ready()
    _, answer = purchase(card)
    card.ready().expect(bytes.fromhex("0084000008"))
    assert card.proof("2", 3) == answer[4:] + answer[:4]
    assert word(card, "B02800010B" + "09" + "00" * 10) == "9403"
    assert card.proof("2", 3)
    card.begin_load(1)
    assert card.proof("2", 3) is None


@pytest.mark.parametrize("p2", ["31", "01"])
def test_a_proof_is_asked_by_the_types_letter_or_number(p2: str, make: Make) -> None:
    card = make().ready()
    load(card)
    assert word(card, f"B02E00{p2}020007") == "9000"
    assert word(card, f"B02E00{int(p2, 16) + 1:02X}020007") == "9406"


def test_the_memory_of_an_account_is_kept_in_a_file(make: Make, tmp_path: Path) -> None:
    card, path = make().ready(), tmp_path / "state.json"
    load(card)
    purchase(card)
    save_state(card.chip, path)
    other = make()
    load_state(other.chip, path)
    assert other.ready().balance() == 103_500
    assert other.sums() == (200, 3300, "2024")
    assert other.proof("2", 3)


def test_the_reason_names_the_transaction_that_was_begun_and_the_clause(make: Make) -> None:
    card = make().ready()
    told: list[str] = []
    card.chip.tell = told.append
    card.send(card.debit_command(card.begin_purchase(AMOUNTS), AMOUNTS))
    word(card, "B02A00000B" + "00" * 11)
    assert "INITIALIZE FOR PURCHASE: done" in told[0]
    assert told[1].startswith("9000 LD/T 32.5 DEBIT FOR PURCHASE: done")
    assert "transaction purchase" in told[1]
    assert told[2].startswith("6901 LD/T 32.7 12: no load was begun")
    assert "transaction" not in told[2].partition("[")[2]


def test_the_account_is_the_same_on_both_interfaces(make: Make) -> None:
    card = make()
    load(card.ready())
    contact = till(card.chip, "contact").ready()
    assert contact.balance() == 105_000
    purchase(contact)
    assert card.ready().balance() == 103_500


# what the rule leaves open


def chosen(make: Make, name: str, value: str, **changes: Any) -> Till:
    return make(toggles={name: value}, **changes).ready()


def test_a_card_may_want_the_pin_for_the_balance(make: Make) -> None:
    card = chosen(make, "balance_asked", "with_pin")
    assert card.balance() == 100_000
    card.card.power_on()
    card.expect(SSSE)
    card.expect(DF04)
    assert word(card, "B026000104") == "6982"


@pytest.mark.parametrize("status", ["6985", "6A81", "6901"])
def test_a_card_for_use_online_refuses_in_its_own_way(status: str, make: Make) -> None:
    card = chosen(make, "online_card", status, files={"DF04EF05": {"8F": "1"}})
    assert word(card, "B026000104") == status


def test_a_card_may_certify_with_its_first_key_always(make: Make) -> None:
    card = chosen(make, "certificate_key", "first", keys={"DTK": {1: OWN[1]}})
    begun, certificate = load(card, index=3)
    card.key = bytes.fromhex(OWN[1])
    assert certificate == card.load_certificate(begun, 5000)


def test_a_card_may_certify_the_balance_before_a_load(make: Make) -> None:
    card = chosen(make, "load_certificate_balance", "before")
    _, certificate = load(card)
    terminal = bytes.fromhex("510100000001")
    assert certificate == load_tac(Algorithm.SM4, card.key, 100_000, 7, 5000, terminal, TIME)


def test_a_card_may_prove_a_load_with_its_own_mac(make: Make) -> None:
    card = chosen(make, "load_proof_mac", "mac1")
    begun, certificate = load(card)
    assert card.proof("1", 7) == begun[12:] + certificate


def test_a_card_may_number_records_and_proofs_after_counting(make: Make) -> None:
    card = chosen(make, "told_sequence", "after")
    purchase(card)
    assert card.proof("2", 3) is None
    assert card.proof("2", 4)
    assert card.expect(bytes.fromhex("00B201441C"))[:2] == b"\x00\x04"


@pytest.mark.parametrize(("algorithm", "code"), [(Algorithm.SM4, 0), (Algorithm.DES, 0)])
def test_an_sm4_card_may_call_its_algorithm_otherwise(algorithm: Algorithm, code: int, make: Make) -> None:
    card = make(algorithm, toggles={"sm4_code": "00"}).ready()
    assert card.begin_load(1)[7] == code


@pytest.mark.parametrize(("value", "year"), [("accounting", "2023"), ("calendar", "2024")])
def test_a_new_year_may_be_that_of_the_date(value: str, year: str, make: Make) -> None:
    card = chosen(make, "payment_year", value, yearly={"starting_day": "0701"})
    purchase(card)
    assert card.sums() == (200, 3300, year)


@pytest.mark.parametrize(("value", "sums"), [("added", (201, 3301, "2025")), ("begins", (200, 3300, "2024"))])
def test_a_date_before_the_year_may_begin_one(value: str, sums: tuple[int, int, str], make: Make) -> None:
    card = chosen(make, "before_the_year", value, yearly={"self_paid": 1, "pool": 1, "year": "2025"})
    purchase(card)
    assert card.sums() == sums


def test_a_proof_may_last_until_the_next_transaction_is_done(make: Make) -> None:
    card = chosen(make, "proof_lifetime", "transaction")
    purchase(card)
    begun = card.begin_load(1)
    assert card.proof("2", 3)
    card.expect(card.credit_command(card.begin_load(1), 1))
    assert begun
    assert card.proof("2", 3) is None


def test_the_key_of_the_starting_day_may_have_another_identifier(make: Make) -> None:
    card = chosen(make, "starting_day_key", "88")
    card.authenticate(0x88)
    assert word(card, "B0560000020701") == "9000"
