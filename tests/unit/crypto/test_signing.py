import subprocess
import sys
from pathlib import Path

import pytest

from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.crypto import signing, sm2

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


# GB/T 32918.5, annex A.2: the private and public key of its example
SM2_KEY = Secret(bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"))
SM2_PUBLIC = bytes.fromhex(
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")


def test_the_public_key_of_sm2_is_that_of_the_standards_example() -> None:
    assert sm2.public_key(SM2_KEY) == SM2_PUBLIC


def test_openssl_accepts_what_sm2_signs(tmp_path: Path) -> None:
    signer = signing.signer("sm2", SM2_KEY)
    (tmp_path / "statement").write_bytes(b"a head")
    (tmp_path / "signature").write_bytes(signer.sign(b"a head"))
    (tmp_path / "key").write_bytes(SPKI + signer.public)
    command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -digest sm3 -in statement"
    options = ["-sigfile", "signature", "-pkeyopt", "distid:1234567812345678"]
    result = subprocess.run([*command.split(), *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr + result.stdout


def test_a_signature_of_sm2_is_right_for_its_key_and_statement_alone() -> None:
    signature = signing.signer("sm2", SM2_KEY).sign(b"a head")
    assert signing.verify("sm2", SM2_PUBLIC, b"a head", signature)
    assert not signing.verify("sm2", SM2_PUBLIC, b"another", signature)
    assert not signing.verify("sm2", SM2_PUBLIC, b"a head", signature[:-1] + bytes([signature[-1] ^ 1]))
    for public, bad in ((SM2_PUBLIC, b""), (SM2_PUBLIC, b"x"), (b"", signature), (bytes(64), signature)):
        assert not signing.verify("sm2", public, b"a head", bad)


@pytest.mark.parametrize("number", [0, sm2._N - 1, sm2._N, 2**256 - 1])
def test_a_number_that_is_no_private_key_of_sm2_is_refused(number: int) -> None:
    with pytest.raises(CarddError, match="no private key"):
        signing.signer("sm2", Secret(number.to_bytes(32, "big")))


def test_without_the_extra_sm2_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    for ask in (lambda: signing.signer("sm2", SM2_KEY), lambda: signing.verify("sm2", SM2_PUBLIC, b"", b"")):
        with pytest.raises(CarddError, match=r"cardd\[sm2\]"):
            ask()
