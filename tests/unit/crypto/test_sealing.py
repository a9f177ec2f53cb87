import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import AES_256_GCM, SM4_GCM, GcmSealer, Sm4GcmSealer

TEXT = "测试甲".encode()
CONTEXT = b"event-1"


def sealer(key: bytes = b"0123456789abcdef") -> Sm4GcmSealer:
    return Sm4GcmSealer(Secret(key))


def refused(candidate: Sm4GcmSealer, sealed: bytes, context: bytes) -> CarddError:
    with pytest.raises(CarddError) as caught:
        candidate.open(sealed, context)
    assert caught.value.reason is Reason.INVALID
    return caught.value


def test_the_example_of_rfc_8998_opens() -> None:
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    nonce = bytes.fromhex("00001234567800000000ABCD")
    context = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
    ciphertext = bytes.fromhex(
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
    )
    tag = bytes.fromhex("83DE3541E4C2B58177E065A9BF7B62EC")
    plain = b"".join(bytes([byte]) * 8 for byte in bytes.fromhex("AABBCCDDEEFFEEAA"))
    assert sealer(key).open(b"\x01" + nonce + ciphertext + tag, context) == plain


@pytest.mark.parametrize("text", [b"", b"x", TEXT, b"y" * 5000])
def test_what_was_sealed_opens(text: bytes) -> None:
    assert sealer().open(sealer().seal(text, CONTEXT), CONTEXT) == text


def test_the_same_text_never_seals_to_the_same_bytes() -> None:
    assert len({sealer().seal(TEXT, CONTEXT) for _ in range(50)}) == 50


def test_sealed_bytes_do_not_show_the_text() -> None:
    assert TEXT not in sealer().seal(TEXT, CONTEXT)


def test_another_context_does_not_open() -> None:
    refused(sealer(), sealer().seal(TEXT, CONTEXT), b"event-2")


def test_another_key_does_not_open() -> None:
    refused(sealer(b"another key ....."[:16]), sealer().seal(TEXT, CONTEXT), CONTEXT)


def test_a_change_of_any_byte_is_noticed() -> None:
    sealed = sealer().seal(TEXT, CONTEXT)
    for place in range(len(sealed)):
        refused(sealer(), sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :], CONTEXT)


def test_sealed_bytes_cut_anywhere_are_refused() -> None:
    sealed = sealer().seal(TEXT, CONTEXT)
    for length in range(len(sealed)):
        refused(sealer(), sealed[:length], CONTEXT)


def test_a_refusal_quotes_neither_text_nor_key() -> None:
    error = refused(sealer(), sealer().seal(TEXT, CONTEXT), b"event-2")
    assert "测试甲" not in repr(error)
    assert "0123456789abcdef" not in repr(error)


@pytest.mark.parametrize("length", [0, 8, 15, 17, 32])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(CarddError) as caught:
        sealer(b"k" * length)
    assert caught.value.reason is Reason.INVALID


@pytest.mark.parametrize(("before", "after"), [(SM4_GCM, AES_256_GCM), (AES_256_GCM, SM4_GCM)])
def test_what_was_sealed_before_a_change_of_algorithm_still_opens(before: str, after: str) -> None:
    key = Secret(b"0123456789abcdef")
    sealed = GcmSealer(before, key).seal(TEXT, CONTEXT)
    changed = GcmSealer(after, key)
    assert changed.open(sealed, CONTEXT) == TEXT
    assert changed.seal(TEXT, CONTEXT)[:1] != sealed[:1]


def test_another_algorithms_name_on_sealed_bytes_does_not_open_them() -> None:
    sealed = sealer().seal(TEXT, CONTEXT)
    refused(sealer(), b"\x02" + sealed[1:], CONTEXT)
