"""Keys and certificates: reading what a merchant pastes, and saying what is wrong with it."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .errors import KeyMaterialError, UnknownSerial

#: API v3 keys are 32 characters set by the merchant on the merchant platform.
API_V3_KEY_LENGTH = 32
SMALLEST_RSA_BITS = 2048
PUBLIC_KEY_PREFIX = "PUB_KEY_ID_"

_PUBLIC_KEY_ID = re.compile(r"PUB_KEY_ID_[0-9A-Za-z]{1,64}")
_CERTIFICATE_SERIAL = re.compile(r"[0-9A-F]{1,64}")


def normalize_serial(text):
    """The one spelling of a serial: public-key ids as they are, certificate serials in upper hex without leading zeros.

    Raises UnknownSerial for anything else, so that a header of any length or content is safe to pass.
    """
    text = text or ""
    if len(text) <= 80:
        if _PUBLIC_KEY_ID.fullmatch(text):
            return text
        if _CERTIFICATE_SERIAL.fullmatch(text.upper()) and text.isascii() and text.strip("0"):
            return text.upper().lstrip("0")
    raise UnknownSerial("serial is neither a public-key id nor a hexadecimal certificate serial")


def get_certificate_serial(certificate):
    """Serial as WeChat Pay writes it in headers: upper hex, in whole bytes."""
    text = f"{certificate.serial_number:X}"
    return text if len(text) % 2 == 0 else f"0{text}"


def load_private_key(pem):
    """The merchant's RSA private key (PEM, PKCS#1 or PKCS#8). KeyMaterialError: 'not_a_private_key', 'key_too_short'."""
    try:
        key = serialization.load_pem_private_key(_to_bytes(pem), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyMaterialError("not_a_private_key") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KeyMaterialError("not_a_private_key")
    _check_length(key)
    return key


def load_certificate(pem):
    """An X.509 certificate with an RSA key. KeyMaterialError: 'not_a_certificate', 'key_too_short'."""
    try:
        certificate = x509.load_pem_x509_certificate(_to_bytes(pem))
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise KeyMaterialError("not_a_certificate") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyMaterialError("not_a_certificate")
    _check_length(key)
    return certificate


def load_public_key(pem):
    """WeChat Pay's RSA public key. KeyMaterialError: 'not_a_public_key', 'key_too_short'."""
    try:
        key = serialization.load_pem_public_key(_to_bytes(pem))
    except (ValueError, UnsupportedAlgorithm):
        raise KeyMaterialError("not_a_public_key") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyMaterialError("not_a_public_key")
    _check_length(key)
    return key


def check_pair(private_key, certificate):
    """KeyMaterialError 'pair_differs' unless the certificate was issued for this private key."""
    if private_key.public_key().public_numbers() != certificate.public_key().public_numbers():
        raise KeyMaterialError("pair_differs")


def check_api_v3_key(text):
    """The API v3 key as bytes. KeyMaterialError: 'api_v3_key_length' unless 32 printable ASCII characters."""
    if not text or len(text) != API_V3_KEY_LENGTH or not text.isascii() or not text.isprintable():
        raise KeyMaterialError("api_v3_key_length")
    return text.encode("ascii")


def _check_length(key):
    if key.key_size < SMALLEST_RSA_BITS:
        raise KeyMaterialError("key_too_short")


def _to_bytes(pem):
    return pem if isinstance(pem, bytes) else str(pem or "").strip().encode("utf-8", "replace")


@dataclass(frozen=True)
class TrustedKey:
    """A key that may sign for WeChat Pay, usable between two moments (aware UTC; None: unlimited)."""

    public_key: rsa.RSAPublicKey
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @classmethod
    def from_certificate(cls, certificate):
        return cls(
            certificate.public_key(), certificate.not_valid_before_utc, certificate.not_valid_after_utc
        )

    def is_valid_at(self, moment):
        return (self.valid_from is None or self.valid_from <= moment) and (
            self.valid_until is None or moment <= self.valid_until
        )


@dataclass(frozen=True)
class KeyRing:
    """Serial -> key that may sign for WeChat Pay. Holds public keys and platform certificates at the same time."""

    keys: dict = field(default_factory=dict)

    def get(self, serial, moment=None):
        """The key of a serial; UnknownSerial when there is none or it is not valid now. Never asks anybody."""
        key = self.keys.get(normalize_serial(serial))
        if key is None:
            raise UnknownSerial("no key with this serial is known")
        if not key.is_valid_at(moment or datetime.now(UTC)):
            raise UnknownSerial("the certificate of this serial is not valid at this time")
        return key.public_key
