"""Cases of who may do what, and for how long: S-READ, S-WRITE, S-SCOPE, FW."""

from collections.abc import Iterable, Iterator
from typing import Final

from cardd.conformance.card import DONE, FILE_ABSENT, NO_CHALLENGE, NO_RIGHT, RECORD_ABSENT, Card, set_pin
from cardd.conformance.case import Case, Cost
from cardd.conformance.checks import NotApplicableError, holds, same
from cardd.rules.access import PIN, Access, Right
from cardd.rules.files import APPLICATIONS, EF05, EF06, FileRule, Generation
from cardd.rules.keys import KEYS, KeyName
from cardd.rules.names import PBOC_CONTACT

_BANK_VERIFY: Final = (0x00, 0x20, 0x00, 0x80)


def reading(card: Card) -> None:
    """Every file is read with each of the rights that suffice, and with nothing less; a wrong key's right is none."""
    for rule in list(_ruled(card)):
        access = rule.read[card.subject.generation]
        if _has_something(card, rule, access):
            _is_refused(card, rule, access, frozenset())
            for way in access.ways:
                if card.can_gain(way):
                    _start(card, rule)
                    card.gain(way)
                    same(f"READ {rule.address} with {_words(way)}", card.read_some(rule).sw, DONE)
            for key in _strangers(card, rule, access):
                _is_refused(card, rule, access, frozenset({key}))


def reading_with_both(card: Card) -> None:
    """Refuse to read a file that needs PIN and key with one of them."""
    found = False
    for rule in list(_ruled(card)):
        access = rule.read[card.subject.generation]
        both = [way for way in access.ways if len(way) > 1 and card.can_gain(way)]
        if not both or not card.subject.pin or len(access.ways) > 1:
            continue
        found = True
        for right in both[0]:
            _is_refused(card, rule, access, frozenset({right}))
        _start(card, rule)
        card.gain(both[0])
        same(f"READ {rule.address} with {_words(both[0])}", card.read_some(rule).sw, DONE)
    if not found:
        raise NotApplicableError("no such file, or no PIN to be asked for")


def writing(card: Card) -> None:
    """Every update key writes its own files and no other; without a key nothing is written."""
    contents = {rule.address: content for rule in list(_ruled(card)) if (content := _content(card, rule))}
    for application in list(card.applications()):
        rules = [rule for rule in APPLICATIONS[application].files if rule.address in contents]
        keys = {rule.write for rule in rules if rule.write in KEYS}
        for key in (None, *sorted(key for key in keys if key is not None)):
            card.restart()
            card.go(application)
            if key is not None:
                same(f"EXTERNAL AUTHENTICATION {key}", card.prove(key), DONE)
            for rule in rules:
                what = f"UPDATE {rule.address} with {key or 'no right'}"
                status = card.write_some(rule, contents[rule.address])
                if rule.write is None:
                    holds(status != DONE, f"{what}: it was written")
                else:
                    same(what, status, DONE if rule.write == key else NO_RIGHT)


def _content(card: Card, rule: FileRule) -> bytes:
    """Return what may be written into a file: what is there already; of a cyclic file an empty record."""
    ways = [way for way in rule.read[card.subject.generation].ways if card.can_gain(way)]
    if not ways:
        return b""
    card.open_to_read(rule)
    found = card.read_some(rule)
    empty = rule.record_length and found.sw == RECORD_ABSENT
    return bytes(rule.record_length) if empty else found.data if found.sw == DONE else b""


def scope(card: Card) -> None:
    """Local rights end with their application, all rights with the power; a challenge serves once."""
    card.go("DF01")
    file = local_file(card)
    key = only_key(file.read[card.subject.generation])
    same(f"EXTERNAL AUTHENTICATION {key}", card.prove(key), DONE)
    same("READ with the right", card.read_some(file).sw, DONE)
    same("READ with the right, again", card.read_some(file).sw, DONE)
    same("SELECT of the same application", card.select_fid(APPLICATIONS["DF01"].fid, 0x00).sw, DONE)
    same("READ after SELECT of the same application", card.read_some(file).sw, DONE)
    for away in ("DF02", "SSSE"):
        same(f"SELECT {away}", card.select(away), DONE)
        same("SELECT DF01", card.select("DF01"), DONE)
        same(f"READ after {away} was selected", card.read_some(file).sw, NO_RIGHT)
        same(f"EXTERNAL AUTHENTICATION {key}", card.prove(key), DONE)
    for reset in (card.link.warm_reset, card.link.cold_reset):
        reset()
        card.go("DF01")
        same("READ after a reset", card.read_some(file).sw, NO_RIGHT)
        same(f"EXTERNAL AUTHENTICATION {key}", card.prove(key), DONE)
    _serves_once(card, key)


def _serves_once(card: Card, key: KeyName) -> None:
    proof = card.proof(key)
    same("EXTERNAL AUTHENTICATION", card.authenticate(key, proof), DONE)
    same("the same challenge again", card.authenticate(key, proof), NO_CHALLENGE)
    card.challenge()
    old = card.proof(key)
    card.challenge()
    status = card.authenticate(key, old)
    holds(status not in {DONE, NO_CHALLENGE}, "a challenge serves although a newer one was given")
    same(f"EXTERNAL AUTHENTICATION {key}", card.prove(key), DONE)


def pin_scope(card: Card) -> None:
    """Keep the PIN's right in every application until the power goes."""
    card.go("DF01")
    file = local_file(card)
    set_pin(card)
    if frozenset({PIN}) not in file.read[card.subject.generation].ways:
        raise NotApplicableError("no file that the PIN alone opens")
    card.gain_pin()
    for away in ("DF02", "SSSE"):
        same(f"SELECT {away}", card.select(away), DONE)
        same("SELECT DF01", card.select("DF01"), DONE)
        same(f"READ with the PIN after {away} was selected", card.read_some(file).sw, DONE)
    card.restart()
    card.go("DF01")
    same("READ after the power was away", card.read_some(file).sw, NO_RIGHT)


def firewall(card: Card) -> None:
    """Take no right along to the bank's environment nor back; its commands leave the social side as it is."""
    card.go("SSSE")
    tries = card.verify("")
    if card.select_name(PBOC_CONTACT).sw == FILE_ABSENT:
        raise NotApplicableError("no bank environment")
    card.send(*_BANK_VERIFY, bytes.fromhex("26123456FFFFFFFF"))
    card.go("SSSE")
    same("tries of the social PIN after a VERIFY of the bank's", card.verify(""), tries)
    content = _content(card, EF05)
    card.go("SSSE")
    same("EXTERNAL AUTHENTICATION UKSSSE", card.prove(KeyName.UKSSSE), DONE)
    same("UPDATE with the right", card.write_some(EF05, content), DONE)
    third = card.subject.generation is Generation.V3
    if third:
        same("EXTERNAL AUTHENTICATION RKSSSE", card.prove(KeyName.RKSSSE), DONE)
    same("SELECT of the bank's environment", card.select_name(PBOC_CONTACT).sw, DONE)
    holds(card.write_some(EF05, content) != DONE, "UPDATE of a social file inside the bank's environment")
    same("SELECT SSSE", card.select("SSSE"), DONE)
    same("UPDATE after the bank's environment", card.write_some(EF05, content), NO_RIGHT)
    same("READ of EF06 after the bank's environment", card.read_some(EF06).sw, NO_RIGHT if third else DONE)


def certificates(card: Card) -> None:
    """Say that the certificate application has no published layout."""
    del card
    raise NotApplicableError("layout not published")


def _ruled(card: Card) -> Iterator[FileRule]:
    """Yield the files that are there and whose generation has a rule for reading them."""
    return (rule for rule in card.files() if rule.exists_in(card.subject.generation))


def _has_something(card: Card, rule: FileRule, access: Access) -> bool:
    # an absent record is told before a missing right: an empty file shows nothing of its conditions
    if access.free:
        return True
    _start(card, rule)
    return card.read_some(rule).sw != RECORD_ABSENT


def _is_refused(card: Card, rule: FileRule, access: Access, rights: frozenset[Right]) -> None:
    """Hold a card to refusing rights that do not suffice. A PIN that is not set needs no proof."""
    _start(card, rule)
    had = rights if card.has_pin() else rights | {PIN}
    enough = access.opened_by(had)
    card.gain(rights)
    empty = (RECORD_ABSENT,) if enough else ()
    same(f"READ {rule.address} with {_words(rights)}", card.read_some(rule).sw, DONE if enough else NO_RIGHT, *empty)


def _strangers(card: Card, rule: FileRule, access: Access) -> Iterable[KeyName]:
    """Return one key of the file's own application that is no part of any way to read it."""
    wanted = {right for way in access.ways for right in way}
    here = (name for name, key in KEYS.items() if key.application == rule.application and name.startswith(("RK", "UK")))
    others = [name for name in here if name not in wanted and _is_known(card, name)]
    return others[:1]


def _is_known(card: Card, name: KeyName) -> bool:
    card.restart()
    card.go(KEYS[name].application)
    return card.prove(name) == DONE


def _start(card: Card, rule: FileRule) -> None:
    card.restart()
    card.go(rule.application)


def local_file(card: Card) -> FileRule:
    """Return a file of DF01, the current application, that its key alone opens and nobody has opened yet."""
    generation = card.subject.generation
    for rule in APPLICATIONS["DF01"].files:
        if rule.exists_in(generation) and _opens_by_key(rule.read[generation]):
            status = card.read_some(rule).sw
            if status == NO_RIGHT:
                return rule
    raise NotApplicableError("no file in DF01 that a key opens")


def _opens_by_key(access: Access) -> bool:
    return access.key is not None and access.key in KEYS


def only_key(access: Access) -> KeyName:
    """Return the key of a condition that has one."""
    assert access.key is not None  # noqa: S101 # local_file's choice
    return access.key


def _words(rights: frozenset[Right]) -> str:
    return " & ".join(sorted(rights)) or "no right"


CASES: Final = (
    Case("S-READ", "rights to read", Cost.PROOFS, reading),
    Case("S-READ-AND", "files that need PIN and key", Cost.PROOFS, reading_with_both),
    Case("S-WRITE", "rights to write", Cost.TRIES, writing),
    Case("S-SCOPE", "how long rights and challenges last", Cost.TRIES, scope),
    Case("S-SCOPE-PIN", "how long the PIN's right lasts", Cost.PROOFS, pin_scope),
    Case("FW", "application firewall, at a try of the bank's PIN", Cost.TRIES, firewall),
    *(Case(f"ACSE-{number}", "certificate application", Cost.NOTHING, certificates) for number in (1, 2, 3)),
)
