"""Certificate mode: instead of bare keys there are three files, and each request names two of them by number.

The number ("SN") is the MD5 of issuer and serial number; that of the root file joins the numbers of its RSA
certificates by `_`. MD5 is Alipay's choice for a name, nothing trusts it.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from .errors import KeyProblem
from .signing import MAX_KEY_BITS, MAX_TEXT, MIN_KEY_BITS

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_RSA_SIGNATURES = bytes.fromhex("2a864886f70d0101")  # 1.2.840.113549.1.1.*
_SEQUENCE, _INTEGER, _OID, _VERSION = 0x30, 0x02, 0x06, 0xA0
MAX_CERTIFICATES = 20


@dataclass(frozen=True)
class Certificate:
    """A leaf certificate as we use it."""

    number: str
    key: rsa.RSAPublicKey
    ends_at: datetime
    subject: str


def load_leaf_certificates(text: str) -> list[Certificate]:
    """The certificates in the text that belong to somebody and are no authority's. Raises KeyProblem.

    Alipay's own file holds its certificate and the authority's; while it is being exchanged, the old and the
    new file may stand one after the other.
    """
    found = [
        Certificate(get_number(cert), _get_key(cert), cert.not_valid_after_utc, cert.subject.rfc4514_string())
        for cert in map(_parse, _split(text))
        if not _is_authority(cert)
    ]
    if not found:
        raise KeyProblem("not_a_certificate")
    return found


def get_root_number(text: str) -> str:
    """ "SN_SN" of the root file: its RSA-signed certificates in order of appearance. Raises KeyProblem."""
    numbers = [get_number(_parse(der)) for der in _split(text) if _is_signed_by_rsa(der)]
    if not numbers:
        raise KeyProblem("not_a_root_certificate")
    return "_".join(numbers)


def get_number(cert: x509.Certificate) -> str:
    """MD5 of the issuer (most specific part first, as RFC 2253 writes it) and the decimal serial number."""
    text = f"{cert.issuer.rfc4514_string()}{cert.serial_number}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _split(text: str) -> list[bytes]:
    """The certificates of a PEM text as DER. Raises KeyProblem."""
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise KeyProblem("not_a_certificate")
    blocks = _PEM.findall(text)
    if not 0 < len(blocks) <= MAX_CERTIFICATES:
        raise KeyProblem("not_a_certificate")
    try:
        return [base64.b64decode("".join(block.split()), validate=True) for block in blocks]
    except ValueError as error:
        raise KeyProblem("not_a_certificate") from error


def _parse(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise KeyProblem("not_a_certificate") from error


def _is_signed_by_rsa(der: bytes) -> bool:
    """Read with our own eyes: Alipay's root file also holds SM2 and ECDSA certificates, whose parameters the
    library refuses to parse. They do not count for the number.
    """
    try:
        fields, _rest = _enter(_enter(der, _SEQUENCE)[0], _SEQUENCE)
        if fields[0] == _VERSION:
            fields = _enter(fields, _VERSION)[1]
        fields = _enter(fields, _INTEGER)[1]  # the serial number
        algorithm = _enter(fields, _SEQUENCE)[0]
        return _enter(algorithm, _OID)[0].startswith(_RSA_SIGNATURES)
    except (IndexError, ValueError) as error:
        raise KeyProblem("not_a_certificate") from error


def _enter(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """(content, what follows) of the DER element at the start, which must have this tag."""
    if data[0] != tag:
        raise ValueError("tag")
    length, at = data[1], 2
    if length & 0x80:
        at += length & 0x7F
        length = int.from_bytes(data[2:at], "big")
    if at + length > len(data):
        raise ValueError("length")
    return data[at : at + length], data[at + length :]


def _is_authority(cert: x509.Certificate) -> bool:
    try:
        return cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return cert.issuer == cert.subject


def _get_key(cert: x509.Certificate) -> rsa.RSAPublicKey:
    try:
        key = cert.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyProblem("not_rsa") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyProblem("not_rsa")
    if not MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS:
        raise KeyProblem("key_length", str(key.key_size))
    return key
