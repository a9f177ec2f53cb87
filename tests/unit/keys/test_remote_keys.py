import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.account import account_card
from support.cards import ROOT, insert, on_channel

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.cards.account import Deed
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import factors
from cardd.crypto.money import Amounts
from cardd.desk.account import Order, Outcome, Services, debit, load
from cardd.desk.identify import identify
from cardd.desk.read import read_card
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.device import Transport
from cardd.keys.line import HsmLine
from cardd.keys.remote import RemoteKeys
from cardd.rules.keys import KeyName
from cardsim.hsm import HsmServer, Machine

FACTORS = factors("510100", bytes.fromhex("0081544C9686845101C0FFEE01"))
PROCESS_FACTOR, ORIGINAL = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
STK_ROOT = bytes.fromhex("0123456789ABCDEF")
TOKEN = "let me in"  # noqa: S105 - nobody else is there


def machine() -> Machine:
    return Machine(ROOT, STK_ROOT)


@contextmanager
def keys_at(url: str, timeout_s: float = 5.0, token: Secret | None = None) -> Iterator[RemoteKeys]:
    keys = RemoteKeys(HsmLine(url, clock=SystemClock(), timeout_s=timeout_s, token=token))
    try:
        yield keys
    finally:
        keys.close()


@pytest.fixture
def keys() -> Iterator[RemoteKeys]:
    with HsmServer(machine()) as server, keys_at(server.url) as found:
        yield found


def soon() -> float:
    return time.monotonic() + 20


def authenticate(keys: RemoteKeys, algorithm: Algorithm = Algorithm.SM4, key: KeyName = KeyName.IRK) -> bytes:
    return keys.authentication_data(key, algorithm, FACTORS, PROCESS_FACTOR, ORIGINAL, deadline=soon())


def refused(keys: RemoteKeys, algorithm: Algorithm = Algorithm.SM4, key: KeyName = KeyName.IRK) -> CarddError:
    with pytest.raises(CarddError) as caught:
        authenticate(keys, algorithm, key)
    return caught.value


@pytest.mark.parametrize(
    ("algorithm", "data"), [(Algorithm.DES, "98B77B8088D60DA0"), (Algorithm.SM4, "8135B4D81B42EA5F")]
)
def test_the_machine_computes_what_the_rule_says(keys: RemoteKeys, algorithm: Algorithm, data: str) -> None:
    assert authenticate(keys, algorithm) == bytes.fromhex(data)
    assert keys.status() == {"provider": "remote", "available": True, "host": "127.0.0.1"}


@pytest.mark.parametrize(
    ("algorithm", "header", "pin", "data"),
    [
        (Algorithm.DES, "84240000", None, "C47024C0"),
        (Algorithm.SM4, "84240000", None, "744DC8F2"),
        (Algorithm.DES, "84240001", "123456", "03CF044A21BAF43F03FB91DE"),
        (Algorithm.SM4, "84240001", "123456", "863593C25B5241CEAD20DAA4961FFF60B7079258"),
    ],
)
def test_secure_messages_come_out_as_the_rule_says(
    keys: RemoteKeys, algorithm: Algorithm, header: str, pin: str | None, data: str
) -> None:
    plaintext = None if pin is None else Secret(bytes.fromhex(pin))
    made = keys.maintenance(
        KeyName.STKSSSE, algorithm, FACTORS, PROCESS_FACTOR, bytes.fromhex(header), plaintext, deadline=soon()
    )
    assert made == bytes.fromhex(data)


def test_a_3_0_card_is_read_whole_with_the_machines_keys(keys: RemoteKeys) -> None:
    card = insert("social-jia-3.0")
    reading = read_card(card.channel, card.insertion, keys, None, soon(), stopped=StoppedKeys())
    assert reading.identity.authentic
    assert reading.holder is not None


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])
def test_money_is_moved_and_judged_with_the_machines_keys(
    keys: RemoteKeys, tmp_path: Path, algorithm: Algorithm
) -> None:
    card = on_channel(account_card(tmp_path, algorithm).on("contact"), Transport.T0)
    order = Order(Deed.PURCHASE, Amounts(12_50, 3_00, 20_00), "20240506101112")
    services, pin = Services(keys, keys), Secret(b"123456")
    paid = debit(card.channel, card.insertion, None, services, order, pin, lambda _: None, soon())
    assert (paid.outcome, paid.tac_right, paid.mac_right) == (Outcome.DONE, True, True)
    assert (paid.intent.terminal.hex(), paid.intent.terminal_sequence) == ("510100000009", 1)
    order = replace(order, deed=Deed.LOAD, amounts=Amounts(5000))
    again = card.again()
    loaded = load(again.channel, again.insertion, None, services, order, pin, lambda _: None, soon())
    assert (loaded.outcome, loaded.tac_right) == (Outcome.DONE, True)


def test_what_the_machine_lacks_is_named() -> None:
    with HsmServer(Machine(ROOT, algorithms=frozenset({Algorithm.DES}))) as server, keys_at(server.url) as keys:
        assert refused(keys, Algorithm.SM4).reason is Reason.PSAM_ALGORITHM
        assert keys.status()["available"] is True
        error = refused(keys, Algorithm.DES, KeyName.RK3DF03)
        assert (error.reason, error.facts["key"]) == (Reason.PSAM_KEY_MISSING, "RK3DF03")
        assert authenticate(keys, Algorithm.DES) == bytes.fromhex("98B77B8088D60DA0")


def test_the_machines_card_key_of_another_version_is_another_key() -> None:
    second = Machine(ROOT, keys={(KeyName.IRK, 2): bytes(16)})
    with HsmServer(second) as server, keys_at(server.url) as keys:
        first = authenticate(keys)
        other = keys.authentication_data(
            KeyName.IRK, Algorithm.SM4, FACTORS, PROCESS_FACTOR, ORIGINAL, version=2, deadline=soon()
        )
        assert first != other


def test_a_machine_wants_to_be_shown_its_token() -> None:
    with HsmServer(machine(), token=TOKEN) as server:
        with keys_at(server.url) as keys:
            assert refused(keys).reason is Reason.HSM_UNAVAILABLE
        with keys_at(server.url, token=Secret(TOKEN.encode())) as keys:
            assert authenticate(keys) == bytes.fromhex("8135B4D81B42EA5F")


def test_nobody_at_the_address_is_a_machine_that_is_not_available() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with keys_at(f"http://127.0.0.1:{port}") as keys:
        assert refused(keys).reason is Reason.HSM_UNAVAILABLE
        assert keys.status()["available"] is False


@contextmanager
def answering(*parts: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """Serve every connection these bytes, with pauses between them, until the end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.recv(65536)
                    for part in parts:
                        if over.wait(pause_s):
                            return
                        try:
                            connection.sendall(part)
                        except OSError:
                            break

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def response(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


def test_the_deadline_is_one_for_all_of_an_answer_that_drips() -> None:
    whole = response(b'{"data": "8135B4D81B42EA5F"}')
    with answering(*(whole[at : at + 1] for at in range(len(whole))), pause_s=0.05) as url, keys_at(url, 0.4) as keys:
        began = time.monotonic()
        assert refused(keys).reason is Reason.HSM_UNAVAILABLE
        assert time.monotonic() - began < 0.9


def test_the_callers_deadline_counts_where_it_is_nearer() -> None:
    with answering(b"", pause_s=3) as url, keys_at(url, 5) as keys:
        began = time.monotonic()
        with pytest.raises(CarddError) as caught:
            keys.authentication_data(
                KeyName.IRK, Algorithm.SM4, FACTORS, PROCESS_FACTOR, ORIGINAL, deadline=began + 0.3
            )
        assert caught.value.reason is Reason.HSM_UNAVAILABLE
        assert time.monotonic() - began < 0.9


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no http at all\r\n\r\n",
        response(b""),
        response(b"\xff\xfe"),
        response(b"[" * 50000),
        response(b'{"data": 7}'),
        response(b'{"data": "8135"}'),
        response(b'{"data": "8135B4D81B42EA5X"}'),
        response(b'{"data": "' + b"00" * 40000 + b'"}'),
        response(b'{"error": "no_such_key"', "422 No"),
        response(b'{"error": "something else"}', "422 No"),
        response(b'{"error": "\xff"}', "422 No"),
        response(b'{"x":' + b"[" * 50000, "422 No"),
        response(b"", "302 Found"),
        response(b"", "500 Oh"),
    ],
)
def test_whatever_else_comes_back_is_a_machine_that_is_not_available(answer: bytes) -> None:
    with answering(answer) as url, keys_at(url, 2) as keys:
        assert refused(keys).reason is Reason.HSM_UNAVAILABLE


def test_a_machine_that_is_away_does_not_make_a_card_forged() -> None:
    with answering(b"") as url, keys_at(url, 1) as keys:
        card = insert("social-jia-3.0")
        identity = identify(card.channel, card.insertion, keys, soon())
        assert (identity.authentic, identity.unproven) == (None, Reason.HSM_UNAVAILABLE)


def test_a_machine_is_reached_by_any_answer_of_its_own_and_by_nothing_else(keys: RemoteKeys) -> None:
    assert keys.reachable(deadline=soon())
    refusing = b'HTTP/1.1 404 Not Found\r\nContent-Length: 24\r\n\r\n{"error": "no_such_key"}'
    with answering(refusing) as url, keys_at(url, 2) as other:
        assert other.reachable(deadline=soon())
    for nothing in (b"", b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"):
        with answering(nothing) as url, keys_at(url, 2) as other:
            assert not other.reachable(deadline=soon())
    with keys_at("http://127.0.0.1:9") as nobody:
        assert not nobody.reachable(deadline=soon())


@pytest.mark.parametrize("url", ["http://hsm.example/", "ftp://127.0.0.1/", "https://", "127.0.0.1:8443", ""])
def test_a_new_pin_never_goes_over_an_open_network(url: str) -> None:
    with pytest.raises(CarddError) as caught:
        HsmLine(url, clock=SystemClock())
    assert caught.value.reason is Reason.INVALID


def test_no_answer_and_no_question_is_told_in_an_error() -> None:
    with answering(response(b'{"data": "8135B4D81B42EA5X"}')) as url, keys_at(url, 2) as keys:
        error = refused(keys)
        assert "8135" not in f"{error} {error.data()}"
