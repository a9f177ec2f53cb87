#!/usr/bin/env python3
"""Write docs/man/* from what the programs themselves are made of; with --check, only tell whether it is current.

cardctl(1) and cardsim(1) come from their click commands, cardd(8) from its argparse parser, cardd.yaml(5) from the
types of the configuration.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "simulators")]

import click  # noqa: E402
import msgspec  # noqa: E402

from cardd.api.rights import PRESETS, Right  # noqa: E402
from cardd.base.options import Strict  # noqa: E402
from cardd.cli import parser as cardd_parser  # noqa: E402
from cardd.config import Config  # noqa: E402
from cardd.ctl.main import cardctl  # noqa: E402
from cardsim.cli import cli as cardsim  # noqa: E402

PAGES: Final = ROOT / "docs" / "man"
Lines = Iterator[str]

_ENVIRONMENT: Final = {
    "cardctl": {
        "CARDD_SOCKET": "The daemon's socket, where --socket names none.",
        "PCSCLITE_CSOCK_NAME": "Where `doctor` looks for the smart-card service when no daemon runs.",
    },
    "cardd": {
        "PCSCLITE_CSOCK_NAME": "Where the smart-card service is looked for.",
        "CREDENTIALS_DIRECTORY": "Set by the service manager: `journal.key`, `journal.signing` are looked for there.",
        "NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS": "Set by the service manager; see sd_notify(3), sd_listen_fds(3).",
    },
    "cardsim": {
        "CARDSIM_DIR": "The laboratory's directory, where --dir names none.",
        "CARDD_SOCKET": "The daemon's socket.",
    },
}
_EXITS: Final = {
    "0": "Done.",
    "64": "A wrong use.",
    "65": "Refused, or data that are not right; of `journal verify`: it was altered.",
    "66": "What was named is not there.",
    "69": "The daemon, or something that it needs, is away.",
    "70": "A fault inside the program.",
    "74": "A file cannot be read or written.",
    "75": "Not now: try again.",
    "76": "The other side does not speak as it should.",
    "77": "Not allowed.",
    "78": "The configuration has a mistake.",
    "130": "Interrupted.",
}
_EXITS_OF: Final = {
    "cardctl": {"1": "`doctor` found something wrong.", **_EXITS},
    "cardd": {key: _EXITS[key] for key in ("0", "64", "65", "69", "75", "77", "78", "130")},
    "cardsim": {key: _EXITS[key] for key in ("0", "64", "65", "69", "74", "130")},
}
_SEE_ALSO: Final = ("cardd(8)", "cardctl(1)", "cardsim(1)", "cardd.yaml(5)")


def main() -> int:
    """Write the pages, or tell which ones are not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is not current")
    options = parser.parse_args()
    old = [name for name, text in pages().items() if _stored(name) != text]
    if not options.check:
        PAGES.mkdir(parents=True, exist_ok=True)
        for name in old:
            (PAGES / name).write_text(pages()[name], encoding="utf-8")
        return 0
    for name in old:
        print(f"docs/man/{name} is not current: run tools/man.py")
    return 1 if old else 0


def pages() -> Mapping[str, str]:
    """Return every page by its file name."""
    made = {
        "cardctl.1": click_page("cardctl", cardctl),
        "cardsim.1": click_page("cardsim", cardsim),
        "cardd.8": daemon_page(),
        "cardd.yaml.5": config_page(),
    }
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def _stored(name: str) -> str | None:
    path = PAGES / name
    return path.read_text(encoding="utf-8") if path.exists() else None


# -- programs


def click_page(name: str, group: click.Command) -> Lines:
    """Give the page of a program made with click."""
    context = click.Context(group, info_name=name)
    yield from _head(name, "1", _words(group.get_short_help_str(200)))
    yield ".SH SYNOPSIS"
    yield _synopsis(context)
    yield ".SH DESCRIPTION"
    yield from _prose(group.help or "")
    yield ".SH OPTIONS"
    yield from _click_options(context)
    yield ".PP"
    yield from _prose(_BEHIND.get(name, ""))
    yield ".SH COMMANDS"
    for inner in _leaves(context):
        yield f'.SS "{_plain(inner.command_path.removeprefix(name).strip())}"'
        yield _synopsis(inner)
        yield ".PP"
        yield from _prose(inner.command.help or "")
        yield from _click_options(inner)
    yield from _tail(name)


_BEHIND: Final = {"cardctl": "These options may also stand behind a command."}


def _leaves(context: click.Context) -> Iterator[click.Context]:
    """Yield the contexts of all commands below one, groups with their own words before what is in them."""
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        yield inner
        if isinstance(command, click.Group):
            yield from _leaves(inner)


def _synopsis(context: click.Context) -> str:
    pieces = " ".join(context.command.collect_usage_pieces(context))
    return f"\\fB{_plain(context.command_path)}\\fR {_plain(pieces)}"


def _click_options(context: click.Context) -> Lines:
    """Give the options of a command, without those that the program itself has: they may stand behind any command."""
    root = context.find_root()
    known = {one.name for one in root.command.get_params(root)} if context.parent else set()
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1] and parameter.name not in known:
            yield from _entry(*record)


def daemon_page() -> Lines:
    """Give the page of the daemon."""
    parser = cardd_parser()
    yield from _head("cardd", "8", _words(parser.description or ""))
    yield ".SH SYNOPSIS"
    yield "\\fBcardd\\fR COMMAND [OPTIONS]"
    yield ".SH DESCRIPTION"
    yield from _prose(_DAEMON)
    yield ".SH COMMANDS"
    for words, command in _argparse_leaves(parser, ()):
        yield f'.SS "{_plain(" ".join(words))}"'
        usage = " ".join(command.format_usage().removeprefix("usage: ").split())
        program = f"cardd {' '.join(words)}"
        yield f"\\fB{_plain(program)}\\fR {_plain(usage.removeprefix(program).strip())}"
        yield ".PP"
        yield from _prose(_sentence(command.description or ""))
        for action in command._actions:  # noqa: SLF001 - argparse tells them nowhere else
            if action.dest == "help":
                continue
            name = ", ".join(action.option_strings) or str(action.metavar)
            value = f" {action.metavar or action.dest.upper()}" if action.option_strings and action.nargs != 0 else ""
            yield from _entry(name + value, _sentence(action.help or ""))
    yield ".SH FILES"
    yield from _entry("/etc/cardd/cardd.yaml", "The configuration: cardd.yaml(5).")
    yield from _entry("/run/cardd/cardd.sock", "The socket that clients connect to.")
    yield from _entry("/var/lib/cardd", "The journal, its keys, and the local register.")
    yield from _tail("cardd")


_DAEMON: Final = """cardd stands between the card readers of a counter and its software. It reads and authenticates the
social security card, carries out its activation, and tells every program on the machine over a local socket what
happened. Clients talk to it with cardctl(1) or a library.

It stops in order at SIGTERM and SIGINT. Nothing that was recorded is lost when it is killed: at its next start it goes
on with what was open."""


def _argparse_leaves(
    parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    groups = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]  # noqa: SLF001
    if not groups:
        yield words, parser
    for group in groups:
        for name, inner in group.choices.items():
            yield from _argparse_leaves(inner, (*words, name))


# -- the configuration


def config_page() -> Lines:
    """Give the page of the configuration file."""
    yield from _head("cardd.yaml", "5", "configuration of the card daemon")
    yield ".SH DESCRIPTION"
    yield from _prose(_CONFIG)
    yield ".SH KEYS"
    yield from _members(Config)
    for path, section in _sections(Config, ""):
        yield f'.SS "{_plain(path)}"'
        yield from _prose(section.__doc__ or "")
        yield from _members(section)
    yield ".SH RIGHTS"
    yield from _prose(f"What `grant` may name: {', '.join(f'`{right}`' for right in Right)}; and these presets:")
    for preset, rights in PRESETS.items():
        yield from _entry(preset, f"{', '.join(sorted(rights))}.")
    yield ".SH FILES"
    yield from _entry("/etc/cardd/cardd.yaml", "Read by `cardd run` and `cardd check` where --config names no other.")
    yield from _see_also("cardd.yaml(5)")


_CONFIG: Final = """One YAML file, read strictly: unknown keys, wrong types and duplicates are errors, told with
line and column by `cardd check`. Everything has a default. Relative paths are relative to the file. Secrets never
stand in it: they come from files that it names, or from the service manager's credentials.

A section's name is the way to it; `[]` stands for each entry of a list."""


def _sections(kind: type[Strict], path: str) -> Iterator[tuple[str, type[Strict]]]:
    for name, hint in _hints(kind).items():
        for inner, is_list in _structs(hint):
            where = f"{path}{'.' if path else ''}{name}{'[]' if is_list else ''}"
            yield where, inner
            yield from _sections(inner, where)


def _structs(hint: Any) -> Iterator[tuple[type[Strict], bool]]:
    """Yield the sections that a type is made of, and whether each is an entry of a list."""
    if isinstance(hint, type) and issubclass(hint, Strict):
        yield hint, False
        return
    is_list = get_origin(hint) is list
    for part in get_args(hint):
        yield from ((inner, is_list or deeper) for inner, deeper in _structs(part))


def _members(kind: type[Strict]) -> Lines:
    hints = _hints(kind)
    for field in msgspec.structs.fields(kind):
        yield from _entry(field.encode_name, f"{_type(hints[field.name])}{_default(field)}")


def _hints(kind: type[Strict]) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _type(hint: Any) -> str:
    """Say in words what may stand there."""
    parts = get_args(hint)
    match get_origin(hint):
        case None:
            return _plain_type(hint)
        case origin if origin is Annotated:
            return _type(parts[0]) + "".join(_bounds(one) for one in parts[1:])
        case origin if origin is Literal:
            return " | ".join(f"`{part}`" for part in parts)
        case origin if origin is list:
            return f"list of: {_type(parts[0])}"
        case origin if origin in {Union, UnionType}:
            return " | ".join(_type(part) for part in parts if part is not NoneType)
    return "mapping"


def _plain_type(hint: Any) -> str:
    if issubclass(hint, Strict):
        return "section"
    if hasattr(hint, "__members__"):
        return " | ".join(f"`{member}`" for member in hint)
    return {str: "text", int: "whole number", float: "number", bool: "`true` | `false`"}[hint]


def _bounds(meta: Any) -> str:
    words = {"gt": "over", "ge": "at least", "le": "at most"}
    told = [f"{word} {getattr(meta, name)}" for name, word in words.items() if getattr(meta, name, None) is not None]
    return f" ({', '.join(told)})" if told else ""


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not msgspec.NODEFAULT:
        value = field.default
    elif field.default_factory is not msgspec.NODEFAULT:
        value = msgspec.to_builtins(field.default_factory())
    else:
        return "; must be there."
    if value is None:
        return "; not set."
    if isinstance(value, dict):
        return "."
    return f"; default: `{msgspec.json.encode(value).decode().strip(chr(34)) if value != [] else 'none'}`."


# -- roff


def _head(name: str, number: str, what: str) -> Lines:
    yield '.\\" Written by tools/man.py; do not edit.'
    yield f'.TH {name.upper()} {number} "" cardd "cardd"'
    yield ".SH NAME"
    yield f"{_plain(name)} \\- {_plain(what)}"


def _tail(name: str) -> Lines:
    yield ".SH EXIT STATUS"
    for code, what in _EXITS_OF[name].items():
        yield from _entry(code, what)
    yield ".SH ENVIRONMENT"
    for variable, what in _ENVIRONMENT[name].items():
        yield from _entry(variable, what)
    yield from _see_also(next(page for page in _SEE_ALSO if page.startswith(f"{name}(")))


def _see_also(page: str) -> Lines:
    yield ".SH SEE ALSO"
    yield ", ".join(f"\\fB{one[:-3]}\\fR{one[-3:]}" for one in _SEE_ALSO if one != page)


def _entry(term: str, what: str) -> Lines:
    yield ".TP"
    yield f"\\fB{_plain(term)}\\fR"
    yield _marked(" ".join(what.split())) or "\\&"


def _prose(text: str) -> Lines:
    """Give paragraphs; one that click is told not to wrap keeps its lines."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        lines = [line.strip() for line in paragraph.splitlines()]
        if lines and lines[0] == "\b":
            yield from (".nf", *map(_marked, lines[1:]), ".fi")
        else:
            yield _marked(" ".join(lines))


def _words(sentence: str) -> str:
    """Return a sentence as the name of a page says it."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "…")) or not text else ".")


def _marked(text: str) -> str:
    """Return prose with `what stands between backquotes` in bold."""
    return re.sub(r"`([^`]+)`", lambda found: f"\\fB{found[1]}\\fR", _plain(text))


_ROFF: Final = (("\\", "\\e"), ("-", "\\-"), ("…", "..."), ("–", "\\(en"), ('"', "\\(dq"))


def _plain(text: str) -> str:
    for character, written in _ROFF:
        text = text.replace(character, written)
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    sys.exit(main())
