"""What the rule leaves open, says once only or lets one suppose: how cards may differ, each with a name (LD/T 32).

One table. The value that a card has when its persona says nothing is the one that follows the default of the sources.
A reader that survives all of them survives cards that nobody has published anything about.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

from cardd.base.structs import Struct


def _says(clause: str, decides: str) -> Meta:
    return Meta(title=clause, description=decides)


class Toggles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a card behaves where cards may differ; `title` is the clause, `description` what the value decides."""

    # applications and files
    environment_place: Annotated[
        Literal["below_mf", "is_mf"],
        _says("LD/T 32.3 6.2", "whether the environment is DDF1 below the MF or the MF itself"),
    ] = "below_mf"
    fci_algorithm: Annotated[
        Literal["by_generation", "absent", "present", "ssf33"],
        _says("LD/T 32.5 table 36", "the algorithm object in the environment's FCI, 1.0 DES has none"),
    ] = "by_generation"
    directory: Annotated[
        Literal["present", "absent"],
        _says("LD/T 32.3 5.1.4", "whether there is a directory file at all"),
    ] = "present"
    directory_sfi: Annotated[
        Literal["1E", "0F"],
        _says("LD/T 32.3 6.3", "the directory file's short identifier, which the FCI tells"),
    ] = "1E"
    directory_entries: Annotated[
        Literal["enveloped", "plain"],
        _says("LD/T 32.3 6.3", "whether an entry's 61 stands inside a 70"),
    ] = "enveloped"
    directory_environments: Annotated[
        Literal["unlisted", "listed"],
        _says("LD/T 32.3 6.3", "whether the directory lists environments, which have a 4F only"),
    ] = "unlisted"
    partial_names: Annotated[
        Literal["refused", "matched"],
        _says("LD/T 32.5 SELECT", "whether the beginning of a name selects, P2 02 going on"),
    ] = "refused"
    file_by_p1_00: Annotated[
        Literal["accepted", "refused"],
        _says("LD/T 32.5 SELECT", "whether P1 00 selects an EF too"),
    ] = "accepted"
    firewall: Annotated[
        Literal["closed", "open"],
        _says(
            "LD/T 32.4 5",
            "whether global rights end at the bank's environment and the MF",
        ),
    ] = "closed"
    cyclic_files: Annotated[
        Literal["empty", "filled"],
        _says("LD/T 32.3 5.3", "whether records that were never written are absent or there unset"),
    ] = "empty"
    transaction_record: Annotated[
        Literal["whole", "account_only"],
        _says("LD/T 32.7 12", "medical transactions of 1C bytes, or of 14 without the other amounts"),
    ] = "whole"
    unemployment_registration: Annotated[
        Literal["DF02EF06", "DF03EF05"],
        _says("LD/T 32.6 8.3", "which of the two files has the item 60"),
    ] = "DF02EF06"
    identification_seal: Annotated[
        Literal["unset", "random"],
        _says("LD/T 32.6 table 10", "the last four bytes of an identification code that is not given"),
    ] = "unset"
    certificate_number: Annotated[
        Literal["an10", "cn08"],
        _says("LD/T 32.6 annex C", "DF02 EF09 item 55: as the table of items has it, or the annex"),
    ] = "an10"
    first_generation_items: Annotated[
        Literal["old", "rewritten"],
        _says("LD/T 32.6 annex C", "1.0: items with their old meaning, or the new one filled with E"),
    ] = "old"
    first_generation_drafts: Annotated[
        Literal["present", "absent"],
        _says("LB002-2000", "1.0: whether DF03 has the drafts' EF08, EF09 and EF0A"),
    ] = "present"
    first_generation_insurance: Annotated[
        Literal["drafts", "observed"],
        _says("LB002-2000", "1.0: DF03 EF05 opens with PIN & RK2DF03, or like EF07 with PIN & RK1DF03"),
    ] = "drafts"
    third_generation_conditions: Annotated[
        Literal["as_second", "keys_only"],
        _says("LD/T 32.6 8", "3.0: whether the PIN alone still opens what a key opens too"),
    ] = "as_second"

    # keys
    reserved_keys: Annotated[
        Literal["continued", "absent"],
        _says("LD/T 32.9 annex B", "UK7 to UKB of DF01: 8A to 8E, or none"),
    ] = "continued"
    df05_keys: Annotated[
        Literal["83", "84"],
        _says("LD/T 32.9 annex B", "the identifier of UK1DF05"),
    ] = "83"
    df07_keys: Annotated[
        Literal["alternating", "reads_first"],
        _says(
            "LD/T 32.9 annex B",
            "83 to 88 of DF07: RK1 UK1 RK2 UK2 …, or RK1 RK2 RK3 UK1 …",
        ),
    ] = "alternating"
    unpublished_keys: Annotated[
        Literal["absent", "continued"],
        _says(
            "LD/T 32.6 8",
            "keys without a published number: none, or the next numbers",
        ),
    ] = "absent"
    key_version: Annotated[
        Literal["first", "newest"],
        _says("LD/T 32.5 table 14", "the version that a command without one means"),
    ] = "first"
    card_factor: Annotated[
        Literal["historical", "padded"],
        _says("LD/T 32.9 7.3", "the third factor: T6 to TD, or T8 to TD and `0000` behind them"),
    ] = "historical"
    pin_limit: Annotated[
        Literal["6", "3", "8"],
        _says("LD/T 32.5 VERIFY", "how many wrong PINs lock it, where the persona does not say"),
    ] = "6"
    key_limit: Annotated[
        Literal["3", "15"],
        _says("LD/T 32.5 EXTERNAL AUTHENTICATION", "how many wrong proofs lock a key, where the persona does not say"),
    ] = "3"
    lock_key_tries: Annotated[
        Literal["uncounted", "counted"],
        _says("LD/T 32.7 13.1", "whether wrong tries lock BK and LK"),
    ] = "uncounted"
    puk_tries: Annotated[
        Literal["counted", "uncounted"],
        _says("LD/T 32.7 13.3", "whether wrong tries lock the PUK"),
    ] = "counted"

    # records
    pointer_by_number: Annotated[
        Literal["kept", "moved"],
        _says("LD/T 32.3 5.3", "what access by number does to the record pointer"),
    ] = "kept"
    pointer_by_sfi: Annotated[
        Literal["reset", "kept"],
        _says("LD/T 32.3 5.3", "what a short identifier of the current file does to the record pointer"),
    ] = "reset"
    step_without_record: Annotated[
        Literal["first_or_last", "absent"],
        _says("LD/T 32.3 5.3", "what next and previous mean without a current record"),
    ] = "first_or_last"
    identifier_zero: Annotated[
        Literal["any", "absent"],
        _says("LD/T 32.3 5.3", "whether the identifier 00 means the records in sequence"),
    ] = "any"
    short_le: Annotated[
        Literal["beginning", "refused"],
        _says("LD/T 32.5 6.10.1", "an Le shorter than the record: its beginning, or 6Cxx"),
    ] = "beginning"
    le_beyond_several: Annotated[
        Literal["shortened", "refused"],
        _says("LD/T 32.5 READ RECORD", "an Le longer than several records: what there is, or 6Cxx"),
    ] = "shortened"
    updates: Annotated[
        Literal["plain", "with_mac"],
        _says("LD/T 32.7 7.3", "whether an update without MAC is taken, or refused with 6987"),
    ] = "plain"

    # the order of checks
    application_blocked: Annotated[
        Literal["before_parameters", "after_lengths"],
        _says("LD/T 32.5 table 5", "when 9303 is found out"),
    ] = "before_parameters"
    parameters_or_length: Annotated[
        Literal["parameters_first", "length_first"],
        _says("LD/T 32.5 table 5", "6A86 or 6700 where both are due"),
    ] = "parameters_first"
    missing_or_right: Annotated[
        Literal["missing_first", "right_first"],
        _says("LD/T 32.5 table 5", "6A83 or 6982 for a record that is not there"),
    ] = "missing_first"
    structure_or_right: Annotated[
        Literal["structure_first", "right_first"],
        _says("LD/T 32.5 table 5", "6981 or 6982 for a command that does not fit the file"),
    ] = "structure_first"
    right_or_challenge: Annotated[
        Literal["right_first", "challenge_first"],
        _says("LD/T 32.5 table 5", "6982 or 6984 for a command with MAC that lacks both"),
    ] = "right_first"

    # rights and challenges
    global_rights_below: Annotated[
        Literal["kept", "cleared"],
        _says("LD/T 32.7 6.6", "global rights when another application of the environment is selected"),
    ] = "kept"
    environment_again: Annotated[
        Literal["clears", "keeps"],
        _says("LD/T 32.5 6.11", "global rights when the environment is selected again"),
    ] = "clears"
    internal_authentication_below: Annotated[
        Literal["environment_key", "refused"],
        _says(
            "LD/T 32.5 INTERNAL AUTHENTICATION",
            "whether an application answers with the IRK, or 6A88",
        ),
    ] = "environment_key"
    challenge_after_internal_authentication: Annotated[
        Literal["kept", "used"],
        _says("LD/T 32.5 GET CHALLENGE", "whether INTERNAL AUTHENTICATION uses the challenge up"),
    ] = "kept"
    challenge_after_reading: Annotated[
        Literal["kept", "used"],
        _says("LD/T 32.5 GET CHALLENGE", "whether reading uses the challenge up"),
    ] = "kept"
    reload_by_unblock: Annotated[
        Literal["refused", "accepted"],
        _says(
            "LD/T 32.5 PIN CHANGE/UNBLOCK",
            "whether P2 00 sets a new PIN where a cipher comes with it",
        ),
    ] = "refused"

    # the medical account
    balance_asked: Annotated[
        Literal["freely", "with_pin"],
        _says("LD/T 32.7 12", "whether GET BALANCE needs the PIN too, as transactions do"),
    ] = "freely"
    online_card: Annotated[
        Literal["6985", "6A81", "6901"],
        _says("LD/T 32.7 12", "how a card that is not for use offline refuses the account's commands"),
    ] = "6985"
    certificate_key: Annotated[
        Literal["same_index", "first"],
        _says("LD/T 32.7 12", "the version of DTK: that of the index chosen, or the first"),
    ] = "same_index"
    load_certificate_balance: Annotated[
        Literal["after", "before"],
        _says("LD/T 32.7 12", "the balance in the certificate of a load: after it, or before"),
    ] = "after"
    load_proof_mac: Annotated[
        Literal["mac2", "mac1"],
        _says("LD/T 32.7 14", "the MAC of a load's proof: the host's that came, or the card's own"),
    ] = "mac2"
    told_sequence: Annotated[
        Literal["before", "after"],
        _says("LD/T 32.7 12", "the number in record and proof: the one INITIALIZE answered, or the next"),
    ] = "before"
    sm4_code: Annotated[
        Literal["03", "00"],
        _says("LD/T 32.9", "the algorithm byte that INITIALIZE answers on an SM4 card"),
    ] = "03"
    payment_year: Annotated[
        Literal["accounting", "calendar"],
        _says("LD/T 32.7 12.6", "a new year is that of the last starting day, or that of the date"),
    ] = "accounting"
    before_the_year: Annotated[
        Literal["added", "begins"],
        _says("LD/T 32.7 12.6", "a settlement dated before the payment year: added to it, or beginning one"),
    ] = "added"
    proof_lifetime: Annotated[
        Literal["initialize", "transaction"],
        _says("LD/T 32.7 14", "what ends a proof: the next INITIALIZE, or only the next transaction done"),
    ] = "initialize"
    starting_day_key: Annotated[
        Literal["87", "88"],
        _says("LD/T 32.9 annex B", "the identifier of DSK"),
    ] = "87"

    # the security module
    sm4_environment_name: Annotated[
        Literal["sx3", "sx1"],
        _says("LD/T 32.9", "PSAM: the name of the SM4 environment; with sx1 there is none for DES"),
    ] = "sx3"
    terminal_sequence: Annotated[
        Literal["before", "after"],
        _says("LD/T 32.9 80 70", "PSAM: the sequence that MAC1 takes: before it counts on, or after"),
    ] = "before"
    wrong_debit: Annotated[
        Literal["9302", "63CF"],
        _says("LD/T 32.9 80 72", "PSAM: how a wrong MAC2 is refused"),
    ] = "9302"


class Row(Struct, frozen=True):
    """One toggle for people: its values with the default first, its clause, what it decides."""

    name: str
    values: tuple[str, ...]
    clause: str
    decides: str


def rows() -> Iterator[Row]:
    """Yield the table, in its order."""
    hints = get_type_hints(Toggles, include_extras=True)
    for field in msgspec.structs.fields(Toggles):
        kind, meta = get_args(hints[field.name])
        assert isinstance(meta, Meta)  # noqa: S101 # the table is written so
        default = str(field.default)
        values = (default, *(value for value in get_args(kind) if value != default))
        yield Row(field.name, values, meta.title or "", meta.description or "")
