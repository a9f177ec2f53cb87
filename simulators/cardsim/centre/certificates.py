"""Invented certificates for a centre and its counters: an issuer of their own, valid on this computer, for tests."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cardd.base.structs import Struct

_DAYS: Final = 30
_HOST: Final = "localhost"


class Certificates(Struct, frozen=True):
    """PEM files in one directory: who vouches, the centre's own, a counter's own."""

    ca: Path
    centre: Path
    centre_key: Path
    counter: Path
    counter_key: Path

    @classmethod
    def make(cls, directory: Path) -> "Certificates":
        """Make them all anew, keys readable by their owner only."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = cls(*(directory / f"{name}.pem" for name in ("ca", "centre", "centre-key", "counter", "counter-key")))
        issuer = _Issuer()
        files.ca.write_bytes(_pem(issuer.certificate))
        for certificate, key, name, use in (
            (files.centre, files.centre_key, _HOST, ExtendedKeyUsageOID.SERVER_AUTH),
            (files.counter, files.counter_key, "counter", ExtendedKeyUsageOID.CLIENT_AUTH),
        ):
            own = ec.generate_private_key(ec.SECP256R1())
            certificate.write_bytes(_pem(issuer.issue(name, own, use)))
            key.touch(mode=0o600)
            key.write_bytes(
                own.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
        return files


class _Issuer:
    """Vouches, and forgets its own key afterwards."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("cardsim test authority")
        self.certificate = (
            _begun(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def issue(self, name: str, key: ec.EllipticCurvePrivateKey, use: x509.ObjectIdentifier) -> x509.Certificate:
        """Vouch for a key under a name, for one use."""
        names = [x509.DNSName(name), *([x509.IPAddress(ip_address("127.0.0.1"))] if name == _HOST else [])]
        return (
            _begun(_name(name), self._name, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _begun(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
