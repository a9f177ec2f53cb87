"""What the configuration says of the issuer's keys."""

import re
from typing import ClassVar, Final, Literal

import msgspec

from cardd.base.options import Place, Seconds, Strict, check_address
from cardd.rules.keys import KEYS, KeyName


class KeyOptions(Strict):
    """Who computes with the issuer's keys.

    `remote` is a security machine (HSM) at `url`, asked within `timeout_s` in all; `token_file` holds what it wants to
    be shown, `ca_file` who vouches for it. `software` is for tests: it holds the root key in memory and says so;
    `stk_root_file` holds the root of the keys that have 8 bytes on DES cards. `guesses` tells the identifiers on cards,
    two hex digits, of keys for which no source prints one and cardd has a guess of its own: those of DF05 and DF07, and
    the last of DF01.
    """

    provider: Literal["psam", "remote", "software", "none"] = "psam"
    tests_only: bool = False
    root_file: str | None = None
    stk_root_file: str | None = None
    url: str | None = None
    timeout_s: Seconds = 5.0
    token_file: str | None = None
    ca_file: str | None = None
    guesses: dict[str, str] = msgspec.field(default_factory=dict)

    FILES: ClassVar = ("root_file", "stk_root_file", "token_file", "ca_file")

    def kids(self) -> dict[KeyName, int]:
        """Return the guesses as numbers."""
        return {KeyName(key): int(kid, 16) for key, kid in self.guesses.items()}

    def check(self, place: Place) -> None:
        """Find keys that nobody could compute with, or somebody would with the wrong ones. Raises DocumentError."""
        _allow_software_keys_in_tests_only(self, place)
        _find_the_security_machine(self, place)
        _understand_guesses(self, place)


def _allow_software_keys_in_tests_only(keys: KeyOptions, place: Place) -> None:
    if keys.provider != "software":
        return
    if not keys.tests_only:
        problem = "software keys are for tests: use a PSAM, or write `tests_only: true` beside it on a test machine"
        raise place.wrong(".provider", problem)
    if keys.root_file is None:
        raise place.wrong(".provider", "`root_file` is missing: the file that holds the test root key in hex")


def _find_the_security_machine(keys: KeyOptions, place: Place) -> None:
    if keys.provider != "remote":
        return
    if keys.url is None:
        raise place.wrong(".provider", "`url` is missing: the address of the security machine, https://…")
    check_address(keys.url, place, ".url", "new PINs")


_LOCAL_KID: Final = re.compile(r"[89][0-9A-Fa-f]")


def _understand_guesses(keys: KeyOptions, place: Place) -> None:
    guessed = {name: rule for name, rule in KEYS.items() if rule.inferred}
    for key, kid in keys.guesses.items():
        where = f".guesses.{key}"
        if key not in guessed:
            raise place.wrong(where, f"no identifier is guessed of `{key}`: it can be said of {', '.join(guessed)}")
        if _LOCAL_KID.fullmatch(kid) is None:
            raise place.wrong(where, f'`{kid}` is no identifier of such a key: write two hex digits, "80" to "9F"')
    said = keys.kids()
    kids = {name: (rule.application, said.get(name, rule.kid)) for name, rule in KEYS.items()}
    for key in said:
        twin = next((name for name, kid in kids.items() if name != key and kid == kids[key]), None)
        if twin is not None:
            application, number = kids[key]
            problem = f"{application} has `{twin}` under {number:02X} too: a wrong key costs a card a try, so say both"
            raise place.wrong(f".guesses.{key}", problem)
