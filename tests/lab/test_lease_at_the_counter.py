"""A card leased at a real counter: pcscd, a virtual card, the daemon as a process, another program on the same pcscd.

The client speaks to the card over its lease, one request for each command, and has a security machine on the network
compute between two of them.
"""

import os
import pwd
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.clerk import Clerk, counter
from support.neighbour import NO_ACCESS, Neighbour, build

from cardd.base.clock import SystemClock
from cardd.base.reasons import Reason
from cardd.client.blocking import Client
from cardd.client.errors import CallError
from cardd.desk.social import SocialCard, gain, open_social
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport
from cardd.iso7816.status import StatusError
from cardd.keys.line import HsmLine
from cardd.keys.remote import RemoteKeys
from cardd.readers.insertion import Insertion
from cardd.rules.applications.ssse import EF06
from cardd.rules.keys import KeyName
from cardd.rules.names import SSSE_NAME
from cardd.wire.activation import ActivationStartParams, Route
from cardd.wire.cards import CardReadParams
from cardd.wire.leases import CardTransmitParams, LeaseAcquireParams, LeaseReleaseParams, LeaseResult
from cardd.wire.methods import ACTIVATION_START, CARD_READ, CARD_TRANSMIT, LEASE_ACQUIRE, LEASE_RELEASE
from cardsim.hsm import HsmServer, Machine

IDLE_S = 6.0
"""How long the machine thinks: pcscd takes the power from a card that nobody has open after 5 s."""

NAME = 0x09
ROOT, SHORT = bytes.fromhex("00112233445566778899AABBCCDDEEFF"), bytes.fromhex("0123456789ABCDEF")
# selecting again takes the challenge and all rights away
SELECT = (b"\x00\xa4\x04\x00" + bytes((len(SSSE_NAME),)) + SSSE_NAME).hex()

Compute = Callable[..., bytes]


class SlowKeys(RemoteKeys):
    """A machine at the end of a long line; `meanwhile` is what happens at the counter until it answers."""

    def __init__(self, url: str, meanwhile: Callable[[], None]) -> None:
        super().__init__(HsmLine(url, clock=SystemClock(), timeout_s=5))
        self._meanwhile = meanwhile

    def authentication_data(self, *arguments: object, **named: object) -> bytes:
        self._meanwhile()
        compute: Compute = super().authentication_data
        return compute(*arguments, **named)


@contextmanager
def leasing(directory: Path, access: str) -> Iterator[Clerk]:
    """Bring up a counter where this user may do everything."""
    grant = ["observe", "read_card", "lease", "raw_apdu", "activate"]
    user = pwd.getpwuid(os.geteuid()).pw_name
    settings = {
        "access": access,
        "socket": {"path": str(directory / "cardd.sock"), "rights": [{"user": user, "grant": grant}]},
    }
    with counter(directory, settings=settings) as clerk:
        clerk.insert("p3-3.0-sm4")
        clerk.wait("card.identified")
        yield clerk


def card_over(client: Client, lease: LeaseResult) -> SocialCard:
    """Open the leased card from here: each command is a request of its own."""

    def transmit(command: bytes) -> bytes:
        sent = CardTransmitParams(lease=lease.lease, apdu=command.hex())
        return bytes.fromhex(client.call(CARD_TRANSMIT, sent).response)

    insertion = Insertion(lease.insertion, "reader-0", "counter", bytes.fromhex(lease.atr))
    card = open_social(Channel(transmit, Transport.T0), insertion)
    assert card is not None
    return card


def refusal(card: SocialCard) -> int:
    with pytest.raises(StatusError) as caught:
        card.environment.read(EF06, NAME)
    return caught.value.sw


def end(client: Client, lease: LeaseResult) -> None:
    client.call(LEASE_RELEASE, LeaseReleaseParams(lease=lease.lease))


@pytest.mark.parametrize("access", ["exclusive", "shared"])
def test_a_challenge_outlives_the_round_trip_to_a_remote_machine_whatever_another_program_tries(
    tmp_path: Path, access: str
) -> None:
    with leasing(tmp_path / "c", access) as clerk, HsmServer(Machine(ROOT, SHORT)) as server:
        lease = clerk.client.call(LEASE_ACQUIRE, LeaseAcquireParams(ttl_s=60))
        card = card_over(clerk.client, lease)
        assert refusal(card) == 0x6982
        with Neighbour(build(tmp_path), clerk.rig.lab.pcscd_socket) as neighbour:

            def meanwhile() -> None:
                neighbour.order(f"shared {clerk.rig.lab.readers[0]}", f"transmit {SELECT}")
                time.sleep(IDLE_S)

            keys = SlowKeys(server.url, meanwhile)
            gain(card, keys, StoppedKeys(), KeyName.RKSSSE, time.monotonic() + 30)
            keys.close()
            assert card.environment.read(EF06, NAME) is not None
            # for us alone it is not even let in; sharing, it is connected, and its command waits or is refused
            assert not any(answer.startswith("ok ") for answer in neighbour.answers)
            assert access == "shared" or neighbour.answers[:1] == [NO_ACCESS]
        end(clerk.client, lease)
        again = clerk.client.call(LEASE_ACQUIRE, LeaseAcquireParams())
        # it was reset in between: the next one does not find it open
        assert refusal(card_over(clerk.client, again)) == 0x6982
        end(clerk.client, again)
        assert clerk.client.call(CARD_READ, CardReadParams()).holder is not None
        # an event may be told after the answer
        for _ in range(2):
            clerk.wait("card.transmitted")
        assert clerk.types().count("card.transmitted") == 2


def test_a_card_that_is_pulled_out_ends_its_lease_and_the_next_one_is_nobodys(tmp_path: Path) -> None:
    with leasing(tmp_path / "c", "exclusive") as clerk:
        lease = clerk.client.call(LEASE_ACQUIRE, LeaseAcquireParams(ttl_s=60))
        card_over(clerk.client, lease)
        clerk.remove()
        clerk.wait("card.removed")
        clerk.insert("p3-3.0-sm4")
        clerk.wait("card.identified")
        with pytest.raises(CallError) as caught:
            card_over(clerk.client, lease)
        assert caught.value.reason == Reason.LEASE_LOST
        assert clerk.client.call(CARD_READ, CardReadParams()).insertion != lease.insertion


def test_an_activation_tells_its_own_client_that_it_holds_the_card_itself(tmp_path: Path) -> None:
    with leasing(tmp_path / "c", "exclusive") as clerk, clerk.rig.client() as other:
        clerk.client.call(LEASE_ACQUIRE, LeaseAcquireParams(ttl_s=60))
        for client, says in ((clerk.client, "You hold a lease"), (other, "Another client holds")):
            with pytest.raises(CallError) as caught:
                client.call(ACTIVATION_START, ActivationStartParams(route=Route.PHARMACY))
            assert caught.value.reason == Reason.LEASE_HELD
            assert caught.value.text["en"].startswith(says)


def test_a_client_that_dies_lets_its_card_go(tmp_path: Path) -> None:
    with leasing(tmp_path / "c", "exclusive") as clerk:
        with clerk.rig.client() as dying:
            lease = dying.call(LEASE_ACQUIRE, LeaseAcquireParams(ttl_s=60))
            card_over(dying, lease)
            with pytest.raises(CallError) as caught:
                clerk.client.call(CARD_READ, CardReadParams())
            assert caught.value.reason == Reason.LEASE_HELD
        read = clerk.client.call(CARD_READ, CardReadParams(wait_s=5), wait_s=5)
        assert read.insertion == lease.insertion
