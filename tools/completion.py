#!/usr/bin/env python3
"""Write completion/* for bash and zsh; with --check, only tell whether they are current.

cardctl and cardsim complete themselves (click): their files only ask them. The file for cardd is a table of its
commands and options, so that nothing is started for it.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "simulators")]

import click  # noqa: E402
from click.shell_completion import BashComplete, ShellComplete, ZshComplete  # noqa: E402

from cardd.cli import parser as cardd_parser  # noqa: E402
from cardd.ctl.main import cardctl  # noqa: E402
from cardsim.cli import cli as cardsim  # noqa: E402

FOLDER: Final = ROOT / "completion"

_BASH: Final = """# Written by tools/completion.py; do not edit.
_cardd() {
    local word words=""
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* || $word == */* || $word == *.* ]] || words+="${words:+ }$word"
    done
    case "$words" in
%s
        *) COMPREPLY=() ;;
    esac
    [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _cardd cardd
"""
_ZSH: Final = """#compdef cardd
# Written by tools/completion.py; do not edit.
_cardd() {
    local word said=""
    for word in ${words[2,CURRENT-1]}; do
        [[ $word == -* || $word == */* || $word == *.* ]] || said+="${said:+ }$word"
    done
    case "$said" in
%s
    esac
    _files
}
compdef _cardd cardd
"""


def main() -> int:
    """Write the files, or tell which ones are not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not current")
    options = parser.parse_args()
    old = {name: text for name, text in files().items() if _stored(name) != text}
    for name, text in old.items():
        if options.check:
            print(f"completion/{name} is not current: run tools/completion.py")
        else:
            (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_text(text, encoding="utf-8")
    return 1 if old and options.check else 0


def files() -> Mapping[str, str]:
    """Return every file by its name: where the shells' packages look for them it is called the same."""
    made = {"bash/cardd": _cardd(_BASH, _bash_row), "zsh/_cardd": _cardd(_ZSH, _zsh_row)}
    for name, command in {"cardctl": cardctl, "cardsim": cardsim}.items():
        made[f"bash/{name}"] = _by_click(BashComplete, name, command)
        made[f"zsh/_{name}"] = _by_click(ZshComplete, name, command)
    return made


def _stored(name: str) -> str | None:
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.exists() else None


def _by_click(shell: type[ShellComplete], name: str, command: click.Command) -> str:
    complete = shell(command, {}, name, f"_{name.upper()}_COMPLETE")
    # not `source()`: that looks which bash is here
    return (complete.source_template % complete.source_vars()).strip() + "\n"


def _cardd(template: str, row: Callable[[str, str], str]) -> str:
    return template % "\n".join(row(words, said) for words, said in _table(cardd_parser(), ()))


def _table(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield what may follow which words."""
    groups = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]  # noqa: SLF001
    commands = [name for group in groups for name in group.choices]
    options = [one for action in parser._actions for one in action.option_strings if one.startswith("--")]  # noqa: SLF001
    yield " ".join(words), " ".join([*commands, *options])
    for group in groups:
        for name, inner in group.choices.items():
            yield from _table(inner, (*words, name))


def _bash_row(words: str, said: str) -> str:
    return f'        "{words}") COMPREPLY=($(compgen -W "{said}" -- "${{COMP_WORDS[COMP_CWORD]}}")) ;;'


def _zsh_row(words: str, said: str) -> str:
    return f'        "{words}") compadd -- {said} ;;'


if __name__ == "__main__":
    sys.exit(main())
