from concurrent.futures import ThreadPoolExecutor

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.crypto.block import Algorithm, block_size, cbc_last_block, decrypt, encrypt, encrypt_kept

SM4_STANDARD = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def test_sm4_gives_the_example_of_its_standard() -> None:
    cipher = encrypt(Algorithm.SM4, SM4_STANDARD, SM4_STANDARD)
    assert cipher.hex().upper() == "681EDF34D206965E86B3E94F536E4246"
    assert decrypt(Algorithm.SM4, SM4_STANDARD, cipher) == SM4_STANDARD


def test_single_des_gives_the_example_of_its_standard() -> None:
    # the classic worked example of FIPS 46
    key, plain = bytes.fromhex("133457799BBCDFF1"), bytes.fromhex("0123456789ABCDEF")
    cipher = encrypt(Algorithm.DES, key, plain)
    assert cipher.hex().upper() == "85E813540F0AB405"
    assert decrypt(Algorithm.DES, key, cipher) == plain


def test_two_key_3des_encrypts_decrypts_encrypts() -> None:
    left, right, plain = bytes(range(8)), bytes(range(8, 16)), b"\x11" * 8
    by_hand = encrypt(Algorithm.DES, left, decrypt(Algorithm.DES, right, encrypt(Algorithm.DES, left, plain)))
    assert encrypt(Algorithm.DES, left + right, plain) == by_hand
    assert decrypt(Algorithm.DES, left + right, by_hand) == plain


@pytest.mark.parametrize(("algorithm", "size"), [(Algorithm.DES, 8), (Algorithm.SM4, 16), (Algorithm.SSF33, 16)])
def test_block_sizes(algorithm: Algorithm, size: int) -> None:
    assert block_size(algorithm) == size


@pytest.mark.parametrize("function", [encrypt, decrypt, encrypt_kept, cbc_last_block])
def test_ssf33_cannot_be_computed(function: object) -> None:
    assert callable(function)
    with pytest.raises(CarddError) as caught:
        function(Algorithm.SSF33, bytes(16), bytes(16))
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


@pytest.mark.parametrize(
    ("algorithm", "key", "data"),
    [
        (Algorithm.DES, bytes(24), bytes(8)),
        (Algorithm.DES, bytes(7), bytes(8)),
        (Algorithm.DES, bytes(8), bytes(7)),
        (Algorithm.SM4, bytes(8), bytes(16)),
        (Algorithm.SM4, bytes(16), bytes(8)),
    ],
)
def test_wrong_lengths_are_refused(algorithm: Algorithm, key: bytes, data: bytes) -> None:
    for function in (encrypt, decrypt, encrypt_kept, cbc_last_block):
        with pytest.raises(ValueError, match="bytes"):
            function(algorithm, key, data)


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])
def test_a_kept_key_gives_what_a_fresh_one_gives(algorithm: Algorithm) -> None:
    for number in range(200):
        key, data = number.to_bytes(16, "big"), bytes(range(16))
        assert encrypt_kept(algorithm, key, data) == encrypt(algorithm, key, data)


def test_a_kept_key_serves_several_threads_at_once() -> None:
    # large enough that the library lets other threads run meanwhile
    key, data = bytes(16), bytes(1 << 20)
    expected = encrypt(Algorithm.SM4, key, data)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: encrypt_kept(Algorithm.SM4, key, data), range(12)))
    assert answers == [expected] * 12


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])
def test_the_last_chained_block_is_the_cipher_of_block_xor_cipher_before(algorithm: Algorithm) -> None:
    size, key = block_size(algorithm), bytes(range(16))
    first, second = b"\x5a" * size, bytes(range(size))
    before = encrypt(algorithm, key, first)
    mixed = bytes(a ^ b for a, b in zip(before, second, strict=True))
    assert cbc_last_block(algorithm, key, first + second) == encrypt(algorithm, key, mixed)
    with pytest.raises(ValueError, match="no data"):
        cbc_last_block(algorithm, key, b"")
