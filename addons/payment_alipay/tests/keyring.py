"""Keys and certificates made for a test run, and what Alipay would sign with them."""

import base64
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

VECTORS = Path(__file__).parent / "vectors"


@cache
def make_key(owner: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key for each owner: "app", "alipay", "stranger" …"""
    return rsa.generate_private_key(65537, bits)


@cache
def make_curve_key():
    return ec.generate_private_key(ec.SECP256R1())


def get_private_text(key, *, layout="PKCS8", pem=True) -> str:
    fmt = getattr(serialization.PrivateFormat, layout)
    encoding = serialization.Encoding.PEM if pem else serialization.Encoding.DER
    raw = key.private_bytes(encoding, fmt, serialization.NoEncryption())
    return raw.decode() if pem else base64.b64encode(raw).decode()


def get_public_text(key, *, pem=True) -> str:
    encoding = serialization.Encoding.PEM if pem else serialization.Encoding.DER
    raw = key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    return raw.decode() if pem else base64.b64encode(raw).decode()


def sign(text: str, key) -> str:
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


def sign_params(params: dict, key, skip=("sign", "sign_type")) -> dict:
    """The parameters of a notice with Alipay's signature. Written apart from what the addon does."""
    text = "&".join(f"{name}={value}" for name, value in sorted(params.items()) if name not in skip)
    return {**params, "sign": sign(text, key)}


def encode(params: dict) -> str:
    return urlencode(params)


@cache
def make_certificate(owner: str, *, days: int = 365, ca: bool = False, serial: int = 0) -> str:
    """PEM of a certificate of the owner's key, issued by a test authority (or by itself, for an authority)."""
    issuer_key = make_key("authority")
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_get_name("authority" if ca else owner))
        .issuer_name(_get_name("authority"))
        .public_key((issuer_key if ca else make_key(owner)).public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _get_name(name: str) -> x509.Name:
    parts = ((NameOID.COUNTRY_NAME, "CN"), (NameOID.ORGANIZATION_NAME, "Test"), (NameOID.COMMON_NAME, name))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
