"""The medical account by hand: `cardctl account` at a real counter."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from support.clerk import Clerk, counter
from support.private import PIN

from cardsim.rig import program


def said(clerk: Clerk, *words: str, typed: str = "") -> str:
    """Run it, which has to succeed; return what it prints."""
    done = subprocess.run(
        [program("cardctl"), *words],
        env=clerk.rig.environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == os.EX_OK, done.stderr
    return done.stdout


def told(clerk: Clerk, *words: str, typed: str = "") -> Any:
    return json.loads(said(clerk, "--json", *words, typed=typed))


def test_a_bill_is_paid_once_shown_among_the_records_and_proved(tmp_path: Path) -> None:
    with counter(tmp_path / "c") as clerk:
        clerk.insert("p5-offline")
        clerk.wait("card.identified")
        before = told(clerk, "account", "balance")["account"]
        pay = ("account", "debit", "--account", "12.50", "--pool", "20", "--request", "bill-1")
        assert "bill-1: done; account 12.50, self paid 0.00, pool 20.00" in said(clerk, *pay, typed=f"{PIN}\n")
        assert told(clerk, *pay)["outcome"] == "done"
        assert told(clerk, "account", "balance")["account"] == before - 1250
        assert told(clerk, "account", "balance", "--pin", typed=f"{PIN}\n")["account"] == before - 1250
        assert f"account {(before - 1250) // 100}." in said(clerk, "account", "balance")
        assert len(said(clerk, "account", "records", "--limit", "1", typed=f"{PIN}\n").splitlines()) == 2
        assert "done" in said(clerk, "account", "proof", "bill-1", typed=f"{PIN}\n")
