from cardd.crypto.digest import hmac_sm3, sm3


def test_sm3_gives_the_digests_of_the_standard_examples() -> None:
    # GB/T 32905 annex A
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abcd" * 16).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"


def keyed_by_definition(key: bytes, data: bytes) -> bytes:
    # RFC 2104 written out, with SM3's block of 64 bytes
    block = (sm3(key) if len(key) > 64 else key).ljust(64, b"\x00")
    inner = sm3(bytes(byte ^ 0x36 for byte in block) + data)
    return sm3(bytes(byte ^ 0x5C for byte in block) + inner)


def test_the_keyed_digest_follows_its_definition_for_short_and_long_keys() -> None:
    for key in (b"k", b"k" * 64, b"k" * 100):
        assert hmac_sm3(key, b"data") == keyed_by_definition(key, b"data")
