"""The virtual card: in the program itself, through a Channel with its tracer, and through pcscd beside echo cards.

Through pcscd the cards are on one core, and the terminal and pcscd on another (where there is but one, all are there).
Left to the scheduler, one of two C cards that are the same took twice as long as the other for a whole run: where it
puts three programs that wait for each other says more than what they compute.

In-process figures are processor time, which on an idle machine is the time that passes: there is nothing to wait for.
They are taken in blocks, because reading the clock takes as long as a part of a command. The ways take turns in rounds,
so that what the machine does besides is shared fairly.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

import structlog

from bench.laboratory import C_ECHO, ECHO, UNHURRIED, apart, laboratory
from bench.programs import Times, compile_c, in_turns
from bench.report import Bound, Goal, Quotient, Row, Settings, amount, publish, rates, ratios
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel, Tracer
from cardd.iso7816.device import Transport
from cardd.iso7816.trace import Log, MaskingTracer
from cardd.rules.names import SSSE_NAME
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.persona import load_persona

ABOUT: Final = "GET CHALLENGE from a C program through pcscd and vpcd"
PERSONA: Final = "social-jia-3.0"
ROUNDS: Final = amount(10, short=2)
BLOCKS: Final = amount(10, short=2)
A_BLOCK: Final = amount(2000, short=20)
PCSCD_ROUNDS: Final = amount(400, short=2)
"""Many short ones: what else the machine does comes and goes in less than a second."""
COUNT: Final = amount(50, short=5)
SLOW_ROUNDS: Final = amount(20, short=2)
SLOW: Final = 5
"""Instead of `COUNT` where each command takes as long as the kernel puts off an acknowledgement."""

IN_C: Final = "echo card in C"
ANOTHER: Final = "another echo card in C"
IN_PYTHON: Final = "echo card in Python"
WITHOUT: Final = "echo card in Python, without TCP_QUICKACK"
VIRTUAL: Final = "virtual card"

SELECT: Final = Command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME, 256)
GET_CHALLENGE: Final = Command(0x00, 0x84, 0x00, 0x00, le=8)
AUTHENTICATE: Final = Command(0x00, 0x88, 0x00, 0x00, bytes(range(16)), 8)
GET_RESPONSE: Final = Command(0x00, 0xC0, 0x00, 0x00, le=8)
ON_CONTACTS: Final = Command(0x00, 0x88, 0x00, 0x00, bytes(range(16)))

Ways = dict[str, Times]


def opened(interface: str) -> VirtualCard:
    """Make a card and select its environment."""
    card = make_card(load_persona(PERSONA), interface=interface)
    card.power_on()
    card.transmit(SELECT.encode())
    return card


class Nobody:
    """A logger whose lines go nowhere."""

    def debug(self, event: str, /, **fields: object) -> object:
        """Take a line."""


def json_log(sink: TextIO) -> Log:
    """Make a logger that does what the daemon's does at level debug."""
    logger: Log = structlog.wrap_logger(
        structlog.PrintLogger(sink),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    return logger


def sending(*commands: Command) -> Callable[[], None]:
    """Return what sends a card its commands; the last is answered with 8 bytes and 9000."""
    card = opened("contact" if GET_RESPONSE in commands else "contactless")
    raw = [command.encode() for command in commands]

    def send() -> None:
        answer = b""
        for command in raw:
            answer = card.transmit(command)
        assert len(answer) == 10

    return send


def through_channel(tracer: Tracer | None) -> Callable[[], None]:
    """Return what sends GET CHALLENGE through a Channel."""
    channel = Channel(opened("contact").transmit, Transport.T0, tracer)

    def send() -> None:
        assert channel.send(GET_CHALLENGE).ok

    return send


def blocks(send: Callable[[], None]) -> list[float]:
    """Return the mean microseconds of processor time of each block of calls."""
    times = []
    for _ in range(BLOCKS):
        began = time.thread_time_ns()
        for _ in range(A_BLOCK):
            send()
        times.append((time.thread_time_ns() - began) / 1000 / A_BLOCK)
    return times


def in_process(sink: TextIO) -> Ways:
    """Let the ways without pcscd take turns."""
    ways = {
        "GET CHALLENGE": sending(GET_CHALLENGE),
        "INTERNAL AUTHENTICATION, SM4": sending(AUTHENTICATE),
        "the same at T=0, with GET RESPONSE": sending(ON_CONTACTS, GET_RESPONSE),
        "GET CHALLENGE through a Channel": through_channel(None),
        "with the masking tracer": through_channel(MaskingTracer(Nobody())),
        "with the masking tracer, lines written": through_channel(MaskingTracer(json_log(sink))),
    }
    times: Ways = {name: [] for name in ways}
    for send in ways.values():
        blocks(send)
    for _ in range(ROUNDS):
        for name, send in ways.items():
            times[name].append(blocks(send))
    return times


def through_pcscd(program: Path) -> tuple[Ways, list[float]]:
    """Send the same command to each card in turn; also returns what leaving TCP_QUICKACK out costs, by rounds."""
    names = (IN_C, ANOTHER, IN_PYTHON, VIRTUAL)
    command = GET_CHALLENGE.encode()
    with apart() as core, laboratory(C_ECHO, C_ECHO, ECHO, PERSONA, UNHURRIED, core=core) as place:
        *readers, unhurried = place.readers
        times = in_turns(program, command, readers, PCSCD_ROUNDS, COUNT)
        ways = dict(zip(names, times, strict=True))
        without, beside = in_turns(program, command, (unhurried, readers[names.index(IN_PYTHON)]), SLOW_ROUNDS, SLOW)
    return {**ways, WITHOUT: without}, ratios(without, beside)


def rows(ways: Ways) -> list[Row]:
    """Sum up all rounds of each way."""
    return [Row.of(name, [value for values in rounds for value in values]) for name, rounds in ways.items()]


def fastest(name: str, wanted: float, rounds: Times) -> Goal:
    """Hold the median rate of each round against a goal."""
    return Goal.of(f"{name}, a second", Bound.AT_LEAST, wanted, rates([sorted(r)[len(r) // 2] for r in rounds]))


def outside(name: str, about: str) -> None:
    """Measure through pcscd and publish it."""
    with tempfile.TemporaryDirectory() as directory:
        ways, without = through_pcscd(compile_c("turns", Path(directory)))
    goals = [
        Goal.of(f"speed in parts of the {echo}", Bound.AT_LEAST, 0.95, ratios(ways[echo], ways[VIRTUAL]))
        for echo in (IN_C, IN_PYTHON)
    ]
    quotients = [
        Quotient.of(f"speed of {ANOTHER} in parts of the first", ratios(ways[IN_C], ways[ANOTHER])),
        Quotient.of("without TCP_QUICKACK, time in parts of with it", without),
    ]
    settings: Settings = {"persona": PERSONA, "rounds": PCSCD_ROUNDS, "commands_a_round": COUNT}
    publish(name, about, rows(ways), settings, goals, quotients)


def inside() -> None:
    """Measure in this process and publish it."""
    with Path(os.devnull).open("w", encoding="utf-8") as sink:
        ways = in_process(sink)
    goals = [
        fastest("GET CHALLENGE", 200_000, ways["GET CHALLENGE"]),
        fastest("INTERNAL AUTHENTICATION with SM4", 50_000, ways["INTERNAL AUTHENTICATION, SM4"]),
        fastest("commands through Channel and tracer", 40_000, ways["with the masking tracer"]),
    ]
    settings: Settings = {
        "persona": PERSONA,
        "rounds": ROUNDS,
        "blocks_a_round": BLOCKS,
        "commands_a_block": A_BLOCK,
    }
    publish("card", "the virtual card in the program itself, means of processor time", rows(ways), settings, goals)


def main() -> None:
    """Measure, print, write."""
    inside()
    outside("card-pcscd", ABOUT)


if __name__ == "__main__":
    main()
