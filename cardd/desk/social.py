"""An open social security card as every desk operation finds it: environment selected, EF05 read, factors known."""

import hmac
import secrets
from collections.abc import Sequence
from itertools import product
from typing import Final

import msgspec
from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.base.structs import Struct
from cardd.cards import medical, memory, psam
from cardd.cards.ssse import BLOCK, Environment
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import Factors, factors
from cardd.desk.intending import preparing
from cardd.desk.reading import Identity, IssuerData, Proof
from cardd.desk.stopped import StoppedKeys
from cardd.desk.values import StoredItems, Tag, issuer_of
from cardd.desk.via import via_of
from cardd.iso7816.atr import parse_atr
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError
from cardd.keys.service import UNASKED, KeyService
from cardd.readers.insertion import Insertion
from cardd.rules.files import EF05, Generation, generation_of
from cardd.rules.identity import IdentificationCode
from cardd.rules.keys import KEYS, KeyName
from cardd.wire.cards import Kind

_VERSIONS: Final = (1, 2, 3)


_OTHER_ALGORITHM: Final = frozenset({Reason.PSAM_ALGORITHM, Reason.ALGORITHM_UNSUPPORTED})
"""Why a key service may be unable to compute in one way and able in another."""


class Maintenance(Struct, frozen=True):
    """A maintenance command: CLA INS P1 P2, the key whose right it needs, and the key that secures it (LD/T 32.4 8)."""

    header: bytes
    right: KeyName
    stk: KeyName


class Way(Struct, frozen=True):
    """How a card's keys are made. `factors` is None where the answer to reset has no 13 historical bytes."""

    algorithm: Algorithm
    factors: Factors | None


class Proven(msgspec.Struct):
    """By what this very card has proved itself; None: by the version that it chose, in the first way, or not at all."""

    version: int | None = None
    way: Way | None = None


class SocialCard(Struct, frozen=True):
    """An open social security card. Its keys are made in one of `ways`, the first unless it has proved another."""

    environment: Environment
    identity: Identity
    issuer: IssuerData
    generation: Generation
    ways: tuple[Way, ...]
    station: str
    stay: str
    stored: StoredItems
    proven: Proven = msgspec.field(default_factory=Proven)

    @property
    def way(self) -> Way:
        """Return how the card's keys are made, as far as is known."""
        return self.proven.way or self.ways[0]

    @property
    def algorithm(self) -> Algorithm:
        """Return what the card computes with, as far as is known."""
        return self.way.algorithm

    @property
    def factors(self) -> Factors | None:
        """Return what makes its keys out of the issuer's."""
        return self.way.factors


def open_social(channel: Channel, insertion: Insertion) -> SocialCard | None:
    """Select the environment and read EF05; None for every other card, whatever it says to what it does not know.

    Raises CarddError: CARD_ID_MALFORMED, also for a code that is missing; CARD_UNKNOWN. StatusError.
    """
    if memory.is_memory_card(insertion.atr):
        # it takes no commands of its own
        return None
    try:
        return _open(channel, insertion)
    except StatusError as error:
        # "function not supported" or "card blocked": a blocked card says so to everything
        unsupported = error.sw == SW.FUNCTION_NOT_SUPPORTED and medical.select_root(channel)
        if unsupported or psam.recognise(channel):
            return None
        raise
    except CarddError as error:
        if error.reason is Reason.CARD_ID_MALFORMED and psam.recognise(channel):
            return None
        raise


def _open(channel: Channel, insertion: Insertion) -> SocialCard | None:
    environment = Environment.select(channel)
    if environment is None:
        return None
    code = environment.read(EF05, Tag.IDENTIFICATION_CODE)
    if code is None or code.fault:
        raise CarddError(Reason.CARD_ID_MALFORMED, "it is missing" if code is None else code.fault or "")
    parsed = IdentificationCode.parse(code.raw)
    rest = [item.tag for item in EF05.items if item.tag != Tag.IDENTIFICATION_CODE]
    stored: StoredItems = {Tag.IDENTIFICATION_CODE: code, **{tag: environment.read(EF05, tag) for tag in rest}}
    issuer = issuer_of(stored, parsed.region)
    version = stored[Tag.VERSION]
    generation = generation_of(version.raw if version else b"")
    algorithms = _algorithms(environment, generation, parsed.region)
    identity = Identity(
        kind=Kind.SOCIAL_SECURITY,
        via=via_of(insertion.atr),
        generation=generation,
        algorithm=algorithms[0],
        identification_code=parsed.text,
        number=issuer.card_number if isinstance(issuer.card_number, Personal) else None,
        issuer=issuer,
    )
    return SocialCard(
        environment,
        identity,
        issuer,
        generation,
        tuple(Way(*pair) for pair in product(algorithms, _factors(parsed.region, insertion.atr))),
        insertion.station,
        insertion.stay,
        stored,
    )


def reopen(channel: Channel, insertion: Insertion, expected: Identity) -> SocialCard:
    """Open the card and make sure that it is the one read before: cards can be exchanged faster than a reader sees.

    Raises CarddError(CARD_DATA_DIFFERS), StatusError.
    """
    card = open_social(channel, insertion)
    if card is None or not card.identity.same_card(expected):
        raise CarddError(
            Reason.CARD_DATA_DIFFERS, "identification code or card number is not that of the expected card"
        )
    return card


def reopen_genuine(
    channel: Channel, insertion: Insertion, keys: KeyService | None, expected: Identity, deadline: float
) -> SocialCard:
    """Open the card as `reopen` does and have it prove itself again: a copy may lie in its place.

    Raises CarddError: CARD_NOT_GENUINE, also before the card is touched; as `reopen` and `prove` do; StatusError.
    """
    refuse_forged(expected)
    card = reopen(channel, insertion, expected)
    refuse_forged(prove(card, keys, deadline))
    return card


def refuse_forged(identity: Identity) -> None:
    """Raise CarddError(CARD_NOT_GENUINE) for a card that failed to prove itself."""
    if identity.authentic is False:
        raise CarddError(Reason.CARD_NOT_GENUINE, "a card that failed to prove itself is left as it is")


def prove(card: SocialCard, keys: KeyService | None, deadline: float) -> Identity:
    """Have the card prove itself by internal authentication over our own random numbers, and judge the proof.

    Harmless: no counter hangs on it, so a proof is held against every way in which the card's keys may be made, and a
    card whose proof is wrong is asked for those of its other key versions. The version is kept for cards that were made
    alike. A key service that cannot be asked leaves `authentic` None; a card that refuses to answer has not proved
    itself.
    """
    kin = (str(card.generation), _maker(card))
    known = None if keys is None else keys.versions.of(kin)
    proof, judgement = _attempt(card, keys, known, deadline)
    if judgement.authentic is False and keys is not None and card.factors is not None:
        others = (version for version in (None, *_VERSIONS) if version != known)
        found = (_attempt(card, keys, version, deadline) for version in others)
        proof, judgement = next((one for one in found if one[1].authentic), (proof, judgement))
    if judgement.authentic and keys is not None:
        keys.versions.keep(kin, proof.version)
        card.proven.version, card.proven.way = proof.version, judgement.way
    return replace(
        card.identity,
        algorithm=card.algorithm,
        authentic=judgement.authentic,
        unproven=judgement.unproven,
        proof=proof,
    )


class _Judgement(Struct, frozen=True):
    authentic: bool | None
    unproven: Reason | None = None
    way: Way | None = None


def _attempt(
    card: SocialCard, keys: KeyService | None, version: int | None, deadline: float
) -> tuple[Proof, _Judgement]:
    process_factor, original = secrets.token_bytes(BLOCK), secrets.token_bytes(BLOCK)
    try:
        answer = card.environment.internal_authentication(process_factor, original, version)
    except StatusError:
        answer = None
    proof = Proof(process_factor, original, answer, version)
    return proof, _judge(card.ways, keys, proof, deadline)


def _maker(card: SocialCard) -> str:
    organisation = card.issuer.initialising_organisation
    return organisation if isinstance(organisation, str) else str(card.issuer.region)


def _judge(ways: Sequence[Way], keys: KeyService | None, proof: Proof, deadline: float) -> _Judgement:
    """Hold a proof against every way. It is wrong only if all could be judged."""
    if keys is None:
        return _Judgement(None, Reason.PSAM_ABSENT)
    unproven: Reason | None = None
    for way in ways:
        try:
            if way.factors is not None and _is_right(way.algorithm, way.factors, keys, proof, deadline):
                return _Judgement(authentic=True, way=way)
        except CarddError as error:
            if error.reason not in UNASKED:
                raise
            unproven = unproven or error.reason
            if error.reason not in _OTHER_ALGORITHM:
                break
    return _Judgement(None if unproven else False, unproven)


def _is_right(algorithm: Algorithm, factors: Factors, keys: KeyService, proof: Proof, deadline: float) -> bool:
    right = keys.authentication_data(
        KeyName.IRK,
        algorithm,
        factors,
        proof.process_factor,
        proof.original,
        version=proof.version,
        deadline=deadline,
    )
    return proof.answer is not None and hmac.compare_digest(proof.answer, right)


def gain(card: SocialCard, keys: KeyService | None, stopped: StoppedKeys, key: KeyName, deadline: float) -> None:
    """Prove a key to the card by external authentication, just before it is needed.

    Never twice: the first failure stops the key on this station, because the card counts failures and locks the key.
    A card that does not answer has to be put in anew.

    Raises CarddError: KEY_STOPPED, CARD_MUTE (also before anything is sent), CARD_ID_MALFORMED, TIMEOUT, reasons of the
    key service; StatusError.
    """
    with stopped.trial(card.station, key, deadline):
        service, factors = _able(card, keys, key)
        challenge, original = card.environment.challenge(), secrets.token_bytes(BLOCK)
        # what internal authentication has found, for keys of which a card has several; never found out here
        version = card.proven.version if KEYS[key].versions > 1 else None
        answer = service.authentication_data(
            key, card.algorithm, factors, challenge, original, version=version, deadline=deadline
        )
        with stopped.shown(card.stay, key):
            card.environment.external_authentication(service.versions.kid(key), answer, original, version)


def maintain(
    card: SocialCard,
    keys: KeyService | None,
    stopped: StoppedKeys,
    command: Maintenance,
    deadline: float,
    plaintext: Secret | None = None,
) -> None:
    """Send a maintenance command: its right is proved, then cipher and MAC are computed over a fresh challenge.

    Raises CarddError as `gain` does, with the fact `sent` False where the command was not sent; StatusError.
    """
    with preparing():
        service, factors = _able(card, keys, command.stk)
        gain(card, keys, stopped, command.right, deadline)
        challenge = card.environment.challenge()
        data = service.maintenance(
            command.stk, card.algorithm, factors, challenge, command.header, plaintext, deadline=deadline
        )
    card.environment.maintain(command.header, data)


def _able(card: SocialCard, keys: KeyService | None, key: KeyName) -> tuple[KeyService, Factors]:
    if keys is None:
        raise CarddError(Reason.PSAM_ABSENT, "no key service is configured", key=str(key))
    if card.factors is None:
        raise CarddError(Reason.CARD_ID_MALFORMED, "the answer to reset has no 13 historical bytes")
    return keys, card.factors


def _algorithms(environment: Environment, generation: Generation, region: str) -> tuple[Algorithm, ...]:
    """Return what the card may compute with: one where it tells or is of 1.0, else the usual one and the others."""
    usual = environment.algorithm(region)
    if environment.tells_algorithm or generation is Generation.V1:
        return (usual,)
    return tuple(dict.fromkeys((usual, Algorithm.SM4, Algorithm.DES)))


def _factors(region: str, atr: bytes) -> tuple[Factors | None, ...]:
    try:
        usual = factors(region, parse_atr(atr).historical)
    except CarddError:
        return (None,)
    return usual, usual.older
