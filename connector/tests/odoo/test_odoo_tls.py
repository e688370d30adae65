"""Certificates are verified: a self-signed one, one for another name, one out of date are refused before the key is sent."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fake_odoo import DATABASE, KEY, LOGIN, FakeOdoo
from meter_connector.errors import OdooError, OdooTlsError, Retry
from meter_connector.odoo.client import OdooSettings, make_client

pytestmark = pytest.mark.usefixtures("nothing_left_behind")


def certificate(folder: Path, address: str = "127.0.0.1", days: int = 1) -> Path:
    """A self-signed certificate with its key, one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odoo")])
    now = datetime.datetime.now(datetime.UTC)
    end = now + datetime.timedelta(days=days)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, end) - datetime.timedelta(days=1))
        .not_valid_after(end)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    (folder / "ca.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return path


def server(pem: Path) -> FakeOdoo:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return FakeOdoo(server_tls=context)


async def hello(odoo: FakeOdoo, rpc: str, ca_file: str) -> dict[str, object]:
    client = make_client(OdooSettings(odoo.url, DATABASE, LOGIN, KEY, rpc, ca_file, timeout_s=5))
    try:
        return await client.call("api_hello", {"protocol": 1})
    finally:
        await client.close()


@pytest.mark.parametrize("rpc", ["xmlrpc", "json2"])
async def test_a_self_signed_certificate_is_refused_with_a_word_on_what_to_do(
    tmp_path: Path, rpc: str
) -> None:
    with server(certificate(tmp_path)) as odoo:
        with pytest.raises(OdooTlsError, match="self-signed.*odoo.ca_file") as caught:
            await hello(odoo, rpc, "")
        assert caught.value.retry is Retry.LATER
        assert odoo.calls == []


@pytest.mark.parametrize("rpc", ["xmlrpc", "json2"])
async def test_the_same_certificate_is_taken_when_its_file_is_named(tmp_path: Path, rpc: str) -> None:
    with server(certificate(tmp_path)) as odoo:
        assert (await hello(odoo, rpc, str(tmp_path / "ca.pem")))["config_version"] == 1


@pytest.mark.parametrize(
    ("address", "days", "words"),
    [
        pytest.param("10.0.0.9", 1, "not valid for", id="another address"),
        pytest.param("127.0.0.1", -1, "expired", id="expired"),
    ],
)
async def test_a_trusted_authority_does_not_help_a_wrong_certificate(
    tmp_path: Path, address: str, days: int, words: str
) -> None:
    with server(certificate(tmp_path, address, days)) as odoo, pytest.raises(OdooTlsError, match=words):
        await hello(odoo, "xmlrpc", str(tmp_path / "ca.pem"))


async def test_old_protocol_versions_are_refused(tmp_path: Path) -> None:
    odoo = server(certificate(tmp_path))
    assert odoo.server_tls is not None
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        odoo.server_tls.maximum_version = ssl.TLSVersion.TLSv1_1
    with odoo, pytest.raises(OdooError):
        await hello(odoo, "xmlrpc", str(tmp_path / "ca.pem"))
    assert odoo.calls == []
