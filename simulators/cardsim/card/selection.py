"""SELECT and GET RESPONSE (LD/T 32.5)."""

from itertools import chain
from typing import Final

from cardsim.card.command import Command, Direction
from cardsim.card.filesystem import Application, ElementaryFile
from cardsim.card.machine import Machine, Reply
from cardsim.card.status import Refusal, Status, right_length, waiting
from cardsim.card.system import ANY_LENGTH, Row, exactly

BY_FID: Final = 0x00
FILE_BY_FID: Final = 0x02
BY_NAME: Final = 0x04
_NEXT: Final = 0x02
_PARAMETERS: Final = frozenset({(BY_FID, 0), (FILE_BY_FID, 0), (BY_NAME, 0), (BY_NAME, _NEXT)})
_MF: Final = 0x3F00
_FID: Final = 2
_NAME_LENGTHS: Final = range(5, 17)
_FCI: Final = 0x6F
_NAME: Final = 0x84


def select(machine: Machine, command: Command) -> Reply:
    """Select an application (answer: its FCI) or an elementary file (no answer)."""
    data = command.data
    if command.p1 == BY_NAME:
        if len(data) not in _NAME_LENGTHS:
            raise Refusal(Status.WRONG_LENGTH, "LD/T 32.5 SELECT: a name has 5 to 16 bytes")
        return _enter(machine, _by_name(machine, data, command.p2))
    if len(data) != _FID and (data or command.p1 == FILE_BY_FID):
        raise Refusal(Status.WRONG_LENGTH, "LD/T 32.5 SELECT: a file identifier has 2 bytes")
    fid = int.from_bytes(data, "big") if data else _MF
    if command.p1 == BY_FID:
        application = machine.root if fid == _MF else machine.session.application.neighbour(fid)
        if application is not None:
            return _enter(machine, application)
        if machine.toggles.file_by_p1_00 == "refused":
            raise Refusal(Status.FILE_ABSENT, f"LD/T 32.5 SELECT: no application {fid:04X}, and P1 00 selects no file")
    return _choose(machine, fid)


def fci(application: Application) -> bytes:
    """Return `6F LL 84 LL name`, and the A5 part of an environment."""
    body = bytes((_NAME, len(application.name))) + application.name + application.directory
    return bytes((_FCI, len(body))) + body


def _by_name(machine: Machine, name: bytes, occurrence: int) -> Application | None:
    # whole names are unique, so there is never a next one
    found = None if occurrence == _NEXT else _nearest(machine, name)
    if found is None and machine.toggles.partial_names == "matched":
        return _by_beginning(machine, name, occurrence)
    return found


def _nearest(machine: Machine, name: bytes) -> Application | None:
    """Return what has the name; it may stand in several environments (a security module's DF01)."""
    here = machine.session.application
    near = chain((here,), here.children, here.parent.children if here.parent else (), machine.root.walk())
    return next((found for found in near if found.name == name and _shown(machine, found)), None)


def _by_beginning(machine: Machine, beginning: bytes, occurrence: int) -> Application | None:
    """Return the first application whose name begins so, or the next one behind the current application."""
    walked = (found for found in machine.root.walk() if _shown(machine, found))
    matches = [found for found in walked if found.name.startswith(beginning)]
    here = machine.session.application
    at = matches.index(here) + 1 if occurrence == _NEXT and here in matches else 0
    return matches[at] if at < len(matches) else None


def _shown(machine: Machine, application: Application) -> bool:
    return machine.on_antenna or not application.on_antenna


def _enter(machine: Machine, application: Application | None) -> Reply:
    if application is None:
        raise Refusal(Status.FILE_ABSENT, "LD/T 32.5 SELECT: no application of this name")
    machine.enter(application)
    if application.is_blocked:
        raise Refusal(Status.APPLICATION_BLOCKED, "LD/T 32.5 SELECT: this application is blocked for good")
    return Reply(fci(application))


def _choose(machine: Machine, fid: int) -> Reply:
    application = machine.session.application
    if application.is_blocked:
        raise Refusal(Status.APPLICATION_BLOCKED, "LD/T 32.5 APPLICATION BLOCK: this application is blocked")
    file = application.files.get(fid)
    if file is None:
        raise Refusal(Status.FILE_ABSENT, f"LD/T 32.5 SELECT: no file {fid:04X} in {application.label}")
    machine.select_file(file)
    return Reply()


def addressed_file(machine: Machine, sfi: int) -> ElementaryFile:
    """Return the file that a short identifier means (00: the current one) and make it the current one."""
    if sfi == 0:
        if machine.session.file is None:
            raise Refusal(Status.NO_CURRENT_FILE, "LD/T 32.5: no file is selected")
        return machine.session.file
    file = machine.session.application.by_sfi(sfi)
    if file is None:
        raise Refusal(Status.FILE_ABSENT, f"LD/T 32.5: no file with short identifier {sfi:02X}")
    if machine.session.file is not file or machine.toggles.pointer_by_sfi == "reset":
        machine.select_file(file)
    return file


def challenge_after_reading(machine: Machine) -> None:
    """Forget the challenge where cards do so that take reading for a use of it."""
    if machine.toggles.challenge_after_reading == "used":
        machine.take_challenge()


def get_response(machine: Machine, command: Command) -> Reply:
    """Hand out what the last command left waiting (T=0)."""
    left = machine.session.waiting
    length = command.le or 0
    if not left:
        raise Refusal(Status.NOTHING_WAITING, "LD/T 32.5 GET RESPONSE: no data is waiting")
    if length > len(left):
        raise right_length(len(left), "LD/T 32.5 GET RESPONSE: Le is more than is waiting")
    data, machine.session.waiting = left[:length], left[length:]
    status = waiting(len(machine.session.waiting)) if machine.session.waiting else Status.DONE
    return Reply(data, status, "LD/T 32.5 GET RESPONSE: done")


ROWS: Final = (
    Row(
        name="SELECT",
        cla=0x00,
        ins=0xA4,
        direction=Direction.IN,
        parameters=lambda p1, p2: (p1, p2) in _PARAMETERS,
        lengths=ANY_LENGTH,
        handler=select,
        in_blocked=True,
    ),
    Row(
        name="GET RESPONSE",
        cla=0x00,
        ins=0xC0,
        direction=Direction.OUT,
        parameters=exactly(0, 0),
        lengths=ANY_LENGTH,
        handler=get_response,
        # part of how T=0 hands an answer over, no command of its own
        keeps_transaction=True,
    ),
)
