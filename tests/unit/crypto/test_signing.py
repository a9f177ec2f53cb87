import pytest

from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.crypto import signing

KEY = Secret(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
OF_NOTHING = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)


def test_ed25519_signs_as_rfc_8032_shows() -> None:
    signer = signing.signer("ed25519", KEY)
    assert (signer.algorithm, signer.public, signer.sign(b"")) == ("ed25519", PUBLIC, OF_NOTHING)
    assert signing.verify("ed25519", PUBLIC, b"", OF_NOTHING)


@pytest.mark.parametrize(
    ("public", "statement", "signature"),
    [
        (PUBLIC, b"x", OF_NOTHING),
        (PUBLIC, b"", OF_NOTHING[:-1] + b"\x00"),
        (PUBLIC, b"", OF_NOTHING[:-1]),
        (PUBLIC[:-1], b"", OF_NOTHING),
        (bytes(32), b"", OF_NOTHING),
        (b"", b"", b""),
    ],
)
def test_another_key_statement_or_signature_is_not_right(public: bytes, statement: bytes, signature: bytes) -> None:
    assert not signing.verify("ed25519", public, statement, signature)


def test_an_unknown_algorithm_is_refused_by_name() -> None:
    for ask in (lambda: signing.signer("rsa", KEY), lambda: signing.verify("rsa", PUBLIC, b"", OF_NOTHING)):
        with pytest.raises(CarddError, match="`rsa`"):
            ask()


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(CarddError, match="32 bytes"):
        signing.signer("ed25519", Secret(bytes(length)))
