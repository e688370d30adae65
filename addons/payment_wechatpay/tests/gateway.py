"""Test keys, really signed messages, and a loopback server that answers as it is told. Made per run, trusted by nobody."""

import base64
import functools
import json
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MCHID = "1900000109"
APPID = "wxd678efh567hg6787"
API_V3_KEY = "0123456789abcdefghijklmnopqrstuv"
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000001092026112100000000000001"


@functools.cache
def make_key(name):
    """One RSA key a name and run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def to_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def to_public_pem(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@functools.cache
def make_certificate(name, days=365, start_days=-1):
    """(PEM, serial in hex) of a self-signed certificate for make_key(name)."""
    key = make_key(name)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    begin = datetime.now(UTC) + timedelta(days=start_days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(b"\x5a" + secrets.token_bytes(18)))
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days + 1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), f"{certificate.serial_number:X}"


def sign_headers(body, *, key="wechat", serial=PUBLIC_KEY_ID, timestamp=None, nonce=None):
    """Headers WeChat Pay sends with raw bytes."""
    timestamp = str(int(time.time()) if timestamp is None else timestamp)
    nonce = nonce or secrets.token_hex(16)
    message = timestamp.encode() + b"\n" + nonce.encode() + b"\n" + body + b"\n"
    signature = make_key(key).sign(message, padding.PKCS1v15(), hashes.SHA256())
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature": base64.b64encode(signature).decode(),
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
    }


def encrypt(plain, *, key=API_V3_KEY, associated_data="transaction", changes=None, is_text=False):
    """An encrypted resource object of a dict (or text); `changes` replace parts of it afterwards."""
    nonce = secrets.token_hex(6)
    raw = plain if is_text else json.dumps(plain)
    raw = AESGCM(key.encode()).encrypt(nonce.encode(), raw.encode(), (associated_data or "").encode())
    resource = {
        "original_type": "transaction",
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(raw).decode(),
        "associated_data": associated_data,
        "nonce": nonce,
    }
    return resource | (changes or {})


def make_event(plain, event_type="TRANSACTION.SUCCESS", **encryption):
    """Raw body of a callback."""
    event = {
        "id": secrets.token_hex(16),
        "create_time": "2026-11-21T10:00:00+08:00",
        "resource_type": "encrypt-resource",
        "event_type": event_type,
        "summary": "支付成功",
        "resource": encrypt(plain, **encryption),
    }
    return json.dumps(event, ensure_ascii=False).encode()


def make_payment(reference, fen, **changes):
    """The transaction object of a paid order."""
    payment = {
        "mchid": MCHID,
        "appid": APPID,
        "out_trade_no": reference,
        "transaction_id": f"4200{abs(hash(reference)) % 10**24:024d}",
        "trade_type": "NATIVE",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "bank_type": "OTHERS",
        "success_time": "2026-11-21T10:00:00+08:00",
        "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "amount": {"total": fen, "payer_total": fen, "currency": "CNY", "payer_currency": "CNY"},
    }
    return payment | changes


def make_refund(reference, refund_reference, total, refund, status="SUCCESS", **changes):
    """The plain object of a refund callback: no appid, no currency."""
    payload = {
        "mchid": MCHID,
        "out_trade_no": reference,
        "transaction_id": f"4200{abs(hash(reference)) % 10**24:024d}",
        "out_refund_no": refund_reference,
        "refund_id": f"5030{abs(hash(refund_reference)) % 10**24:024d}",
        "refund_status": status,
        "success_time": "2026-11-21T10:05:00+08:00",
        "user_received_account": "支付用户零钱",
        "amount": {"total": total, "refund": refund, "payer_total": total, "payer_refund": refund},
    }
    return payload | changes


class ScriptedGateway:
    """Answers each request with what `script(method, path, headers, body)` returns: (status, headers, body bytes).

    `requests` keeps what was asked, as (method, path, headers, body).
    """

    def __init__(self, script=None):
        self.script = script
        self.requests = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def _answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gateway.requests.append((self.command, self.path, dict(self.headers), body))
                status, headers, content = gateway.script(self.command, self.path, self.headers, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(content)
                except OSError:
                    return  # the client had enough

            do_GET = do_POST = _answer

            def log_message(self, *_args):
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def answer(data, status=200, **signing):
    """A signed JSON answer for a script."""
    body = b"" if data is None else json.dumps(data, ensure_ascii=False).encode()
    return status, {"Content-Type": "application/json"} | sign_headers(body, **signing), body
