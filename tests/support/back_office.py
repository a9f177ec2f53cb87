"""A back office with a security machine: it reads what the driver asks for, and answers as machines do."""

from cardd.base.secret import Secret
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import Factors, factors
from cardd.crypto.money import Amounts
from cardd.desk.pin_block import pin_block
from cardd.keys.money import CardKeys, Purchase
from cardd.keys.service import KeyService
from cardd.keys.software_money import SoftwareMoney
from cardd.rules.hsm import key_at
from cardd.rules.keys import KeyName
from support.cards import ROOT, software_keys

_LONG = 1e9


class BackOffice:
    """Computes for one card, which it knows by the region and historical bytes of its basic information."""

    def __init__(self, region: str, historical: str) -> None:
        self._keys: KeyService = software_keys()
        self._factors: Factors = factors(region, bytes.fromhex(historical))

    def basic(self, request: str) -> str:
        """Answer iReadCardBas_HSM_Step1."""
        items = request.split("|")
        algorithm = Algorithm(int(items[2]))
        internal = self._proof(KeyName.IRK, algorithm, *items[4:6])
        external = self._proof(KeyName.RKSSSE, algorithm, *items[6:8]) if items[6] else ""
        return f"{internal}|{external}|"

    def key(self, request: str) -> str:
        """Answer the first step of every other function."""
        algorithm, address, process, original, _ = request.split("|")
        found = key_at(int(address, 16))
        assert found is not None
        return self._proof(found[0], Algorithm(int(algorithm)), process, original)

    def maintenance(self, request: str, *, header: bool = True) -> str:
        """Answer the second step of the functions with the PIN."""
        algorithm, address, challenge, head, digits, _ = request.split("|")
        assert address == "0173"
        data = self._keys.maintenance(
            KeyName.STKSSSE,
            Algorithm(int(algorithm)),
            self._factors,
            bytes.fromhex(challenge),
            bytes.fromhex(head[:8]),
            pin_block(Secret(digits.encode())) if digits else None,
            deadline=_LONG,
        )
        assert len(data) == int(head[8:], 16)
        return (head if header else "") + data.hex().upper()

    def debit(self, request: str) -> str:
        """Answer the first step of a debit."""
        algorithm, address, random, sequence, amounts, _, terminal, time, _ = request.split("|")
        assert address == "017F"
        cipher = Algorithm(int(algorithm))
        money = SoftwareMoney(Secret(ROOT), tests_only=True, terminal=bytes.fromhex(terminal))
        purchase = Purchase(
            Amounts(0, int(amounts[:8], 16), int(amounts[8:], 16)),
            bytes.fromhex(random),
            int(sequence, 16),
            1,
            int(cipher),
            bytes.fromhex(time),
        )
        with money.purchase(CardKeys(cipher, self._factors), deadline=_LONG) as till:
            signed = till.sign(purchase)
        return f"{signed.sequence:08X}|{time}|{signed.mac1.hex().upper()}|"

    def _proof(self, key: KeyName, algorithm: Algorithm, process: str, original: str) -> str:
        data = self._keys.authentication_data(
            key, algorithm, self._factors, bytes.fromhex(process), bytes.fromhex(original), deadline=_LONG
        )
        return data.hex().upper() + original
