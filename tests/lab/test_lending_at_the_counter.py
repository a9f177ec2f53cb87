"""A reader in another program's hands: `cardctl lend` with real programs on a real pcscd, however they may end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clerk import PATIENCE_S, Clerk, counter
from support.neighbour import build
from support.waiting import until

from cardd.wire.methods import READERS_LIST, SYSTEM_STATUS
from cardd.wire.system import NoParams

READER = "reader-0"
SELECT = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
CARD = "social-jia-3.0"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clerk]:
    with counter(tmp_path_factory.mktemp("c")) as clerk:
        yield clerk


@pytest.fixture(scope="module")
def borrower(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program that opens readers as any other on the machine does."""
    return str(build(tmp_path_factory.mktemp("b")))


@pytest.fixture
def clerk(running: Clerk) -> Iterator[Clerk]:
    """A counter with a card in its reader."""
    running.insert(CARD)
    running.wait("card.identified")
    yield running
    running.remove()
    running.wait("card.removed")


def cardctl(clerk: Clerk, *words: str, own_session: bool = False) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cardd.ctl.main", *words],
        env=clerk.rig.environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=own_session,
        # whoever runs the tests without a terminal may have it ignored, which a child would inherit
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 - it takes no lock
    )


def tried(process: "subprocess.Popen[str]", order: str) -> str:
    """Give a borrower an order and return the first word of its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{order}\n")
    process.stdin.flush()
    return process.stdout.readline().split()[0]


def lend(clerk: Clerk, *command: str, orders: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Lend the reader to a command that gets its orders as lines; returns exit code, output and complaints."""
    with cardctl(clerk, "lend", READER, "--", *command) as process:
        out, err = process.communicate("".join(f"{order}\n" for order in orders), timeout=PATIENCE_S)
    return process.returncode, out, err


def lent(clerk: Clerk) -> dict[str, str]:
    """Return what `system.status` says is lent of the station."""
    return clerk.client.call(SYSTEM_STATUS, NoParams())["stations"][0]["lent"]


def inside(clerk: Clerk) -> tuple[str, str | None]:
    """Return the reader's state and the insertion in it."""
    readers = clerk.client.call(READERS_LIST, NoParams()).readers
    view = next(view for view in readers if view.reader == READER)
    return view.state, None if view.card is None else view.card.insertion


def given_out(clerk: Clerk) -> str:
    """Wait until the reader is lent, and return the insertion that ended by it."""
    removed = clerk.wait("card.removed")
    assert removed["data"]["cause"] == "lent"
    assert clerk.wait("reader.lent")["subject"] == READER
    insertion: str = removed["insertion"]
    return insertion


def back_again(clerk: Clerk, before: str) -> None:
    """Wait until the reader is taken back and the card inside is known, as another insertion."""
    inserted = clerk.wait("card.inserted")
    assert inserted["insertion"] != before
    assert clerk.wait("reader.taken_back")["subject"] == READER
    identified = clerk.wait("card.identified")
    assert (identified["insertion"], identified["data"]["authentic"]) == (inserted["insertion"], True)
    assert inside(clerk) == ("present", inserted["insertion"])
    assert lent(clerk) == {}


def test_a_program_has_the_reader_for_itself_while_it_runs(clerk: Clerk, borrower: str) -> None:
    name = clerk.rig.lab.readers[0]
    code, out, err = lend(clerk, borrower, orders=(f"exclusive {name}", f"transmit {SELECT}", "leave"))
    assert (code, err) == (os.EX_OK, "")
    opened, selected, left = out.splitlines()
    assert (opened, selected[:5], left) == ("ok", "ok 61", "ok")
    back_again(clerk, given_out(clerk))


def test_a_program_that_only_leaves_the_card_reset_leaves_a_new_insertion(clerk: Clerk, borrower: str) -> None:
    name = clerk.rig.lab.readers[0]
    assert lend(clerk, borrower, orders=(f"exclusive {name}", "reset"))[:2] == (os.EX_OK, "ok\nok\n")
    back_again(clerk, given_out(clerk))


def test_a_program_that_dies_with_the_card_open_leaves_a_new_insertion(clerk: Clerk, borrower: str) -> None:
    name = clerk.rig.lab.readers[0]
    # an order that it does not know ends it at once, in the middle of its transaction
    code, out, _ = lend(clerk, borrower, orders=(f"exclusive {name}", "begin", "nonsense"))
    assert (code, out) == (1, "ok\nok\n")
    back_again(clerk, given_out(clerk))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("sh", "-c", "exit 3"), 3),
        (("sh", "-c", "kill -9 $$"), 128 + 9),
        (("/nowhere/at-all",), 127),
        (("/etc/passwd",), 126),
    ],
    ids=["its own code", "killed", "not there", "not to be run"],
)
def test_the_exit_code_is_the_commands_and_the_reader_is_taken_back(
    clerk: Clerk, command: tuple[str, ...], code: int
) -> None:
    assert lend(clerk, *command)[0] == code
    back_again(clerk, given_out(clerk))


def test_the_command_is_told_the_readers_name_and_keeps_its_own_options(clerk: Clerk) -> None:
    _, out, _ = lend(clerk, "sh", "-c", 'echo "$CARDD_PCSC_READER $1"', "sh", "--json")
    assert out == f"{clerk.rig.lab.readers[0]} --json\n"
    back_again(clerk, given_out(clerk))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda how: how.name)
def test_with_cardctl_its_command_ends_and_the_reader_is_taken_back(
    clerk: Clerk, borrower: str, how: signal.Signals
) -> None:
    with cardctl(clerk, "lend", READER, "--", borrower) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"exclusive {clerk.rig.lab.readers[0]}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ok\n"
        before = given_out(clerk)
        assert READER in str(lent(clerk))
        assert inside(clerk) == ("in_use", None)
        process.send_signal(how)
        # it has the pipe too, which ends when both have
        assert process.stdout.read() == ""
    assert process.returncode == (-how if how is signal.SIGKILL else 128 + how)
    back_again(clerk, before)


def test_a_command_that_does_not_want_to_end_does_not_outlive_cardctl(clerk: Clerk) -> None:
    script = "trap '' TERM HUP; echo $$; while :; do sleep 0.05; done"
    with cardctl(clerk, "lend", READER, "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        borrower = Path("/proc") / process.stdout.readline().strip()
        before = given_out(clerk)
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        assert borrower.exists()
        process.kill()
        until(lambda: not borrower.exists(), "the command's end")
    back_again(clerk, before)


def test_what_the_keyboard_interrupts_is_the_command(clerk: Clerk) -> None:
    script = "trap 'echo told; exit 7' INT; echo up; while :; do sleep 0.05; done"
    with cardctl(clerk, "lend", READER, "--", "sh", "-c", script, own_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == "told\n"
    assert process.returncode == 7
    back_again(clerk, given_out(clerk))


def test_another_card_put_in_meanwhile_is_identified_afterwards_and_not_before(clerk: Clerk, borrower: str) -> None:
    name = clerk.rig.lab.readers[0]
    with cardctl(clerk, "lend", READER, "--", borrower) as process:
        before = given_out(clerk)
        assert tried(process, f"exclusive {name}") == "ok"
        clerk.remove()
        until(lambda: tried(process, f"transmit {SELECT}") == "no", "pcscd to see that the card has gone")
        tried(process, "leave")
        clerk.insert("social-yi-3.0")
        until(lambda: tried(process, f"exclusive {name}") == "ok", "pcscd to see the other card")
        assert inside(clerk) == ("in_use", None)
        process.communicate("leave\n", timeout=PATIENCE_S)
    back_again(clerk, before)
    assert clerk.events[-1]["data"]["number"] == "*****0028"


def test_a_lent_reader_is_lent_to_nobody_else(clerk: Clerk) -> None:
    with cardctl(clerk, "lend", READER, "--", "cat") as process:
        before = given_out(clerk)
        code, out, err = lend(clerk, "echo", "run")
        assert (code, out) == (os.EX_TEMPFAIL, "")
        assert "READER_IN_USE" in err
        process.communicate("", timeout=PATIENCE_S)
    back_again(clerk, before)


def test_a_reader_that_is_not_there_is_not_lent_and_nothing_is_run(clerk: Clerk) -> None:
    with cardctl(clerk, "lend", "reader-9", "--", "echo", "run") as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (os.EX_NOINPUT, "")
    assert "NOT_FOUND" in err


def test_a_counter_in_the_middle_of_a_handoff_keeps_its_reader(running: Clerk) -> None:
    running.insert("old-jia")
    activation = running.step("waiting_social_card")["correlationid"]
    code, out, err = lend(running, "echo", "run")
    assert (code, out) == (os.EX_TEMPFAIL, "")
    assert "BUSY" in err
    running.cancel(activation)
    running.wait("activation.cancelled")
    running.remove()
    running.wait("card.removed")


def test_a_daemon_that_ends_meanwhile_takes_nothing_from_the_command(tmp_path: Path) -> None:
    command = ("sh", "-c", "echo begun; exec cat")
    with counter(tmp_path / "c") as clerk, cardctl(clerk, "lend", READER, "--", *command) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        clerk.rig.stop_daemon(signal.SIGKILL)
        out, err = process.communicate("still here\n", timeout=PATIENCE_S)
        assert (process.returncode, out) == (os.EX_OK, "still here\n")
        assert "the daemon has gone" in err
        clerk.rig.start_daemon()
        clerk.client.close()
        after = Clerk(clerk.rig)
        assert lent(after) == {}
        assert inside(after) == ("empty", None)
        after.client.close()
