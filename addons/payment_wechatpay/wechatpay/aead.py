"""AES-GCM of callbacks and platform certificates (AEAD_AES_256_GCM)."""

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import MessageError

ALGORITHM = "AEAD_AES_256_GCM"


def decrypt(key, nonce, associated_data, ciphertext):
    """Plain bytes of base64 `ciphertext` (with its 16-byte tag at the end).

    key: bytes; its length is checked where the setting is saved, not here. nonce: text of 12 ASCII characters.
    associated_data: text, may be empty or None. Raises MessageError.
    """
    if not isinstance(nonce, str) or not isinstance(ciphertext, str):
        raise MessageError("encrypted resource is incomplete")
    if associated_data is not None and not isinstance(associated_data, str):
        raise MessageError("associated data is no text")
    try:
        raw = base64.b64decode(ciphertext, validate=True)
        return AESGCM(key).decrypt(nonce.encode(), raw, (associated_data or "").encode())
    except (binascii.Error, ValueError, InvalidTag):
        raise MessageError("resource cannot be decrypted with our API v3 key") from None


def decrypt_resource(key, resource):
    """Plain bytes of an encrypted resource object as the gateway sends it."""
    if not isinstance(resource, dict):
        raise MessageError("encrypted resource is missing")
    if resource.get("algorithm", ALGORITHM) != ALGORITHM:
        raise MessageError("another encryption algorithm")
    return decrypt(key, resource.get("nonce"), resource.get("associated_data"), resource.get("ciphertext"))
