"""What can happen to a counter in the middle of its work: a table of disturbances by name."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from support.chaos import FRONT, MODULE, Stage, Visit
from support.neighbour import CARD_WAS_RESET, Neighbour

_MOMENT_S: Final = 0.25
_WAIT_FOR_CARD_S: Final = 12.0


@dataclass(frozen=True)
class Disturbance:
    """`strike` happens while the work stands still, `mend` after it was let go on."""

    strike: Callable[[Stage], None]
    mend: Callable[[Stage], None]


def _nothing(_: Stage) -> None:
    """Leave it as it is."""


# -- pcscd


def _kill(stage: Stage) -> None:
    stage.lab.kill_pcscd()
    stage.until(lambda views: all(view.state == "unavailable" for view in views.values()))


def _start(stage: Stage) -> None:
    stage.lab.restart_pcscd()


def _stop(stage: Stage) -> None:
    stage.lab.stop_pcscd()
    stage.views()


def _go_on(stage: Stage) -> None:
    time.sleep(_MOMENT_S)
    stage.views()
    stage.lab.continue_pcscd()


def _start_with_others(stage: Stage) -> None:
    stage.strangers = 1 - stage.strangers
    stage.lab.restart_pcscd(strangers=stage.strangers)


def _start_without(device: int, reader: str) -> Callable[[Stage], None]:
    def start(stage: Stage) -> None:
        stage.lab.restart_pcscd(unplugged=[device])
        stage.until(lambda views: reader not in views)
        stage.strangers = 0
        stage.lab.restart_pcscd()

    return start


# -- the card


def _pull(stage: Stage) -> None:
    assert stage.target == MODULE or stage.occupied, "no card is inside"
    # the laboratory waits for the card, which stands still: so it is pulled aside
    stage.aside(stage.take if stage.target == FRONT else stage.take_module)
    time.sleep(_MOMENT_S)


def _put_back(stage: Stage) -> None:
    if stage.target == MODULE:
        stage.settle()
        stage.put_module()


# -- a neighbour: another program on the same pcscd


def _neighbour(*orders: str, then: tuple[str, ...] = ("leave",)) -> Disturbance:
    """Have a neighbour connect as soon as it can, and do something; a moment later `then`, or it dies in it."""

    def strike(stage: Stage) -> None:
        reader = stage.lab.readers[stage.target]

        def visit() -> Visit:
            with Neighbour(stage.neighbour, stage.lab.pcscd_socket) as neighbour:
                done = _carried_out(neighbour, f"shared {reader}", *orders)
                if done[-1][1] == CARD_WAS_RESET:
                    # as every program has to that shares a card: the daemon resets it where rights were gained
                    done = _carried_out(neighbour, "leave", f"shared {reader}", *orders)
                if not _failed(done):
                    time.sleep(_MOMENT_S)
                    done += _carried_out(neighbour, *then)
                return done

        stage.visited(visit)
        time.sleep(_MOMENT_S)
        stage.views()

    return Disturbance(strike, _nothing)


def _carried_out(neighbour: Neighbour, *orders: str) -> Visit:
    """Give orders one after the other, as far as they are carried out; return them, each with its answer.

    A neighbour asks for the card until it gets it, so that it comes between where it cannot come at once.
    """
    done: Visit = ()
    for order in orders:
        before = len(neighbour.answers)
        neighbour.order(order)
        came = neighbour.answered(before + 1, _WAIT_FOR_CARD_S)
        done += ((order, neighbour.answers[before] if came else ""),)
        if _failed(done):
            break
    return done


def _failed(done: Visit) -> bool:
    return any(answer.split(" ")[0] != "ok" for _, answer in done)


SELECT_MASTER_FILE: Final = "transmit 00A40000023F00"
GET_CHALLENGE: Final = "transmit 0084000008"

DISTURBANCES: Final[Mapping[str, Disturbance]] = MappingProxyType(
    {
        "pcscd killed": Disturbance(_kill, _start),
        "pcscd stopped": Disturbance(_stop, _go_on),
        "other readers": Disturbance(_kill, _start_with_others),
        "counter's reader removed": Disturbance(_kill, _start_without(0, "reader-0")),
        "module's reader removed": Disturbance(_kill, _start_without(1, "sam-0")),
        "card pulled": Disturbance(_pull, _put_back),
        "neighbour holds": _neighbour("begin", then=("end", "leave")),
        "neighbour dies": _neighbour("begin", then=()),
        "neighbour resets": _neighbour("reset"),
        "neighbour selects": _neighbour(SELECT_MASTER_FILE),
        "neighbour steals": _neighbour(GET_CHALLENGE),
    }
)
"""Every one is over before the next cell of the matrix: pcscd runs and has our readers, the neighbour has gone."""
