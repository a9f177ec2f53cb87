"""Who does for the daemon what can be done in several ways: reader backends, key services, authorities.

What only some counters have (pyscard, HTTP) is imported where it is wanted.
"""

from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from cardd.activation.authority import Centre
from cardd.activation.register import LocalRegister
from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.config import BackendName, Config
from cardd.iso7816.device import Backend
from cardd.journal.keyfile import load_key, load_token
from cardd.keys.money import MoneyService
from cardd.keys.options import KeyOptions
from cardd.keys.psam import PsamKeys
from cardd.keys.psam_money import PsamMoney
from cardd.keys.service import KeyService
from cardd.keys.software import SHORT_KEY, SoftwareKeys
from cardd.keys.software_money import SoftwareMoney
from cardd.readers.registry import Readers

log = structlog.get_logger()

KeyServices = tuple[KeyService | None, MoneyService | None]
"""Who computes with the issuer's keys, and who of them for the medical account."""


def backend_of(config: Config) -> Backend:
    """Find the configured reader backend: the daemon's own, or one among what is installed."""
    if config.backend is BackendName.PCSC:
        # imported where readers are real: nobody else needs pyscard
        from cardd.pcsc.backend import PcscBackend  # noqa: PLC0415

        return PcscBackend()
    # to look through installed packages takes a tenth of the whole start, so only the simulator's users do
    from importlib.metadata import entry_points  # noqa: PLC0415

    for entry in entry_points(group="cardd.backends", name=str(config.backend)):
        backend: Backend = entry.load()()
        return backend
    detail = f"no reader backend `{config.backend}` is installed: install the simulator, or use `backend: pcsc`"
    raise CarddError(Reason.INVALID, detail)


def keys_of(config: Config, readers: Readers, clock: Clock) -> KeyServices:
    """Find who computes with the issuer's keys, and tell them what is guessed of the cards' own."""
    keys, money = _key_services(config.keys, readers, clock)
    if keys is not None:
        keys.versions.number(config.keys.kids())
    return keys, money


def _key_services(options: KeyOptions, readers: Readers, clock: Clock) -> KeyServices:
    match options.provider:
        case "none":
            return None, None
        case "psam":
            modules = PsamKeys(readers)
            return modules, PsamMoney(readers, modules, clock=clock)
        case "remote":
            return security_machine(options, clock)
        case "software":
            log.warning("software keys are in use: this is a test machine")
            root = load_key(Path(options.root_file or ""))
            return _software_keys(options, root), SoftwareMoney(root, tests_only=options.tests_only)


def security_machine(options: KeyOptions, clock: Clock) -> KeyServices:
    """Return the security machine of these options. Raises CarddError(INVALID) for files that cannot be used."""
    try:
        # asked for by those who have a security machine: the others need no HTTP
        from cardd.keys.line import HsmLine  # noqa: PLC0415
        from cardd.keys.remote import RemoteKeys  # noqa: PLC0415
    except ImportError:
        raise CarddError(Reason.INVALID, "keys on the network need the extra `http`: install cardd[http]") from None
    machine = RemoteKeys(
        HsmLine(
            options.url or "",
            clock=clock,
            timeout_s=options.timeout_s,
            token=None if options.token_file is None else load_token(Path(options.token_file)),
            ca_file=_path(options.ca_file),
        )
    )
    return machine, machine


def _software_keys(options: KeyOptions, root: Secret) -> SoftwareKeys:
    short = options.stk_root_file
    return SoftwareKeys(
        root,
        tests_only=options.tests_only,
        stk_root=None if short is None else load_key(Path(short), length=SHORT_KEY),
    )


def register_file(config: Config) -> Path:
    """Return where the local authority's register lies.

    Raises CarddError(INVALID) where the authority is none of this machine's.
    """
    if config.authority.provider != "local":
        raise CarddError(Reason.INVALID, "the register is at the card centre: ask there what it holds")
    return Path(config.state_dir) / "register.sqlite"


def authority_of(config: Config, clock: Clock, stack: AsyncExitStack) -> Centre:
    """Find who decides on cards; it is closed with the rest."""
    if config.authority.provider == "local":
        people = _path(config.authority.register)
        register = LocalRegister.open(register_file(config), people, clock=clock)
        stack.callback(register.close)
        return register
    try:
        # asked for by those who have a centre on the network: the others need no HTTP
        from cardd.activation.http_authority import HttpAuthority, Trust  # noqa: PLC0415
    except ImportError:
        raise CarddError(Reason.INVALID, "a centre on the network needs the extra `http`: cardd[http]") from None
    named = config.authority
    trust = Trust(_path(named.ca_file), _path(named.certificate_file), _path(named.key_file))
    centre = HttpAuthority(named.url or "", trust=trust, timeout_s=named.timeout_s)
    stack.push_async_callback(centre.close)
    return centre


def _path(named: str | None) -> Path | None:
    return None if named is None else Path(named)
