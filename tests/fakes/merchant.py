"""The merchant of the stand-ins' own tests: takes notices, signs requests. Knows the formats, not the addons."""

import base64
import http.client
import json
import secrets
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from . import keys
from .server import BEIJING
from .wechatpay_bill import get_sha1


class Inbox:
    """An HTTP server that keeps what it is sent. `answers`: (status, body) of the next requests, then OK for ever."""

    def __init__(self, ok: tuple[int, bytes]):
        self.received: list[tuple[dict, bytes]] = []
        self.answers: list[tuple[int, bytes]] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.received.append((dict(self.headers), body))
                status, answer = inbox.answers.pop(0) if inbox.answers else ok
                self.send_response(status)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/notify"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self, count: int) -> list[tuple[dict, bytes]]:
        wait_for(lambda: len(self.received) >= count)
        return self.received


def wait_for(question, seconds: float = 15):
    ends = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.02)
    return answer


def send(base_url: str, method: str, target: str, body: bytes = b"", headers: dict | None = None):
    """(status, headers, body); follows nothing and unpacks nothing."""
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        connection.request(method, target, body or None, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


class WeChatMerchant:
    def __init__(self, fake, notify_url: str = "http://127.0.0.1:9/none"):
        self.fake, self.config, self.notify_url = fake, fake.config, notify_url
        self._key = load_pem_private_key(self.config["merchant_private_key"].encode(), None)

    def send(self, method: str, target: str, data=None, *, spoil: str = "", by_certificate=False):
        """spoil: body, timestamp, key, serial."""
        body = json.dumps(data).encode() if data is not None else b""
        timestamp = int(time.time()) - (301 if spoil == "timestamp" else 0)
        nonce = secrets.token_hex(8)
        key = keys.make_key() if spoil == "key" else self._key
        signature = keys.sign(key, f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n")
        serial = "00" if spoil == "serial" else self.config["merchant_serial"]
        values = {"mchid": self.config["mchid"], "nonce_str": nonce, "signature": signature}
        values |= {"timestamp": timestamp, "serial_no": serial}
        text = ",".join(f'{name}="{value}"' for name, value in values.items())
        headers = {"Authorization": f"WECHATPAY2-SHA256-RSA2048 {text}", "Content-Type": "application/json"}
        if not by_certificate:
            headers["Wechatpay-Serial"] = self.config["public_key_id"]
        return send(self.config["base_url"], method, target, body + b" " * (spoil == "body"), headers)

    def call(self, *args, **kwargs):
        """(status, data) of an answer that verifies."""
        status, headers, body = self.send(*args, **kwargs)
        assert self.is_genuine(headers, body), (status, body)
        return status, json.loads(body) if body else None

    def order(self, number: str, kind: str = "native", **values):
        data = {"appid": self.config["appid"], "mchid": self.config["mchid"], "description": "预存电费"}
        data |= {"out_trade_no": number, "notify_url": self.notify_url, "amount": {"total": 1000}}
        return self.call("POST", f"/v3/pay/transactions/{kind}", data | values)

    def query(self, number: str, **kwargs):
        return self.call("GET", f"{self.get_path(number)}?mchid={self.config['mchid']}", **kwargs)

    def close(self, number: str):
        return self.call("POST", f"{self.get_path(number)}/close", {"mchid": self.config["mchid"]})

    def refund(self, number: str, refund_number: str, fen: int):
        data = {"out_trade_no": number, "out_refund_no": refund_number}
        data["amount"] = {"refund": fen, "total": 1000, "currency": "CNY"}
        return self.call("POST", "/v3/refund/domestic/refunds", data)

    def fetch_bill(self, day, kind: str = "tradebill?bill_type=ALL"):
        """(checksum fits, text)"""
        _status, answer = self.call("GET", f"/v3/bill/{kind}&bill_date={day}")
        target = answer["download_url"].removeprefix(self.config["base_url"])
        _status, _headers, content = self.send("GET", target)
        return get_sha1(content) == answer["hash_value"], content.decode()

    @staticmethod
    def get_path(number):
        return f"/v3/pay/transactions/out-trade-no/{number}"

    def is_genuine(self, headers, body: bytes) -> bool:
        config = self.fake.config
        if headers.get("Wechatpay-Serial") == config["public_key_id"]:
            key = load_pem_public_key(config["public_key"].encode())
        elif headers.get("Wechatpay-Serial") == config["platform_serial"]:
            key = x509.load_pem_x509_certificate(config["platform_certificate"].encode()).public_key()
        else:
            return False
        if abs(int(headers["Wechatpay-Timestamp"]) - time.time()) > 300:
            return False
        head = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n"
        return keys.is_signed(key, head.encode() + body + b"\n", headers["Wechatpay-Signature"])

    def read_notice(self, headers, body: bytes) -> dict:
        assert self.is_genuine(headers, body)
        resource = json.loads(body)["resource"]
        cipher = AESGCM(self.config["api_v3_key"].encode())
        raw = base64.b64decode(resource["ciphertext"])
        return json.loads(
            cipher.decrypt(resource["nonce"].encode(), raw, resource["associated_data"].encode())
        )


class AlipayMerchant:
    def __init__(self, fake, notify_url: str = "http://127.0.0.1:9/none"):
        self.fake, self.config, self.notify_url = fake, fake.config, notify_url
        self._key = load_pem_private_key(self.config["app_private_key"].encode(), None)

    def build(self, method: str, content: dict, **params) -> str:
        """A signed form. `params` replace the usual values before signing, those in `_late` after it."""
        late = params.pop("_late", {})
        form = {
            "app_id": self.config["app_id"],
            "method": method,
            "charset": "utf-8",
            "sign_type": "RSA2",
            "version": "1.0",
            "timestamp": f"{datetime.now(BEIJING):%Y-%m-%d %H:%M:%S}",
            "biz_content": json.dumps(content),
            "notify_url": self.notify_url,
        } | params
        text = "&".join(f"{name}={form[name]}" for name in sorted(form) if form[name])
        return urlencode(form | {"sign": keys.sign(self._key, text.encode())} | late)

    def send(self, method: str, content: dict, **params) -> bytes:
        form = self.build(method, content, **params).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return send(self.config["base_url"], "POST", "/gateway.do", form, headers)[2]

    def call(self, method: str, content: dict, **params) -> dict:
        """The node of an answer that verifies; {} when it does not."""
        raw = self.send(method, content, **params)
        answer = json.loads(raw)
        name = f"{method.replace('.', '_')}_response"
        start, end = raw.index(name.encode()) + len(name) + 2, raw.rindex(b',"sign"')
        key = load_pem_public_key(self.fake.config["alipay_public_key"].encode())
        return answer[name] if keys.is_signed(key, raw[start:end], answer["sign"]) else {}

    def order(self, number: str, yuan: str = "10.00", **values):
        content = {"out_trade_no": number, "total_amount": yuan, "subject": "预存电费"} | values
        return self.call("alipay.trade.precreate", content)

    def query(self, number: str) -> dict:
        return self.call("alipay.trade.query", {"out_trade_no": number})

    def is_genuine(self, body: bytes) -> bool:
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
        form = dict(pairs)
        text = "&".join(f"{name}={form[name]}" for name in sorted(form) if name not in ("sign", "sign_type"))
        key = load_pem_public_key(self.fake.config["alipay_public_key"].encode())
        return len(pairs) == len(form) and keys.is_signed(key, text.encode(), form.get("sign", ""))
