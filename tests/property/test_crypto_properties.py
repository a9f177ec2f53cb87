import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.crypto.authentication import authentication_data
from cardd.crypto.block import Algorithm, block_size, decrypt, encrypt
from cardd.crypto.derive import diversify
from cardd.crypto.messaging import decipher, encipher, mac

ALGORITHMS = st.sampled_from([Algorithm.DES, Algorithm.SM4])
KEYS = st.binary(min_size=16, max_size=16)


@given(ALGORITHMS, KEYS, st.binary(max_size=64))
def test_what_was_encrypted_is_decrypted(algorithm: Algorithm, key: bytes, data: bytes) -> None:
    data += bytes(-len(data) % block_size(algorithm))
    assert decrypt(algorithm, key, encrypt(algorithm, key, data)) == data


@given(ALGORITHMS, KEYS, st.binary(max_size=255))
def test_what_was_enciphered_is_deciphered(algorithm: Algorithm, session: bytes, plaintext: bytes) -> None:
    assert decipher(algorithm, session, encipher(algorithm, session, plaintext)) == plaintext


@given(ALGORITHMS, KEYS, st.binary(max_size=80))
def test_any_cipher_is_deciphered_or_a_value_error(algorithm: Algorithm, session: bytes, cipher: bytes) -> None:
    try:
        plaintext = decipher(algorithm, session, cipher)
    except ValueError:
        return
    assert encipher(algorithm, session, plaintext) == cipher


@given(ALGORITHMS, KEYS, st.binary(min_size=8, max_size=8))
def test_a_derived_key_is_as_long_as_its_parent_and_differs(algorithm: Algorithm, key: bytes, factor: bytes) -> None:
    child = diversify(algorithm, key, factor)
    assert len(child) == 16
    assert child != key


@given(ALGORITHMS, KEYS, st.sampled_from([4, 8]).flatmap(lambda n: st.binary(min_size=n, max_size=n)), st.data())
def test_authentication_data_are_8_bytes_and_depend_on_the_original(
    algorithm: Algorithm, key: bytes, factor: bytes, data: st.DataObject
) -> None:
    original = data.draw(st.binary(min_size=8, max_size=8))
    other = bytes((original[0] ^ 1,)) + original[1:]
    answer = authentication_data(algorithm, key, factor, original)
    assert len(answer) == 8
    assert answer != authentication_data(algorithm, key, factor, other)


@given(ALGORITHMS, KEYS, st.binary(max_size=64))
def test_a_mac_changes_with_the_last_byte(algorithm: Algorithm, session: bytes, data: bytes) -> None:
    assert mac(algorithm, session, data + b"\x01") != mac(algorithm, session, data + b"\x02")


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])
def test_ecb_is_block_by_block(algorithm: Algorithm) -> None:
    size, key = block_size(algorithm), bytes(range(16))
    data = bytes(range(4 * size))
    blocks = [encrypt(algorithm, key, data[at : at + size]) for at in range(0, len(data), size)]
    assert encrypt(algorithm, key, data) == b"".join(blocks)
