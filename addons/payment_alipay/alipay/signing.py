"""RSA2: SHA256withRSA (PKCS#1 v1.5) over sorted `key=value` pairs, base64.

Keys come as people paste them: PEM, PEM squeezed into one line, or the bare base64 that Alipay's key tool shows.
"""

import base64
import binascii
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .errors import KeyProblem, SignatureProblem

MIN_KEY_BITS = 2048
MAX_KEY_BITS = 8192
MAX_TEXT = 20_000  # no key or chain of certificates is longer
_ARMOUR = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


def load_private_key(text: str) -> rsa.RSAPrivateKey:
    """RSA private key of PEM or bare base64, PKCS#1 or PKCS#8. Raises KeyProblem."""
    (der,) = _split_der(text, "not_a_private_key", only_one=True)
    try:
        key = serialization.load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyProblem("not_a_private_key") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KeyProblem("not_rsa")
    _check_length(key)
    return key


def load_public_keys(text: str) -> list[rsa.RSAPublicKey]:
    """One or more RSA public keys: several while Alipay's key is being exchanged. Raises KeyProblem."""
    return [_load_public_key(der) for der in _split_der(text, "not_a_public_key")]


def _load_public_key(der: bytes) -> rsa.RSAPublicKey:
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyProblem("not_a_public_key") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyProblem("not_rsa")
    _check_length(key)
    return key


def _check_length(key) -> None:
    if not MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS:
        raise KeyProblem("key_length", str(key.key_size))


def _split_der(text: str, reason: str, only_one: bool = False) -> list[bytes]:
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
        raise KeyProblem(reason)
    bodies = [body for _label, body in _ARMOUR.findall(text)] or [text]
    if only_one and len(bodies) != 1:
        raise KeyProblem(reason)
    try:
        return [base64.b64decode("".join(body.split()), validate=True) for body in bodies]
    except (binascii.Error, ValueError) as error:
        raise KeyProblem(reason) from error


def get_public_text(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> str:
    """The public key as the open platform's form wants it: bare base64 (X.509 SubjectPublicKeyInfo)."""
    public = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def is_same_key(one, other) -> bool:
    return get_public_text(one) == get_public_text(other)


def sign(text: str, key: rsa.RSAPrivateKey) -> str:
    """Base64 RSA2 signature of the text's UTF-8 bytes."""
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


def verify(text: str, signature: str, keys) -> None:
    """Raise SignatureProblem unless one of the public keys made the base64 signature of the text."""
    try:
        raw = base64.b64decode(signature, validate=True)
        data = text.encode()
    except (binascii.Error, ValueError, TypeError) as error:
        raise SignatureProblem("signature is not base64") from error
    for key in keys:
        try:
            key.verify(raw, data, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            continue
        return
    raise SignatureProblem("signed by no key of Alipay's that we know")


def get_request_text(params: Mapping[str, str]) -> str:
    """What is signed of a request: every parameter that has a value, without `sign`, sorted by name."""
    return _join({name: value for name, value in params.items() if name != "sign" and value})


def get_notice_text(params: Mapping[str, str], *, with_empty: bool = True) -> str:
    """What is signed of a notice: every parameter but `sign` and `sign_type`, sorted by name."""
    return _join(
        {
            name: value
            for name, value in params.items()
            if name not in ("sign", "sign_type") and (value or with_empty)
        }
    )


def _join(params: Mapping[str, str]) -> str:
    return "&".join(f"{name}={params[name]}" for name in sorted(params))
