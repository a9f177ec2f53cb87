"""Failures as an operator reads them: one sentence with the remedy, in both languages where the daemon has them."""

import os

import click
import msgspec

from cardd.client.errors import CallError, ProtocolError, UnreachableError
from cardd.ctl.exits import exit_code


def report(error: Exception, *, as_json: bool) -> int:
    """Print a failure to standard error and return the exit code."""
    code, sentence, shape = _told(error)
    click.echo(msgspec.json.encode({"error": shape}) if as_json else f"cardctl: {sentence}", err=True)
    return code


def _told(error: Exception) -> tuple[int, str, object]:
    match error:
        case CallError():
            shape = {"code": error.code, "message": error.message, "data": error.data}
            return exit_code(error.reason, error.retry), sentence(error), shape
        case UnreachableError():
            return os.EX_UNAVAILABLE, f"{error}.", {"message": str(error)}
        case TimeoutError():
            said = "the daemon does not answer. Look at: systemctl status cardd"
            return os.EX_UNAVAILABLE, f"{said}.", {"message": said}
        case OSError():
            said = f"the output cannot be written ({error.strerror})"
            return os.EX_IOERR, f"{said}.", {"message": said}
        case ProtocolError():
            said = f"{error}; are cardctl and the daemon of the same version?"
            return os.EX_PROTOCOL, said, {"message": said}
        case _:
            said = f"something went wrong inside cardctl ({type(error).__name__}). Please report it"
            return os.EX_SOFTWARE, f"{said}.", {"message": said}


def sentence(error: CallError) -> str:
    """Return one line: the sentences for people, the reason, and what is known about this case."""
    texts = error.text
    said = " ".join(texts[language] for language in ("en", "zh-CN") if language in texts) or error.message
    return f"{said} [{error.reason}{': ' if error.detail else ''}{error.detail}]"
