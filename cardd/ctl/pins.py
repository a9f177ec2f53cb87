"""Passwords on their way from a keyboard to the daemon: never echoed, never an argument, never printed."""

import getpass
import sys
from collections.abc import Callable

import click

NEW_PIN = "new_pin"
"""The purpose of a prompt for a new password, which is typed twice."""

Ask = Callable[[str], str]


def read_pin(purpose: str | None, ask: Ask = getpass.getpass) -> str:
    """Return the digits: typed without echo on a terminal, else one line of standard input. Raises click.UsageError."""
    if not sys.stdin.isatty():
        return _digits(sys.stdin.readline().rstrip("\r\n"))
    if purpose == NEW_PIN:
        return _typed_twice(ask)
    return _digits(ask("Password 密码: "))


def _typed_twice(ask: Ask) -> str:
    while True:
        first = _digits(ask("New password 新密码: "))
        if first == ask("The same again 再次输入: "):
            return first
        click.echo("The two differ. Type them again.  两次输入不一致，请重新输入。", err=True)


def _digits(text: str) -> str:
    if text.isascii() and text.isdigit():
        return text
    raise click.UsageError("a password consists of digits; nothing was sent")
