"""What the social security card answers, command by command; the antenna shows data and status together."""

from collections.abc import Callable

import pytest

from cardd.crypto.authentication import authentication_data
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import session_key
from cardd.crypto.messaging import encipher, mac
from cardsim.card.chip import Chip

Exchange = Callable[..., list[str]]
Bench = Callable[..., Exchange]

CARD_KEY = bytes.fromhex("3AAD5CFF3AB9492C4FFB7AE22E027F1C")
SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
CHALLENGE = "1122334455667788"
ORIGINAL = "0102030405060708"
PROOF = "8135B4D81B42EA5F"
ASK = "0084000008"
SEVERAL = f"challenges: [{', '.join([chr(34) + CHALLENGE + chr(34)] * 20)}]\n"


def external(kid: int, *, version: str = "", proof: str = PROOF) -> str:
    data = proof + ORIGINAL + version
    return f"008200{kid:02X}{len(data) // 2:02X}{data}"


def maced(header: str, plain: bytes = b"") -> str:
    session = session_key(Algorithm.SM4, CARD_KEY, bytes.fromhex(CHALLENGE))
    cipher = encipher(Algorithm.SM4, session, plain) if plain else b""
    head = bytes.fromhex(header) + bytes((len(cipher) + 4,))
    return (head + cipher + mac(Algorithm.SM4, session, head + cipher)).hex().upper()


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("01A40400", "6E00"),
        ("00D40000", "6D00"),
        ("80A40000", "6D00"),
        ("00A4050002DF01", "6A86"),
        ("00A4000001DF", "6700"),
        ("00A40200023333", "6A82"),
        ("00A4040004D1560000", "6700"),
        ("00A4040006D15600000599", "6A82"),
        ("00B2010000", "6986"),
        ("00B2FF2C00", "6A86"),
        ("00B2012F00", "6A86"),
        ("00B201FC00", "6A86"),
        ("00B2014C00", "6A82"),
        ("00B2082C00", "6A83"),
        ("00B2002C00", "6A83"),
        ("00B0850000", "6981"),
        ("00B0910000", "6A82"),
        ("0084000100", "6A86"),
        ("0084000000", "6700"),
        ("00840000", "6700"),
        ("0084000005", "6700"),
        ("008800000F" + "00" * 15, "6700"),
        ("0088010010" + "00" * 16, "6A86"),
        ("0088008310" + "00" * 16, "6A88"),
        ("0088000011" + "00" * 16 + "04", "6A88"),
        ("008200000A" + "00" * 10, "6A86"),
        ("008200040F" + "00" * 15, "6700"),
        ("0082000710" + "00" * 16, "6A88"),
        ("0082000210" + "00" * 16, "6A88"),
        ("0082008310" + "00" * 16, "6A88"),
        ("0082000411" + "00" * 16 + "04", "6A88"),
        ("0082000611" + "00" * 16 + "02", "6A88"),
        ("0082000410" + "00" * 16, "6984"),
        ("0020000100", "6A86"),
        ("002000000112", "6700"),
        ("805E010002FF12", "6700"),
        ("805E010004123456AA", "6A80"),
        ("805E0100071234FFFF12AB34", "6A80"),
        ("805E0000071234FF123456", "6A86"),
        ("842400020400000000", "6A86"),
        ("842400000500000000AA", "6700"),
        ("842400010C" + "00" * 12, "6700"),
        ("842400000400000000", "6982"),
        ("841E00010400000000", "6982"),
        ("841600000400000000", "6982"),
        ("00C0000000", "6F00"),
        ("00", "6700"),
        ("00B2", "6700"),
        ("00B2012C04010203", "6700"),
        ("00DC012C03020131", "6982"),
        ("00DC092C03020131", "6A83"),
        ("00DC012C03020231", "6A85"),
        ("00DC012D03020131", "6A86"),
    ],
)
def test_a_refusal_is_that_of_the_first_check_that_fails(bench: Bench, command: str, status: str) -> None:
    assert bench()(command) == [status]


def test_a_key_that_was_tried_out_is_refused_before_a_missing_challenge_is(bench: Bench) -> None:
    send = bench(SEVERAL + "key_tries: 1\n")
    assert send(ASK, external(4, proof="00" * 8), external(4))[1:] == ["63C0", "6983"]


def test_a_record_that_is_absent_is_told_before_a_right_that_is_missing(bench: Bench) -> None:
    assert bench()("00B2883000", "00B2083000") == ["6A83", "6982"]


class TestReading:
    def test_a_tag_finds_its_record_and_a_number_too(self, bench: Bench) -> None:
        assert bench()("00B2032806", "00B2032C06") == ["0304332E30309000"] * 2

    def test_le_00_and_a_longer_one_are_answered_with_the_right_length(self, bench: Bench) -> None:
        assert bench()("00B2032800", "00B2032C07") == ["6C06", "6C06"]

    def test_a_shorter_le_gives_the_beginning(self, bench: Bench) -> None:
        assert bench()("00B2032802") == ["03049000"]

    def test_from_a_record_to_the_end_and_back(self, bench: Bench) -> None:
        number = "0709543030303030303158"
        until = "060420340102"
        assert bench()("00B2062D11", "00B2062E11", "00B2062DFF") == [
            until + number + "9000",
            number + until + "9000",
            until + number + "9000",
        ]

    def test_next_and_previous_go_from_the_record_read_by_tag(self, bench: Bench) -> None:
        send = bench()
        assert send("00A4020002EF05", "00B2020003", "00B2000206", "00B2000303", "00B2000403") == [
            "9000",
            "0201339000",
            "0304332E30309000",
            "0201339000",
            "0201339000",
        ]

    def test_reading_by_number_leaves_the_current_record(self, bench: Bench) -> None:
        send = bench()
        assert send("00A4020002EF05", "00B2020003", "00B2050406", "00B2000403")[3] == "0201339000"

    def test_a_short_identifier_forgets_the_current_record_and_selects_the_file(self, bench: Bench) -> None:
        send = bench()
        assert send("00B2020000", "00B2022803", "00B2002C00", "00B2030006") == [
            "6986",
            "0201339000",
            "6A83",
            "0304332E30309000",
        ]

    def test_ef_selection_works_with_both_values_of_p1(self, bench: Bench) -> None:
        assert bench()("00A4000002EF05", "00B2020403", "00A4020002EF06") == ["9000", "0201339000", "9000"]

    @pytest.mark.parametrize(("profile", "algorithm"), [("1.0", "des"), ("2.0", "des")])
    def test_the_holder_is_free_to_read_before_3_0(self, bench: Bench, profile: str, algorithm: str) -> None:
        answer = bench(profile=profile, algorithm=algorithm)("00B2083014")[0]
        assert answer == "0812353130313031313930303031303130303132" + "9000"

    def test_a_1_0_card_has_six_holder_records_and_no_algorithm_in_its_fci(self, bench: Bench) -> None:
        send = bench(profile="1.0", algorithm="des")
        assert send("00B2063406", "00B2073406", SSSE) == [
            "0D0419000101" + "9000",
            "6A83",
            "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA50388011E9000",
        ]

    def test_a_long_name_goes_on_in_the_extension(self, bench: Bench) -> None:
        send = bench(profile="2.0", algorithm="des", name="阿卜杜热西提阿卜杜热合曼买买提依明")
        assert send("00B2093020", "00B24E3016") == [
            "091EB0A2B2B7B6C5C8C8CEF7CCE1B0A2B2B7B6C5C8C8BACFC2FCC2F2C2F2CCE1" + "9000",
            "4E14D2C0C3F7" + "00" * 16 + "9000",
        ]

    def test_an_item_can_be_given_by_file_and_tag(self, bench: Bench) -> None:
        send = bench('files: {SSSEEF06: {"0A": ""}, SSSEEF05: {"05": "20200229"}}\n', profile="2.0", algorithm="des")
        assert send("00B20A3003", "00B2052806") == ["0A01009000", "0504202002299000"]

    def test_a_photo_of_the_persona_is_padded_and_needs_the_read_key(self, bench: Bench) -> None:
        send = bench(SEVERAL + "files: {SSSEEF08: FFD8}\n")
        assert send("00B0880002", ASK, external(0x0A), "00B0880003", "00A4020002EF08", "00B00FFE00", "00B01000") == [
            "6982",
            CHALLENGE + "9000",
            "9000",
            "FFD8009000",
            "9000",
            "00009000",
            "6700",
        ]
        assert send("00B0100001", "00B00FFE03") == ["6B00", "6C02"]


class TestWriting:
    @pytest.fixture
    def writable(self, bench: Bench) -> Exchange:
        send = bench(SEVERAL)
        assert send(ASK, external(4))[1] == "9000"
        return send

    def test_a_record_is_replaced_by_number_and_by_tag(self, writable: Exchange) -> None:
        assert writable("00DC022C03020131", "00B2022803", "00DC022803020132", "00B2022803") == [
            "9000",
            "0201319000",
            "9000",
            "0201329000",
        ]

    def test_a_number_one_past_the_end_and_a_new_tag_append(self, writable: Exchange) -> None:
        assert writable("00DC092C03990131", "00DC082C03990131", "00DC982803980132", "00B2082C03", "00B2092C03") == [
            "6A83",
            "9000",
            "9000",
            "9901319000",
            "9801329000",
        ]

    def test_a_record_that_leaves_no_room_is_refused_and_a_shorter_one_makes_room(self, writable: Exchange) -> None:
        large = "00DC082C80997E" + "31" * 126
        assert writable(large, "00DC992803990131", "00B2082C00") == ["9000", "9000", "6C03"]
        larger = "00DC082C81997F" + "31" * 127
        assert writable(larger, "00B2082C03") == ["6A84", "9901319000"]
        assert writable("00DC072C03070131", larger) == ["9000", "9000"]

    def test_a_record_under_another_tag_than_asked_for_is_refused(self, writable: Exchange) -> None:
        assert writable("00DC022803030131") == ["6A80"]

    def test_the_read_key_opens_no_writing(self, bench: Bench) -> None:
        assert bench(SEVERAL)(ASK, external(0x0A), "00DC022C03020131")[1:] == ["9000", "6982"]

    def test_a_write_with_mac_needs_right_challenge_and_mac(self, writable: Exchange) -> None:
        data = bytes.fromhex("020135")
        session = session_key(Algorithm.SM4, CARD_KEY, bytes.fromhex(CHALLENGE))
        head = bytes.fromhex("04DC022C07") + data
        good = (head + mac(Algorithm.SM4, session, head)).hex()
        assert writable(good, ASK, good[:-2] + "00", good, ASK, good, "00B2022803") == [
            "6984",
            CHALLENGE + "9000",
            "6988",
            "6984",
            CHALLENGE + "9000",
            "9000",
            "0201359000",
        ]


class TestRights:
    @pytest.mark.parametrize("version", ["01", "02", "03", ""])
    def test_the_root_gives_every_version_of_a_key(self, bench: Bench, version: str) -> None:
        assert bench(SEVERAL)(ASK, external(4, version=version))[1] == "9000"

    def test_a_named_key_is_the_cards_own_with_the_versions_it_names(self, bench: Bench) -> None:
        own = bytes.fromhex("00112233445566778899AABBCCDDEE02")
        send = bench(SEVERAL, keys=f', RKSSSE: {{2: "{own.hex()}"}}')
        proof = authentication_data(Algorithm.SM4, own, bytes.fromhex(CHALLENGE), bytes.fromhex(ORIGINAL)).hex()
        second = external(0x0A, version="02", proof=proof)
        assert send(ASK, second, external(0x0A), external(0x0A, version="03")) == [
            CHALLENGE + "9000",
            "9000",
            "6A88",
            "6A88",
        ]

    def test_wrong_tries_count_down_a_right_one_gives_them_back(self, bench: Bench) -> None:
        send = bench(SEVERAL)
        wrong = external(4, proof="00" * 8)
        answers = send(ASK, wrong, ASK, wrong, ASK, external(4), ASK, wrong)
        assert answers[1::2] == ["63C2", "63C1", "9000", "63C2"]

    def test_a_failed_authentication_takes_that_right_and_no_other(self, bench: Bench) -> None:
        send = bench(SEVERAL)
        send(ASK, external(4), ASK, external(0x0A), ASK, external(0x0A, proof="00" * 8))
        assert send("00B2083014", "00DC022C03020131") == ["6982", "9000"]

    def test_wrong_tries_of_the_lock_key_are_not_counted(self, bench: Bench) -> None:
        send = bench(SEVERAL + "key_tries: 2\n")
        answers = send(*[ASK, external(5, proof="00" * 8)] * 4, ASK, external(5))
        assert answers[1::2] == ["63C2"] * 4 + ["9000"]

    @pytest.mark.parametrize(
        "spoiler",
        [
            external(4, proof="00" * 8),
            external(7),
            external(4, version="04"),
            "842400000400000000",
            "842400011400" + "00" * 19,
            "841E00010400000000",
            "04DC022C07020135" + "00" * 4,
            SSSE,
        ],
    )
    def test_a_challenge_dies_with_authentications_macs_and_selections(self, bench: Bench, spoiler: str) -> None:
        assert bench(SEVERAL)(ASK, spoiler, external(4))[2] == "6984"

    @pytest.mark.parametrize(
        "harmless",
        [
            "00B2022803",
            "0088000010" + CHALLENGE + ORIGINAL,
            "00A4020002EF05",
            "0020000003000000",
            "805E010007123456FF123456",
            "00820004030000AA",
            "8424000005" + "00" * 5,
            "0084000005",
            "00A40200023333",
        ],
    )
    def test_a_challenge_outlives_other_commands_and_those_refused_before_lc(self, bench: Bench, harmless: str) -> None:
        assert bench(SEVERAL)(ASK, harmless, external(4))[2] == "9000"

    def test_a_new_challenge_replaces_the_old_one(self, bench: Bench) -> None:
        send = bench(f'challenges: ["{CHALLENGE}", "0000000000000000"]\n')
        assert send(ASK, ASK, external(4))[2] == "63C2"

    def test_challenges_of_4_and_16_bytes_serve_too(self, bench: Bench) -> None:
        send = bench('challenges: ["AABBCCDD", "00112233445566778899AABBCCDDEEFF"]\n')
        for length in (4, 16):
            challenge = bytes.fromhex(send(f"00840000{length:02X}")[0])[:-2]
            proof = authentication_data(Algorithm.SM4, CARD_KEY, challenge, bytes.fromhex(ORIGINAL)).hex()
            assert send(external(4, proof=proof)) == ["9000"]

    @pytest.mark.parametrize(
        ("selections", "left"),
        [
            (["00A4020002EF05"], {"PIN", "RKSSSE"}),
            (["00A40200023333"], {"PIN", "RKSSSE"}),
            ([SSSE], {"PIN"}),
            (["00A4000002DDF1"], {"PIN"}),
            (["00A40000", SSSE], {"PIN"}),
            (["00A404000E315041592E5359532E4444463031", SSSE], {"PIN"}),
        ],
    )
    def test_rights_end_with_what_is_left_and_the_pin_stays(
        self, chip: Callable[..., Chip], selections: list[str], left: set[str]
    ) -> None:
        made = chip(SEVERAL)
        card = made.on("contactless")
        card.power_on()
        for command in (SSSE, ASK, external(0x0A), "0020000003123456", *selections):
            card.transmit(bytes.fromhex(command))
        assert made.machine.rights() == left

    def test_a_reset_takes_every_right(self, chip: Callable[..., Chip]) -> None:
        made = chip(SEVERAL)
        card = made.on("contact")
        card.power_on()
        for command in (SSSE, ASK, external(0x0A), "0020000003123456"):
            card.transmit(bytes.fromhex(command))
        assert made.machine.rights() == {"PIN", "RKSSSE"}
        card.reset()
        card.transmit(bytes.fromhex(SSSE))
        assert made.machine.rights() == set()


class TestPin:
    def test_a_query_counts_nothing(self, bench: Bench) -> None:
        assert bench("pin_tries: 4\n")("00200000", "0020000000", "00200000") == ["63C4"] * 3

    def test_wrong_pins_lock_and_a_locked_pin_says_so(self, bench: Bench) -> None:
        send = bench("pin_tries: 2\n")
        wrong, right = "0020000003000000", "0020000003123456"
        assert send(wrong, wrong, right, "805E010007123456FF111111", "00200000") == [
            "63C1",
            "63C0",
            "6983",
            "6983",
            "63C0",
        ]

    def test_the_right_pin_gives_all_tries_back(self, bench: Bench) -> None:
        assert bench()("0020000003000000", "0020000003123456", "00200000") == ["63C5", "9000", "63C6"]

    def test_a_changed_pin_counts_and_the_change_grants_nothing(self, chip: Callable[..., Chip]) -> None:
        made = chip()
        card = made.on("contactless")
        card.power_on()
        card.transmit(bytes.fromhex(SSSE))
        assert card.transmit(bytes.fromhex("805E010007123456FF654321")) == b"\x90\x00"
        assert "PIN" not in made.machine.rights()
        assert card.transmit(bytes.fromhex("0020000003654321")) == b"\x90\x00"

    def test_a_wrong_old_pin_counts_and_takes_the_right(self, chip: Callable[..., Chip]) -> None:
        made = chip()
        card = made.on("contactless")
        card.power_on()
        card.transmit(bytes.fromhex(SSSE))
        card.transmit(bytes.fromhex("0020000003123456"))
        assert card.transmit(bytes.fromhex("805E010007000000FF654321")) == b"\x63\xc5"
        assert "PIN" not in made.machine.rights()

    def test_a_pin_of_odd_length_ends_in_f_and_the_first_ff_separates(self, bench: Bench) -> None:
        assert bench()("805E010007123456FF12345F", "002000000312345F", "805E01000712345FFF123456") == ["9000"] * 3

    def test_no_pin_is_told_and_nothing_compares_equal_to_it(self, bench: Bench) -> None:
        send = bench()
        assert send("805E010004123456FF", "00200000", "0020000003123456", "805E010004FF123456", "00200000") == [
            "9000",
            "9000",
            "63C5",
            "9000",
            "63C6",
        ]

    def test_the_puk_opens_reload_and_unblock_once_a_challenge(self, bench: Bench) -> None:
        send = bench(SEVERAL + "pin_tries: 1\n")
        send("0020000003000000")
        unblock = maced("84240000")
        reload_pin = maced("84240001", bytes.fromhex("1357"))
        assert send(ASK, unblock, ASK, external(6), unblock, ASK, reload_pin[:-2] + "00", ASK, reload_pin) == [
            CHALLENGE + "9000",
            "6982",
            CHALLENGE + "9000",
            "9000",
            "6984",
            CHALLENGE + "9000",
            "6988",
            CHALLENGE + "9000",
            "9000",
        ]
        assert send("00200000021357") == ["9000"]

    def test_a_reload_with_a_pin_that_is_none_is_refused(self, bench: Bench) -> None:
        send = bench(SEVERAL)
        send(ASK, external(6), ASK)
        assert send(maced("84240001", b"\x12\xab")) == ["6A80"]


class TestBlocked:
    def test_a_blocked_card_answers_nothing_else(self, bench: Bench) -> None:
        send = bench("blocked: card\n")
        assert send(SSSE, "00", "FFFFFFFF", "00C0000001") == ["6A81"] * 4

    def test_a_blocked_application_refuses_selection_and_all_in_it(self, bench: Bench) -> None:
        send = bench("blocked: [SSSE]\n")
        assert send(SSSE, "00B2022803", ASK, "00A4020002EF05", "00D40000", "00A40000") == [
            "9303",
            "9303",
            "9303",
            "9303",
            "6D00",
            "6F0284009000",
        ]

    @pytest.mark.parametrize(("header", "after"), [("841E0001", "9303"), ("84160000", "6A81")])
    def test_the_lock_key_blocks_for_good(self, bench: Bench, header: str, after: str) -> None:
        send = bench(SEVERAL)
        assert send(ASK, external(5), ASK, maced(header), "00B2022803", SSSE)[3:] == ["9000", after, after]


class TestContacts:
    def test_waiting_data_is_lost_with_the_next_command(self, bench: Bench) -> None:
        send = bench(interface="contact")
        assert send(SSSE, "00B2022803", "00C000001E") == ["611E", "0201339000", "6F00"]

    def test_waiting_data_is_fetched_in_parts_and_a_wrong_le_keeps_it(self, bench: Bench) -> None:
        send = bench(interface="contact")
        assert send(SSSE, "00C000001F", "00C0000000", "00C0000002", "00C000001C")[:4] == [
            "611E",
            "6C1E",
            "6C1E",
            "6F1C611C",
        ]

    def test_a_missing_p3_is_00(self, bench: Bench) -> None:
        assert bench(interface="contact")("00200000", "00B20228", "00840000") == ["63C6", "6C03", "6700"]

    def test_data_that_is_cut_short_or_too_long_is_a_wrong_length(self, bench: Bench) -> None:
        send = bench(interface="contact")
        assert send("00A404000F7378", SSSE + "0000", "00200000031234") == ["6700"] * 3
