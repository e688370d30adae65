"""Key pairs, certificates and RSA signatures, made anew by each run. Nothing here leaves the state directory."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

VALID_DAYS = 365


@dataclass(frozen=True)
class Identity:
    """A private key with the certificate that names its owner."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:040X}"

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


def make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def make_identity(
    common_name: str, issuer: "Identity | None" = None, *, is_authority: bool = False
) -> Identity:
    """Somebody certified by `issuer`, or an authority of its own."""
    key = make_key()
    is_authority = is_authority or issuer is None
    return Identity(key, _certify(common_name, key.public_key(), issuer or key, is_authority=is_authority))


def make_elliptic_authority_pem(common_name: str) -> str:
    """Alipay's root file also holds authorities that do not sign with RSA; clients must skip them."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certify(common_name, key.public_key(), key, is_authority=True)
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _certify(common_name, public_key, issuer, *, is_authority):
    now = datetime.now(UTC)
    subject = _name(common_name)
    is_leaf = isinstance(issuer, Identity)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if is_leaf else subject)
        .public_key(public_key)
        .serial_number((1 << 158) | (x509.random_serial_number() >> 2))  # always 40 hex digits
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    return builder.sign(issuer.key if is_leaf else issuer, hashes.SHA256())


def _name(common_name):
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Simulated gateway"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Tests and demonstration only"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key: rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def sign(key: rsa.RSAPrivateKey, message: bytes) -> str:
    """RSASSA-PKCS1-v1_5 with SHA-256, base64."""
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def is_signed(public_key: rsa.RSAPublicKey, message: bytes, signature: str) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
        public_key.verify(raw, message, padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True


def get_alipay_number(certificate: x509.Certificate) -> str:
    """Alipay's "SN": MD5 of the issuer (from CN to C) and the decimal serial number."""
    text = f"{certificate.issuer.rfc4514_string()}{certificate.serial_number}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
