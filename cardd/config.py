"""The daemon's configuration: one YAML file, read strictly, with a default for everything.

The defaults serve a first run with the simulator as an ordinary user. Secrets never stand in this file: they come from
files or systemd credentials that it names.
"""

import grp
import os
import re
import socket
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from cardd.api.rights import Right, Rights, RightsRow, expand
from cardd.base.document import load_document, locate, written
from cardd.base.errors import CarddError
from cardd.base.web import host_of
from cardd.rules.keys import KEYS, KeyName

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Days = Annotated[int, msgspec.Meta(ge=1, le=36500)]
Megabytes = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_AMOUNTS_OF_A_BILL: Final = 2


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A mapping of the file in which an unknown key is an error."""


class BackendName(StrEnum):
    """Where readers come from: PC/SC, or one of the simulator's, which are found by entry point `cardd.backends`."""

    PCSC = "pcsc"
    SOCKET = "socket"
    IN_PROCESS = "in-process"


class Access(StrEnum):
    """How cards are opened.

    `exclusive`: for us alone while we work on them. `shared`: other programs may be connected too, and wait while a job
    of ours is done, which is one transaction.
    """

    EXCLUSIVE = "exclusive"
    SHARED = "shared"


class RightsRule(Strict):
    """Who (a user or a group of the machine) may do what: rights and presets."""

    grant: list[str]
    user: str | None = None
    group: str | None = None


Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class ClientLimits(Strict):
    """How much clients may have at once (docs/limits.md).

    `connections` are those of all users together, `requests` under way and `subscriptions` those of one connection;
    what is `of_user` is counted over all connections of one user of the machine.
    """

    connections: Count = 64
    connections_of_user: Count = 48
    requests: Count = 32
    requests_of_user: Count = 128
    subscriptions: Count = 16
    subscriptions_of_user: Count = 128


class Socket(Strict):
    """The local socket. `mode` is octal, as chmod takes it."""

    path: str = "/run/cardd/cardd.sock"
    group: str | None = None
    mode: str | int = "0660"
    rights: list[RightsRule] | None = None
    limits: ClientLimits = msgspec.field(default_factory=ClientLimits)


class Match(Strict):
    """Globs that a reader's name, serial number and USB path must fit; one that is left out fits all."""

    name: str | None = None
    serial: str | None = None
    usb: str | None = None


class Role(StrEnum):
    """What a reader is for."""

    COUNTER = "counter"
    SAM = "sam"
    IGNORED = "ignored"


class Reader(Strict):
    """A rule for readers: which, what for, and what to call them.

    `announces: false` is for a SAM slot that does not notice its card: it is powered now and then to find out.
    `keypad_s` is how long the reader's own keypad, if it has one, waits for each key, in whole seconds.
    """

    match: Match
    role: Role = Role.COUNTER
    name: Name | None = None
    announces: bool = True
    keypad_s: Annotated[int, msgspec.Meta(ge=1, le=255)] = 30


class Station(Strict):
    """One desk and its readers. `auto`: an old card put in begins a pharmacy handoff by itself."""

    name: Name
    readers: list[Reader]
    auto: bool = False


class Keys(Strict):
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

    def kids(self) -> dict[KeyName, int]:
        """Return the guesses as numbers."""
        return {KeyName(key): int(kid, 16) for key, kid in self.guesses.items()}


class Authority(Strict):
    """Who decides on cards.

    `local` is a register of this machine, filled from a YAML file when that has changed. `http` is a card centre at
    `url`, asked within `timeout_s` in all; `ca_file` holds who vouches for it, `certificate_file` and `key_file` what
    this counter shows to it.
    """

    provider: Literal["local", "http"] = "local"
    register: str | None = None
    url: str | None = None
    timeout_s: Seconds = 10.0
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


class Deadlines(Strict):
    """How long each kind of waiting may take, in seconds; a state that is named goes before its kind."""

    person_s: Seconds = 120.0
    card_s: Seconds = 30.0
    authority_s: Seconds = 15.0
    waiting_old_card: Seconds | None = None
    reading_old_card: Seconds | None = None
    waiting_old_password: Seconds | None = None
    waiting_social_card: Seconds | None = None
    reading_social_card: Seconds | None = None
    waiting_pin: Seconds | None = None
    authorising: Seconds | None = None
    updating_card: Seconds | None = None
    waiting_same_card: Seconds | None = None
    confirming: Seconds | None = None


RouteName = Literal["pharmacy", "hospital", "bank"]
PinPolicyName = Literal["none", "verify", "take_over", "change", "change_is_activation"]


class PinPolicies(Strict):
    """A PIN policy for each route."""

    pharmacy: PinPolicyName = "none"
    hospital: PinPolicyName = "none"
    bank: PinPolicyName = "none"


class Activation(Strict):
    """What this counter offers, and its rules.

    `pin_policy`, for all routes or by their names: nothing is done with the card's PIN (`none`); the holder proves it
    (`verify`); the old card's password becomes the PIN (`take_over`, pharmacy only); the holder changes it, after the
    centre's word (`change`) or before it, so that nobody is activated without (`change_is_activation`).
    `expired_cards` and `other_regions` (of another region than `region`) are refused here, or the centre is asked.
    `without_old_card`: whether the pharmacy serves people who never had an old card; `old_numbers`: whether an old card
    without a chip may be given by its number.
    """

    routes: list[RouteName] = msgspec.field(default_factory=lambda: ["pharmacy", "hospital", "bank"])
    pin_policy: PinPolicyName | PinPolicies = "none"
    expired_cards: Literal["refuse", "ask"] = "refuse"
    other_regions: Literal["refuse", "ask"] = "ask"
    region: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}$")] | None = None
    without_old_card: Literal["refuse", "accept"] = "refuse"
    old_numbers: Literal["refuse", "accept"] = "accept"
    deadlines: Deadlines = msgspec.field(default_factory=Deadlines)


class Leases(Strict):
    """For how long a client may hold a card at once; it may ask again before that has passed."""

    longest_s: Seconds = 300.0


class DriverAmounts(Strict):
    """Of what the card's three amounts are made where a program of the national driver has a bill paid.

    `total` is that of the bill, `settled` what account and pool pay of it, `rest` the one less the other.
    """

    account: Literal["nothing", "total", "settled", "rest"] = "nothing"
    self_paid: Literal["nothing", "total", "settled", "rest"] = "total"
    pool: Literal["nothing", "total", "settled", "rest"] = "settled"


class Driver(Strict):
    """The national terminal driver, where its text leaves a choice."""

    amounts: DriverAmounts = msgspec.field(default_factory=DriverAmounts)


class Journal(Strict):
    """The durable record, sealed, signed and kept.

    `key_file` holds the sealing key, `signing_key_file` the signing one (each made at the first start, readable by its
    owner only; credentials `journal.key` and `journal.signing` of the service manager go before them). A head is signed
    every `heads_s` seconds in which anything happened. Events are kept for `keep_days`; over `most_mb` the oldest go
    earlier, but none that is younger than `floor_days`. `reserve_mb` are set aside for the day when the disk is full.
    """

    key_file: str | None = None
    sealing: Literal["sm4-gcm", "aes-256-gcm"] = "sm4-gcm"
    signing_key_file: str | None = None
    signing: Literal["ed25519", "sm2"] = "ed25519"
    heads_s: Seconds = 60.0
    keep_days: Days = 366
    floor_days: Days = 183
    most_mb: Megabytes | None = None
    reserve_mb: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 16


class Logs(Strict):
    """What the log tells, and how; the same message at most `same_a_minute` times a minute, unless it is debugged."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "text"
    same_a_minute: Annotated[int, msgspec.Meta(ge=1)] = 60


class Metrics(Strict):
    """What is measured, as a file for node_exporter.

    `textfile` ends in `.prom` and lies in the directory that its textfile collector reads; it is written every
    `every_s` seconds. Without one, figures are told on the socket alone, to those who ask.
    """

    textfile: str | None = None
    every_s: Seconds = 15.0


class Web(Strict):
    """The gateway for browser pages (docs/web.md), which is not there unless this section is.

    `listen` are addresses of the loopback network with a port, `hosts` what the pages' addresses may call this machine,
    `origins` whose pages are let in. `token_file` holds what they have to show. With `certificate_file` and `key_file`
    pages come by wss:// alone. `grant` are the rights of all pages; `reader` and `keypad_digits` say for pages of other
    drivers which reader is meant, and how many digits are typed at its own keypad.
    """

    listen: Annotated[list[str], msgspec.Meta(min_length=1)]
    origins: Annotated[list[str], msgspec.Meta(min_length=1)]
    token_file: str
    grant: list[str]
    hosts: list[str] = msgspec.field(default_factory=lambda: ["localhost", "127.0.0.1", "[::1]"])
    certificate_file: str | None = None
    key_file: str | None = None
    reader: str | None = None
    keypad_digits: Annotated[int, msgspec.Meta(ge=4, le=16)] | None = None

    def addresses(self) -> list[tuple[str, int]]:
        """Return where to listen. Raises ValueError for what is no address of the loopback network with a port."""
        return [loopback_address(one) for one in self.listen]


def loopback_address(text: str) -> tuple[str, int]:
    """Read `127.0.0.1:8910` or `[::1]:8910`. Raises ValueError for anything that others could reach."""
    host, _, port = text.rpartition(":")
    is_v6 = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if is_v6 else host
    try:
        packed = socket.inet_pton(socket.AF_INET6 if is_v6 else socket.AF_INET, bare)
    except OSError:
        raise ValueError(text) from None
    own = packed == _OWN_V6 if is_v6 else packed[0] == _OWN_V4
    if not own or _PORT.fullmatch(port) is None or int(port) > _LAST_PORT:
        raise ValueError(text)
    return bare, int(port)


_OWN_V4: Final = 127
_OWN_V6: Final = b"\0" * 15 + b"\1"
_LAST_PORT: Final = 0xFFFF
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)


class Config(Strict):
    """The whole file."""

    socket: Socket = msgspec.field(default_factory=Socket)
    state_dir: str = "/var/lib/cardd"
    backend: BackendName = BackendName.PCSC
    access: Access = Access.EXCLUSIVE
    stations: list[Station] = msgspec.field(default_factory=list)
    keys: Keys = msgspec.field(default_factory=Keys)
    authority: Authority = msgspec.field(default_factory=Authority)
    activation: Activation = msgspec.field(default_factory=Activation)
    leases: Leases = msgspec.field(default_factory=Leases)
    driver: Driver = msgspec.field(default_factory=Driver)
    journal: Journal = msgspec.field(default_factory=Journal)
    logs: Logs = msgspec.field(default_factory=Logs)
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    web: Web | None = None


def load_config(path: Path) -> Config:
    """Read and check a configuration; relative paths in it are relative to the file.

    Raises DocumentError: file, line, column and what to write instead.
    """
    config = load_document(path, Config)
    for check in _CHECKS:
        check(config, path)
    base = path.resolve().parent
    config.socket.path = _resolved(config.socket.path, base)
    config.state_dir = _resolved(config.state_dir, base)
    _resolve(config.authority, base, "register", "ca_file", "certificate_file", "key_file")
    _resolve(config.metrics, base, "textfile")
    if config.web is not None:
        _resolve(config.web, base, "token_file", "certificate_file", "key_file")
    _resolve(config.keys, base, "root_file", "stk_root_file", "token_file", "ca_file")
    for name in ("key_file", "signing_key_file"):
        named = getattr(config.journal, name)
        if named is not None:
            setattr(config.journal, name, _resolved(named, base))
    return config


def _resolve(section: Strict, base: Path, *names: str) -> None:
    for name in names:
        named = getattr(section, name)
        if named is not None:
            setattr(section, name, _resolved(named, base))


def _resolved(text: str, base: Path) -> str:
    return os.path.normpath(base / Path(text).expanduser())


def _name_stations_apart(config: Config, path: Path) -> None:
    names = [station.name for station in config.stations]
    for number, name in enumerate(names):
        if name in names[:number]:
            problem = f"two stations are called `{name}`: give each a name of its own"
            raise locate(path, f"$.stations[{number}].name", problem)


def _allow_software_keys_in_tests_only(config: Config, path: Path) -> None:
    if config.keys.provider != "software":
        return
    if not config.keys.tests_only:
        problem = "software keys are for tests: use a PSAM, or write `tests_only: true` beside it on a test machine"
        raise locate(path, "$.keys.provider", problem)
    if config.keys.root_file is None:
        problem = "`root_file` is missing: the file that holds the test root key in hex"
        raise locate(path, "$.keys.provider", problem)


def _find_the_security_machine(config: Config, path: Path) -> None:
    keys = config.keys
    if keys.provider != "remote":
        return
    if keys.url is None:
        raise locate(path, "$.keys.provider", "`url` is missing: the address of the security machine, https://…")
    _check_address(keys.url, path, "$.keys.url", "new PINs")


def _find_the_centre(config: Config, path: Path) -> None:
    authority = config.authority
    if authority.provider != "http":
        return
    if authority.url is None:
        raise locate(path, "$.authority.provider", "`url` is missing: the address of the card centre, https://…")
    _check_address(authority.url, path, "$.authority.url", "whole names")
    if (authority.certificate_file is None) != (authority.key_file is None):
        problem = (
            "`certificate_file` and `key_file` belong together: this counter shows the one and signs with the other"
        )
        raise locate(path, "$.authority", problem)


def _check_address(url: str, path: Path, key: str, goods: str) -> None:
    try:
        host_of(url)
    except CarddError:
        problem = f"write https://host[:port][/path]: {goods} go there, so plain http is for this machine itself"
        raise locate(path, key, problem) from None


def _know_the_region(config: Config, path: Path) -> None:
    activation = config.activation
    if activation.other_regions == "refuse" and activation.region is None:
        problem = "`region` is missing: the six digits of the region whose cards are activated here"
        raise locate(path, "$.activation.other_regions", problem)


def _take_over_where_old_cards_are(config: Config, path: Path) -> None:
    pins = config.activation.pin_policy
    if isinstance(pins, str):
        return
    for route in ("hospital", "bank"):
        if getattr(pins, route) == "take_over":
            problem = "an old card's password can be taken over in the pharmacy only: choose another policy here"
            raise locate(path, f"$.activation.pin_policy.{route}", problem)


_LOCAL_KID: Final = re.compile(r"[89][0-9A-Fa-f]")


def _understand_guesses(config: Config, path: Path) -> None:
    guessed = {name: rule for name, rule in KEYS.items() if rule.inferred}
    for key, kid in config.keys.guesses.items():
        where = f"$.keys.guesses.{key}"
        if key not in guessed:
            raise locate(path, where, f"no identifier is guessed of `{key}`: it can be said of {', '.join(guessed)}")
        if _LOCAL_KID.fullmatch(kid) is None:
            raise locate(path, where, f'`{kid}` is no identifier of such a key: write two hex digits, "80" to "9F"')
    said = config.keys.kids()
    kids = {name: (rule.application, said.get(name, rule.kid)) for name, rule in KEYS.items()}
    for key in said:
        twin = next((name for name, kid in kids.items() if name != key and kid == kids[key]), None)
        if twin is not None:
            application, place = kids[key]
            problem = f"{application} has `{twin}` under {place:02X} too: a wrong key costs a card a try, so say both"
            raise locate(path, f"$.keys.guesses.{key}", problem)


_OCTAL: Final = re.compile(r"0?[0-7]{3}|0o[0-7]{3}")


def _keep_no_less_than_the_floor(config: Config, path: Path) -> None:
    journal = config.journal
    if journal.keep_days < journal.floor_days:
        problem = f"events are kept for at least `floor_days` ({journal.floor_days}): write as many or more"
        raise locate(path, "$.journal.keep_days", problem)


def _name_a_file_that_is_read(config: Config, path: Path) -> None:
    named = config.metrics.textfile
    if named is not None and not named.endswith(".prom"):
        raise locate(path, "$.metrics.textfile", f"node_exporter reads files that end in .prom alone: `{named}.prom`")


def _read_mode(config: Config, path: Path) -> None:
    """Make the mode text. Without quotes YAML has made a number of it: what was written counts, if it is octal."""
    mode = config.socket.mode
    plain = isinstance(mode, int)
    text = written(path, "$.socket.mode") if plain else str(mode)
    if _OCTAL.fullmatch(text) is None or (plain and not text.startswith("0")):
        raise locate(path, "$.socket.mode", f'`{text}` is no mode: write four octal digits, such as "0660"')
    config.socket.mode = text


def _know_the_group(config: Config, path: Path) -> None:
    group = config.socket.group
    if group is None:
        return
    try:
        grp.getgrnam(group)
    except KeyError:
        problem = f"this machine has no group `{group}`: create it, or correct the name"
        raise locate(path, "$.socket.group", problem) from None


def _understand_rights(config: Config, path: Path) -> None:
    for number, rule in enumerate(config.socket.rights or []):
        row = f"$.socket.rights[{number}]"
        if (rule.user is None) == (rule.group is None):
            raise locate(path, row, "a row of rights names either a `user` or a `group`")
        for place, name in enumerate(rule.grant):
            # what one right needs beside it is a matter of the whole row
            _understood(path, f"{row}.grant[{place}]", partial(expand, [name, Right.PERSONAL]))
        _understood(path, f"{row}.grant", partial(expand, rule.grant))
        whose = RightsRow(grant=rule.grant, user=rule.user, group=rule.group)
        who = f"{row}.{'user' if rule.user is not None else 'group'}"
        _understood(path, who, partial(Rights.of, [whose]))


_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\]", re.ASCII)
_ORIGIN: Final = re.compile(rf"https?://(?:{_HOST.pattern})(?::[1-9][0-9]{{0,4}})?", re.ASCII)


def _listen_on_this_machine_only(config: Config, path: Path) -> None:
    for place, one in enumerate(config.web.listen if config.web else []):
        try:
            loopback_address(one)
        except ValueError:
            problem = f"write an address of this machine itself with a port, 127.0.0.1:8910 or [::1]:8910, not `{one}`"
            raise locate(path, f"$.web.listen[{place}]", problem) from None


def _know_the_pages(config: Config, path: Path) -> None:
    web = config.web
    if web is None:
        return
    for place, host in enumerate(web.hosts):
        if _HOST.fullmatch(host) is None:
            problem = f"`{host}` is no host: write it in small letters as it stands in an address, without the port"
            raise locate(path, f"$.web.hosts[{place}]", problem)
    for place, origin in enumerate(web.origins):
        if _ORIGIN.fullmatch(origin) is None or origin.endswith(_PLAIN_PORTS[origin.partition(":")[0]]):
            problem = f"`{origin}` is no origin: write scheme, host and port as a browser does, https://his.example"
            raise locate(path, f"$.web.origins[{place}]", problem)
    if (web.certificate_file is None) != (web.key_file is None):
        raise locate(path, "$.web", "`certificate_file` and `key_file` belong together")
    for place, name in enumerate(web.grant):
        _understood(path, f"$.web.grant[{place}]", partial(expand, [name, Right.PERSONAL]))
    _understood(path, "$.web.grant", partial(expand, web.grant))


_PLAIN_PORTS: Final = {"http": ":80", "https": ":443"}
"""What a browser leaves out."""


def _understood(path: Path, where: str, read: Callable[[], object]) -> None:
    try:
        read()
    except CarddError as error:
        raise locate(path, where, error.detail) from None


def _tell_both_amounts_again(config: Config, path: Path) -> None:
    amounts = config.driver.amounts
    if len({amounts.account, amounts.self_paid, amounts.pool} - {"nothing"}) < _AMOUNTS_OF_A_BILL:
        problem = "the card has to have two of `total`, `settled` and `rest`: its records could not be read else"
        raise locate(path, "$.driver.amounts", problem)


_CHECKS: Final[tuple[Callable[[Config, Path], None], ...]] = (
    _name_stations_apart,
    _allow_software_keys_in_tests_only,
    _find_the_security_machine,
    _understand_guesses,
    _find_the_centre,
    _know_the_region,
    _take_over_where_old_cards_are,
    _keep_no_less_than_the_floor,
    _name_a_file_that_is_read,
    _read_mode,
    _know_the_group,
    _understand_rights,
    _tell_both_amounts_again,
    _listen_on_this_machine_only,
    _know_the_pages,
)
"""What is well formed and cannot work all the same."""
