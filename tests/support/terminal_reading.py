"""The cases of the terminal's interface that only read: basic information and files."""

import re
from pathlib import Path

from cardd.rules.files import Generation
from support.terminal import ANTENNA, NotApplicable, Service, Terminal, check
from support.terminal_profiles import Profile

_OF_PERSON = {
    "holder.social_security_number",
    "issuer.card_number",
    "issuer.identification_code",
    "holder.name",
    "issuer.issue_date",
    "issuer.valid_until",
}
_OTHER_CARD = "social-jia-3.0"
_WRONG = "00" * 8
_BAD_ADDRESSES = (
    "",
    "DF01EF0A|37",
    "nonsense|$",
    "DF01EF0A|3|$",
    "DF01EF0A:1|37|$",
    "DF02EF07:0|$",
    "DF01EF15|40:999|$",
)


def keyless(terminal: Terminal) -> bool:
    return terminal.service is Service.STEPS


def need_keys(terminal: Terminal) -> None:
    if keyless(terminal):
        raise NotApplicable("a terminal without keys: the same is done in steps")


# -- basic information


def bas_1(terminal: Terminal, card: Profile) -> None:
    _basic(terminal, card, 1)


def bas_2(terminal: Terminal, card: Profile) -> None:
    need_keys(terminal)
    terminal.insert(card)
    terminal.fails(-2, "iReadCardBas", 2)
    if not card.dual:
        raise NotApplicable("the card has no antenna (iType 2 is -2, as it must)")
    terminal.insert(card, ANTENNA)
    terminal.gives(card.basic(terminal.number), "iReadCardBas", 2)
    terminal.fails(-2, "iReadCardBas", 1)


def bas_3(terminal: Terminal, card: Profile) -> None:
    _either(terminal, card, 3)


def bas_4(terminal: Terminal, card: Profile) -> None:
    _either(terminal, card, 4)


def _basic(terminal: Terminal, card: Profile, way: int) -> None:
    """Have each of the eleven items compared with the card, and the disclosure on record."""
    need_keys(terminal)
    terminal.insert(card)
    terminal.gives(card.basic(terminal.number), "iReadCardBas", way)
    check("items", len(card.basic("").split("|")), 12)
    before = len(terminal.disclosures(lambda found: found[-1]["purpose"] == "iReadCardBas"))
    terminal.gives(card.basic(terminal.number), "iReadCardBas", way)
    last = terminal.disclosures(lambda found: len(found) > before and set(found[-1]["fields"]) == _OF_PERSON)[-1]
    check("the purpose on record", last["purpose"], "iReadCardBas")


def _either(terminal: Terminal, card: Profile, way: int) -> None:
    """Have it read by whichever way there is, by the first one where cards lie in both."""
    _basic(terminal, card, way)
    if not card.dual:
        return
    other = "social-yi-3.0"
    terminal.insert(other, ANTENNA, alone=False)
    first = terminal.done("iReadCardBas", way).split("|")[2]
    terminal.remove(ANTENNA)
    check("the contacts go first", first == card.card.card_number, way == 3)
    terminal.insert(card, ANTENNA)
    terminal.gives(card.basic(terminal.number), "iReadCardBas", way)


def bas_e(terminal: Terminal, card: Profile) -> None:
    """Provoke each number."""
    terminal.remove()
    terminal.remove(ANTENNA)
    terminal.fails(-2, "iReadCardBas", 3)
    code = f"{card.region}D156000006C0FFEE00FFFFFFFF"
    terminal.insert(card.changed("damaged", files={"SSSEEF05": {"01": code}}))
    terminal.fails(-20, "iReadCardBas", 1)
    terminal.insert(card.changed("other-irk", keys={"IRK": "DEADBEEF" * 4}))
    if keyless(terminal):
        key = terminal.office(card).basic(terminal.done("iReadCardBas_HSM_Step1", 1))
        terminal.fails(-21, "iReadCardBas_HSM_Step2", key)
        terminal.insert(card)
        terminal.fails(-2201, "iReadCardBas", 1)
        return
    terminal.fails(-21, "iReadCardBas", 1)
    terminal.insert(card)
    if terminal.service is Service.PSAM:
        _modules(terminal, card)
    terminal.gives(card.basic(terminal.number), "iReadCardBas", 1)


def _modules(terminal: Terminal, card: Profile) -> None:
    """Go through the modules that cannot serve the card."""
    other = "sm4" if card.card.algorithm == "des" else "des"
    modules: dict[str, tuple[int, str]] = {
        "algorithm": (-2202, f"algorithms: [{other}]"),
        "key": (-27272, "keys: {RKSSSE: 00112233445566778899AABBCCDDEEFF}"),
        "level": (-24, "level: provincial\nregion: '330100'"),
    }
    if card.generation is Generation.V3:
        modules["rksse"] = (-2203, "keys: {IRK: 00112233445566778899AABBCCDDEEFF}")
    try:
        terminal.module(None)
        terminal.fails(-2201, "iReadCardBas", 1)
        for name, (number, says) in modules.items():
            terminal.module(_module(card.path.with_name(f"psam-{name}.yaml"), says))
            terminal.fails(number, "iReadCardBas", 1)
    finally:
        terminal.module("psam")


def _module(path: Path, says: str) -> Path:
    usual = {
        "level": "level: national",
        "region": "region: '510100'",
        "algorithms": "algorithms: [des, sm4]",
        "keys": "keys: {root: 00112233445566778899AABBCCDDEEFF, stk_root: 0123456789ABCDEF}",
        "terminal_number": "terminal_number: '510100000001'",
    }
    said = {line.split(":")[0]: line for line in says.splitlines()}
    path.write_text("\n".join(["card: psam", *(usual | said).values()]), encoding="utf-8")
    return path


def bas_h(terminal: Terminal, card: Profile) -> None:
    terminal.insert(card)
    office = terminal.office(card)
    key = office.basic(_basic_request(terminal, card))
    terminal.gives(card.basic(terminal.number), "iReadCardBas_HSM_Step2", key)
    for length in (0, 20, 33 if card.generation is Generation.V3 else 31):
        key = office.basic(_basic_request(terminal, card))
        terminal.fails(-14, "iReadCardBas_HSM_Step2", key[:length])
        terminal.fails(-12, "iReadCardBas_HSM_Step2", key)
    key = office.basic(_basic_request(terminal, card))
    terminal.fails(-21, "iReadCardBas_HSM_Step2", _WRONG + key[16:])
    if card.generation is Generation.V3:
        key = office.basic(_basic_request(terminal, card))
        terminal.fails(-25538, "iReadCardBas_HSM_Step2", key[:33] + _WRONG + key[49:])
        terminal.clear()
        terminal.spoil()


def _basic_request(terminal: Terminal, card: Profile) -> str:
    request = terminal.done("iReadCardBas_HSM_Step1", 1)
    *items, end = request.split("|")
    external = 16 if card.generation is Generation.V3 else 0
    check("lengths of the items", [len(item) for item in items], [6, 26, 2, 32, 16, 16, external, external])
    algorithm = {"des": "01", "sm4": "03"}[card.card.algorithm or "des"]
    check("what is of the card", items[:4], [card.region, card.historical, algorithm, card.code])
    check("the end", end, "")
    return request


# -- files


def auth(terminal: Terminal, card: Profile) -> int:
    """Return by what a file is opened: the PIN where the terminal has no keys, and on cards whose files want it."""
    return 1 if keyless(terminal) or card.generation is Generation.V1 else 2


def single(card: Profile) -> tuple[str, str]:
    return ("DF01EF0A|37|$", f"DF01EF0A|{card.content('DF01EF0A', '37')}|$")


def read_1(terminal: Terminal, card: Profile) -> None:
    terminal.insert(card)
    by = auth(terminal, card)
    repeated, tag = ("DF02EF05", "43") if card.generation is Generation.V1 else ("DF01EF15", "40")
    records = card.card.files["DF02EF07"]
    both = "".join(f"{card.content('DF01EF05', item)}|" for item in ("0E", "20", "21"))
    free = "SSSEEF07" if card.generation is Generation.V1 else "DF01EF16"
    size = 0x300 if card.generation is Generation.V1 else 0x128
    transparent = str(card.card.files[free])
    for address, wanted in (
        single(card),
        ("DF01EF05|0E|20|21|$", f"DF01EF05|{both}$"),
        (f"{repeated}|{tag}:2|$", f"{repeated}|{card.content(repeated, f'{tag}:2')}|$"),
        (f"{repeated}|{tag}:01|{tag}:02|$",
         f"{repeated}|{card.content(repeated, tag)}|{card.content(repeated, f'{tag}:2')}|$"),
        ("SSSEEF05|07|$SSSEEF06|08|09|$",
         f"SSSEEF05|{card.card.card_number}|$SSSEEF06|{card.card.holder.social_security_number}|{card.card.holder.name}|$"),
        (f"{single(card)[0]}mfef05|07$", f"{single(card)[1]}SSSEEF05|{card.card.card_number}|$"),
        ("DF02EF07|$", f"DF02EF07|{records[0]}|{records[1]}|$"),  # type: ignore[index]
        ("DF02EF07:2|$", f"DF02EF07:2|{records[1]}|$"),  # type: ignore[index]
        ("DF02EF07:01$", f"DF02EF07:1|{records[0]}|$"),  # type: ignore[index]
        (f"{free}|$", f"{free}|{transparent.ljust(2 * size, '0')}|$"),
    ):  # fmt: skip
        if keyless(terminal) and card.generation is Generation.V3 and "SSSEEF06" in address:
            terminal.fails(-2201, "iReadCard", 1, by, card.info, address)
            continue
        terminal.gives(wanted, "iReadCard", 1, by, card.info, address)
    last = terminal.disclosures(lambda found: f"records.{repeated}.{tag}:2" in found[-1]["fields"])[-1]
    check("the purpose on record", last["purpose"], "iReadCard")


def read_2(terminal: Terminal, card: Profile) -> None:
    terminal.insert(card)
    either, item = ("DF02EF05", "42") if card.generation is Generation.V1 else ("DF01EF05", "20")
    value = card.content(either, item)
    with terminal.asks("social_pin"):
        terminal.gives(f"{either}|{value}|$", "iReadCard", 1, 1, card.info, f"{either}|{item}|$")
    both = f"DF04EF06|{card.content('DF04EF06', '90')}|$"
    if keyless(terminal):
        terminal.fails(-2201, "iReadCard", 1, 2, card.info, f"{either}|{item}|$")
        for by in (1, 2):
            terminal.fails(-2201, "iReadCard", 1, by, card.info, "DF04EF06|90|$")
    else:
        with terminal.asks():
            terminal.gives(f"{either}|{value}|$", "iReadCard", 1, 2, card.info, f"{either}|{item}|$")
        for by in (1, 2):
            with terminal.asks("social_pin"):
                terminal.gives(both, "iReadCard", 1, by, card.info, "DF04EF06|90|$")
    for by in (1, 2):
        with terminal.asks():
            terminal.gives(f"SSSEEF05|{card.card.card_number}|$", "iReadCard", 1, by, card.info, "SSSEEF05|07|$")


def read_e(terminal: Terminal, card: Profile) -> None:
    terminal.insert(card)
    for address in (
        "",
        "DF01EF0A|37",
        "nonsense|$",
        "DF01EF0A|3|$",
        "DF01EF0A:1|37|$",
        "DF02EF07:0|$",
        "DF01EF15|40:999|$",
    ):
        terminal.fails(-14, "iReadCard", 1, 1, card.info, address)
    for info in ("", "x|y|", card.info.replace("D156", "ZZZZ")):
        terminal.fails(-14, "iReadCard", 1, 1, info, "SSSEEF05|07|$")
    terminal.fails(-14, "iReadCard", 1, 3, card.info, "SSSEEF05|07|$")
    terminal.fails(-14, "iReadCard", 0, 1, card.info, "SSSEEF05|07|$")
    terminal.fails(-27266, "iReadCard", 1, 1, card.info, "DF01EF7A|37|$")
    terminal.fails(-27267, "iReadCard", 1, 1, card.info, "DF01EF0A|99|$")
    terminal.fails(-22, "iReadCard", 1, 1, card.info.replace(card.card.card_number, "T99999999"), "SSSEEF05|07|$")
    terminal.insert(_OTHER_CARD)
    with terminal.asks():
        terminal.fails(-22, "iReadCard", 1, 1, card.info, "DF01EF05|20|$")
    terminal.insert(card)
    terminal.gives(f"SSSEEF05|{card.card.card_number}|$", "iReadCard", 1, 1, card.info, "SSSEEF05|07|$")


def read_h(terminal: Terminal, card: Profile) -> None:
    terminal.insert(card)
    office = terminal.office(card)
    for needless in ("SSSEEF05|07|$", "DF04EF08|$"):
        terminal.fails(-2204, "iReadCard_HSM_Step1", 1, card.info, needless)
        terminal.done("iReadCard", 1, 1, card.info, needless)
    file, item = ("DF02EF05", "42") if card.generation is Generation.V1 else ("DF04EF05", "84")
    wanted = f"{file}|{card.content(file, item)}|$"
    request = terminal.done("iReadCard_HSM_Step1", 1, card.info, f"{file}|{item}|$SSSEEF05|07|$")
    if not re.fullmatch(r"0[13]\|[0-9A-F]{4}\|[0-9A-F]{16}\|[0-9A-F]{16}\|", request):
        check("the request", request, "algorithm, address, process factor and original data")
    key = office.key(request)
    check("the key's length", len(key), 32)
    terminal.gives(wanted, "iReadCard_HSM_Step2", key)
    with terminal.asks("social_pin"):
        request = terminal.done("iReadCard_HSM_Step1", 1, card.info, "DF04EF06|90|$")
    terminal.gives(f"DF04EF06|{card.content('DF04EF06', '90')}|$", "iReadCard_HSM_Step2", office.key(request))
    request = terminal.done("iReadCard_HSM_Step1", 1, card.info, f"{file}|{item}|$")
    terminal.insert(_OTHER_CARD)
    terminal.fails(-22, "iReadCard_HSM_Step2", office.key(request))
    terminal.insert(card)
    request = terminal.done("iReadCard_HSM_Step1", 1, card.info, f"{file}|{item}|$")
    terminal.fails(-25538, "iReadCard_HSM_Step2", _WRONG + office.key(request)[16:])
    terminal.clear()
    terminal.spoil()
