"""The card's side of vpcd's wire, against a reader that is a plain socket."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from cardsim.links.echo import EchoCard
from cardsim.links.vpcd import VpcdLink

POWER_ON = b"\x00\x01\x01"
COMMAND = bytes.fromhex("0084000008")
FRAMED = b"\x00\x05" + COMMAND
ANSWER = b"\x00\x07" + COMMAND + b"\x90\x00"


@pytest.fixture
def reader() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(5)
        yield server


@pytest.fixture
def link(reader: socket.socket) -> Iterator[VpcdLink]:
    link = VpcdLink(EchoCard(), reader.getsockname()[1])
    link.start()
    yield link
    link.close()


def met(reader: socket.socket) -> socket.socket:
    wire, _ = reader.accept()
    wire.settimeout(5)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire


def answer(wire: socket.socket) -> bytes:
    return wire.recv(len(ANSWER), socket.MSG_WAITALL)


@pytest.mark.usefixtures("link")
@pytest.mark.parametrize("size", [1, 2, 3, len(FRAMED), 2 * len(FRAMED)])
def test_messages_are_understood_however_they_are_cut(reader: socket.socket, size: int) -> None:
    sent = POWER_ON + 2 * FRAMED
    with closing(met(reader)) as wire:
        for at in range(0, len(sent), size):
            wire.sendall(sent[at : at + size])
        assert [answer(wire), answer(wire)] == [ANSWER, ANSWER]


@pytest.mark.usefixtures("link")
@pytest.mark.parametrize("part", [b"", FRAMED[:1], FRAMED[:2], FRAMED[:4]])
def test_a_reader_that_goes_in_the_middle_of_a_message_finds_the_card_again(reader: socket.socket, part: bytes) -> None:
    with closing(met(reader)) as wire:
        wire.sendall(POWER_ON + part)
    with closing(met(reader)) as wire:
        wire.sendall(POWER_ON + FRAMED)
        assert answer(wire) == ANSWER


def test_the_card_is_noticed_once_the_reader_has_spoken(reader: socket.socket, link: VpcdLink) -> None:
    with closing(met(reader)) as wire:
        assert not link.wait_noticed(0.05)
        wire.sendall(POWER_ON)
        assert link.wait_noticed(5)
