"""Signatures of API v3: what is signed, by whom, in which header.

Every string to sign ends each of its lines with a newline, also the last one. RSA PKCS#1 v1.5 with SHA-256, base64.
"""

import base64
import binascii
import re
import secrets
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from .errors import BadSignature, StaleMessage

SCHEME = "WECHATPAY2-SHA256-RSA2048"
#: Seconds a message may be old or ahead; the official Go SDK refuses 300 and more.
REPLAY_WINDOW_S = 300

_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def make_nonce():
    return secrets.token_hex(16).upper()


def _join(*parts):
    return b"".join((part if isinstance(part, bytes) else str(part).encode()) + b"\n" for part in parts)


def sign(private_key, message):
    """Base64 signature of bytes."""
    return base64.b64encode(private_key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def build_request_message(method, path, timestamp, nonce, body):
    """path: with query, without host, exactly as sent. body: the bytes sent, b'' for GET."""
    return _join(method.upper(), path, timestamp, nonce, body)


def build_authorization(private_key, mchid, serial, method, path, body, *, timestamp, nonce):
    """Value of the Authorization header. serial: of the merchant's API certificate."""
    signature = sign(private_key, build_request_message(method, path, timestamp, nonce, body))
    return (
        f'{SCHEME} mchid="{mchid}",nonce_str="{nonce}",signature="{signature}",'
        f'timestamp="{timestamp}",serial_no="{serial}"'
    )


def build_pay_sign(private_key, appid, timestamp, nonce, package):
    """paySign of the JSAPI call; package is 'prepay_id=...'. signType is not part of what is signed."""
    return sign(private_key, _join(appid, timestamp, nonce, package))


def verify(key_ring, headers, body, *, now):
    """Prove that `body` (raw bytes) with these response or callback headers comes from WeChat Pay.

    headers: mapping with a case-insensitive `get`. now: seconds since the epoch.
    Raises StaleMessage, UnknownSerial, BadSignature. The order is: cheap and harmless checks first.
    """
    timestamp = headers.get("Wechatpay-Timestamp") or ""
    nonce = headers.get("Wechatpay-Nonce") or ""
    signature = headers.get("Wechatpay-Signature") or ""
    if not nonce or not signature or len(nonce) > 128 or len(signature) > 2048:
        raise BadSignature("signature headers are missing or too long")
    if (headers.get("Wechatpay-Signature-Type") or SCHEME) != SCHEME:
        raise BadSignature("another signature scheme")
    if not _TIMESTAMP.fullmatch(timestamp) or abs(now - int(timestamp)) >= REPLAY_WINDOW_S:
        raise StaleMessage("timestamp missing or outside the window")
    public_key = key_ring.get(headers.get("Wechatpay-Serial"), datetime.fromtimestamp(now, UTC))
    verify_signature(public_key, timestamp, nonce, body, signature)


def verify_signature(public_key, timestamp, nonce, body, signature):
    """BadSignature unless `signature` (base64) fits timestamp, nonce and raw body."""
    try:
        raw = base64.b64decode(signature, validate=True)
        public_key.verify(raw, _join(timestamp, nonce, body), padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, ValueError, InvalidSignature):
        raise BadSignature("signature does not fit") from None
