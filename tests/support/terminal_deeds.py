"""The cases of the terminal's interface that write, use PINs and move money, and what holds for all of them."""

from cardd.rules.files import Generation
from support.terminal import NotApplicable, Service, Terminal, check
from support.terminal_profiles import Profile
from support.terminal_reading import auth, keyless

_OTHER_KEY = "0F" * 16
_TIME = "20240102030405"


# -- writing


def write(terminal: Terminal, card: Profile) -> None:
    terminal.insert(card, fresh=True)
    terminal.spoil()
    first = card.generation is Generation.V1
    file, item, key, text = ("DF01EF05", "20", "UK1DF01", "13") if first else ("DF04EF05", "84", "UK1DF04", "510700")
    record = "2030000^19220101^19230101^测试单位三^"
    transparent, size = ("SSSEEF07", 0x300) if first else ("DF01EF16", 0x128)
    photo = bytes(number % 251 for number in range(size)).hex().upper()
    for address, data in (
        (f"{file}|{item}|$", f"{file}|{text}|$"),
        ("DF01EF05|20|21|$DF01EF07|29|$", "DF01EF05|12|测试市测试路3号|$DF01EF07|2|$"),
        ("DF02EF07|$", f"DF02EF07|{record}|$"),
        (f"{transparent}|$", f"{transparent}|{photo}|$"),
    ):
        _written(terminal, card, address, data)
        look = "DF02EF07:1|$" if address == "DF02EF07|$" else address
        wanted = data.replace("DF02EF07", "DF02EF07:1")
        terminal.gives(wanted, "iReadCard", 1, auth(terminal, card), card.info, look)
    before = terminal.done("iReadCard", 1, auth(terminal, card), card.info, "DF02EF07|$")
    check("a record more", before.count(record), 1)
    _refused_writes(terminal, card)
    terminal.insert(card.changed("other-key", keys={key: _OTHER_KEY}), fresh=True)
    if keyless(terminal):
        request = terminal.done("iWriteCard_HSM_Step1", 1, card.info, f"{file}|{item}|$")
        terminal.fails(-25538, "iWriteCard_HSM_Step2", terminal.office(card).key(request), f"{file}|{text}|$")
    else:
        terminal.fails(-25538, "iWriteCard", 1, card.info, f"{file}|{item}|$", f"{file}|{text}|$")
    terminal.clear()
    kept = f"{file}|{card.content(file, item)}|$"
    terminal.gives(kept, "iReadCard", 1, auth(terminal, card), card.info, f"{file}|{item}|$")


def _written(terminal: Terminal, card: Profile, address: str, data: str) -> None:
    if not keyless(terminal):
        terminal.gives("", "iWriteCard", 1, card.info, address, data)
        return
    # steps write one file at a time
    office = terminal.office(card)
    for one, text in zip(address.split("$")[:-1], data.split("$")[:-1], strict=True):
        request = terminal.done("iWriteCard_HSM_Step1", 1, card.info, f"{one}$")
        terminal.gives("", "iWriteCard_HSM_Step2", office.key(request), f"{text}$")


def _refused_writes(terminal: Terminal, card: Profile) -> None:
    for number, address, data in (
        (-27010, "DF04EF08|$", "DF04EF08|x|$"),
        (-23, "DF04EF05|84|$", "DF04EF05|51|07|$"),
        (-23, "DF04EF05|84|$", "DF04EF06|51|$"),
        (-27267, "DF04EF05|99|$", "DF04EF05|1|$"),
        (-27266, "DF04EF7A|84|$", "DF04EF7A|1|$"),
        (-14, "DF04EF05|84", "DF04EF05|1|$"),
    ):
        if keyless(terminal):
            if number != -23:
                terminal.fails(number, "iWriteCard_HSM_Step1", 1, card.info, address)
        else:
            terminal.fails(number, "iWriteCard", 1, card.info, address, data)


# -- the PIN


def pin(terminal: Terminal, card: Profile) -> None:
    terminal.insert(card, fresh=True)
    terminal.spoil()
    holder = terminal.holder
    try:
        with terminal.asks("social_pin"):
            terminal.gives("", "iVerifyPIN", 1)
        _not_typed(terminal)
        with terminal.asks("social_pin", "new_pin"):
            terminal.gives("", "iChangePIN", 1)
        _wrong(terminal, 1)
        holder.answers["social_pin"] = "246813"
        terminal.gives("", "iVerifyPIN", 1)
        _wrong(terminal, 1)
        _unblock(terminal, card)
        check("tries are back", _wrong(terminal, 1), [5])
        holder.answers["new_pin"] = "135790"
        _reload(terminal, card)
        holder.answers["social_pin"] = "135790"
        terminal.gives("", "iVerifyPIN", 1)
        check("tries", _wrong(terminal, 5), [5, 4, 3, 2, 1])
        holder.answers["social_pin"] = "000000"
        terminal.fails(-52, "iVerifyPIN", 1)
        holder.answers["social_pin"] = "135790"
        with terminal.asks():
            terminal.fails(-52, "iVerifyPIN", 1)
            terminal.fails(-52, "iChangePIN", 1)
        _unblock(terminal, card)
        terminal.gives("", "iVerifyPIN", 1)
    finally:
        holder.usual()


def _not_typed(terminal: Terminal) -> None:
    """Cancel, type nothing, too little, and two new ones that differ: nothing of it costs a try."""
    holder = terminal.holder
    holder.answers["social_pin"] = None
    terminal.fails(-31, "iVerifyPIN", 1)
    del holder.answers["social_pin"]
    terminal.fails(-32, "iVerifyPIN", 1)
    for number, script in (
        (-31, "exit 1"),
        (-33, "echo 123"),
        (-33, "echo 12345678901234567"),
        (-34, "case $1 in social_pin) echo 123456;; new_pin) echo 246813;; *) echo 246814;; esac"),
    ):
        terminal.helper.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        terminal.helper.chmod(0o755)
        name = "iChangePIN" if "new_pin" in script else "iVerifyPIN"
        # the holder at the desk is out of it: two answers to one prompt would race
        holder.answers.clear()
        terminal.fails(number, name, 1, by=terminal.helped)
    holder.usual()


def _wrong(terminal: Terminal, times: int) -> list[int]:
    """Type a wrong PIN so often, and return how many tries were said to be left."""
    right = terminal.holder.answers["social_pin"]
    terminal.holder.answers["social_pin"] = "000000"
    texts = [terminal.fails(-51, "iVerifyPIN", 1) for _ in range(times)]
    terminal.holder.answers["social_pin"] = right
    return [int("".join(filter(str.isdigit, text))) for text in texts]


def _unblock(terminal: Terminal, card: Profile) -> None:
    if not keyless(terminal):
        with terminal.asks():
            terminal.gives("", "iUnblockPIN", 1, card.info)
        return
    office = terminal.office(card)
    request = terminal.done("iUnblockPIN_HSM_Step1", 1, card.info)
    made = office.maintenance(terminal.done("iUnblockPIN_HSM_Step2", office.key(request)))
    check("the length of what unblocks", len(made), 18)
    terminal.gives("", "iUnblockPIN_HSM_Step3", made)


def _reload(terminal: Terminal, card: Profile) -> None:
    if not keyless(terminal):
        with terminal.asks("new_pin"):
            terminal.gives("", "iReloadPIN", 1, card.info)
        return
    office = terminal.office(card)
    with terminal.asks():
        request = terminal.done("iReloadPIN_HSM_Step1", 1, card.info)
    with terminal.asks("new_pin"):
        request = terminal.done("iReloadPIN_HSM_Step2", office.key(request))
    made = office.maintenance(request)
    check("the length of a new PIN", len(made), {"des": 34, "sm4": 50}[card.card.algorithm or "des"])
    terminal.gives("", "iReloadPIN_HSM_Step3", made)


# -- the medical account


def debit(terminal: Terminal, card: Profile) -> None:
    if not card.offline:
        raise NotApplicable("the card has no account for settling offline")
    terminal.insert(card, fresh=True)
    terminal.spoil()
    for bill in ("12.5|3.00|20240102030405|", "12.50|3.00|", "42949672.95|0.00|20240102030405|", ""):
        terminal.fails(-14, "iDoDebit", 1, card.info, bill)
    terminal.fails(-22, "iDoDebit", 1, card.info.replace(card.card.card_number, "T99999999"), f"1.00|1.00|{_TIME}|")
    first = _paid(terminal, card, "12.50", "3.00")
    second = _paid(terminal, card, "0.01", "20.00")
    check("the terminal's sequence", second - first, 1)
    with terminal.asks("social_pin"):
        newest, before = terminal.done("iReadDebitRecord", 1).split("|")[:2]
    ends = (_TIME, "0.01", "20.00", ""), (_TIME, "12.50", "3.00", "")
    check("the records", tuple(tuple(one.split("^")[2:]) for one in (newest, before)), ends)
    check("the card's numbers", int(newest[:4], 16) - int(before[:4], 16), 1)
    if keyless(terminal):
        return
    flip = {"do": "flip", "at": "DEBIT FOR PURCHASE", "bits": "FF" * 8}
    terminal.insert(card.changed("wrong-mac2", faults=[flip]), fresh=True)
    terminal.fails(-37634, "iDoDebit", 1, card.info, f"1.00|1.00|{_TIME}|")


def _paid(terminal: Terminal, card: Profile, total: str, settled: str) -> int:
    """Have a bill paid, every item held against it, and return the terminal's sequence."""
    bill = f"{total}|{settled}|{_TIME}|"
    amounts = "".join(f"{round(float(text) * 100):08X}" for text in (total, settled))
    if keyless(terminal):
        office = terminal.office(card)
        with terminal.asks("social_pin"):
            request = terminal.done("iDoDebit_HSM_Step1", 1, card.info, bill)
        mac2, *items = terminal.done("iDoDebit_HSM_Step2", office.debit(request)).split("|")
        check("MAC2 is judged right", office.is_right(mac2), True)
    else:
        with terminal.asks("social_pin"):
            items = terminal.done("iDoDebit", 1, card.info, bill).split("|")
    algorithm, address, told, kind, number, sequence, time, tac, end = items
    expected = ({"des": "01", "sm4": "03"}[card.card.algorithm or "des"], "017F", amounts, "2", _TIME, "")
    check("the bill", (algorithm, address, told, kind, time, end), expected)
    check("the terminal", number, terminal.number)
    check("the TAC's length", len(tac), 8)
    return int(sequence, 16)


# -- all


EVERYWHERE = {
    *(-1, -2, -12, -13, -14, -20, -21, -22, -31, -32, -33, -34, -41, -42, -51, -52),
    *(-25538, -27010, -27266, -27267),
}
WITH = {
    Service.PSAM: {-23, -24, -2201, -2202, -2204, -27272},
    Service.HSM: {-23, -2204},
    Service.STEPS: {-2201, -2204},
}
"""The numbers that the cases come across with each key service, whatever the card."""


def clean(terminal: Terminal, card: Profile) -> None:
    """Provoke what no other case has; after each number the next call has worked (`Terminal.call` sees to that)."""
    terminal.insert("old-jia")
    terminal.fails(-1, "iReadCardBas", 1)
    terminal.insert(card)
    terminal.fails(-12, "iReadCardBas_HSM_Step2", "00")
    code, _ = terminal.library.call("iReadCard", 1, 1, b"\xb2", b"")
    check("text that is no GBK", code, -41)
    terminal.numbers.add(code)
    free = "SSSEEF05|07|" * 1700
    terminal.fails(-14, "iReadCard", 1, 1, card.info, f"{free}$")
    _too_long(terminal, card)
    terminal.gives(f"{card.card.card_number}|", "iReadCardNo", 3)
    _of_vendors(terminal, card)
    missing = (EVERYWHERE | WITH[terminal.service]) - terminal.numbers
    check("numbers that were not provoked", missing, set())


def _of_vendors(terminal: Terminal, card: Profile) -> None:
    """Have the bank's number read, which cards since 2.0 have beside the social application."""
    if card.generation is Generation.V1:
        terminal.fails(-27266, "iReadBankNumber", 3)
        check("iReadICCardNum", terminal.two("iReadICCardNum")[0], -27266)
    else:
        number = terminal.done("iReadBankNumber", 3)
        check("iReadICCardNum", terminal.two("iReadICCardNum"), (0, number.removesuffix("|"), ""))
    check("the security module's number", terminal.two("iGetReaderInfo")[2], terminal.number)


def _too_long(terminal: Terminal, card: Profile) -> None:
    # each is some hundred bytes, in hexadecimal twice that
    file, size = ("SSSEEF07", 0x300) if card.generation is Generation.V1 else ("DF01EF16", 0x128)
    fits = 20480 // (2 * size + 11)
    terminal.done("iReadCard", 1, 1, card.info, f"{file}|$" * fits)
    terminal.fails(-42, "iReadCard", 1, 1, card.info, f"{file}|$" * (fits + 1))


def pki(terminal: Terminal, card: Profile) -> None:
    terminal.insert(card)
    for name in ("PKI_SignData", "PKI_VerifySign"):
        code, text = terminal.signs(name)
        check(name, (code, bool(text)), (-13, True))
    raise NotApplicable("no certificate application (ACSE): its layout is not public (the functions are -13)")
