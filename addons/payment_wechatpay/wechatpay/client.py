"""The merchant's side of the wire: signed requests out, verified answers in.

Calls block for about READ_S + TOTAL_S seconds at most. Redirects are not followed, encoded or oversize answers are
refused, and an answer without a valid signature is no answer, whatever its status.
"""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

import requests

from . import aead, bill, keys, signing
from .errors import ApiError, MessageError, TransportError, VerificationError
from .messages import read_payment, read_refund
from .strict_json import get_text, parse_object

PRODUCTION_URL = "https://api.mch.weixin.qq.com"
SPARE_URL = "https://api2.mch.weixin.qq.com"
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")

#: Longest wait for a connection or for the next bytes; longest answer altogether.
READ_S = 10
TOTAL_S = 20
LARGEST_ANSWER = 1024 * 1024
LARGEST_BILL = 256 * 1024 * 1024
BILL_TOTAL_S = 300

_ORDER_PATHS = {
    "native": "/v3/pay/transactions/native",
    "jsapi": "/v3/pay/transactions/jsapi",
    "h5": "/v3/pay/transactions/h5",
}
#: What the answer to an order must hold.
_ORDER_ANSWERS = {"native": "code_url", "jsapi": "prepay_id", "h5": "h5_url"}


@dataclass(frozen=True)
class Merchant:
    """Who we are, and whom we trust. `repr` shows no secret."""

    mchid: str
    appid: str
    serial: str  # of the merchant's API certificate
    private_key: object
    api_v3_key: bytes
    key_ring: keys.KeyRing
    public_key_id: str = ""  # in public-key mode: asks the gateway to answer with this key

    def __repr__(self):
        return f"Merchant({self.mchid!r})"


def is_loopback_url(url):
    """Whether an address leads to this very machine: http(s), a loopback host, no user, path, query or fragment."""
    try:
        parts = urlsplit(url or "")
        _port = parts.port  # raises for a port that is none
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and parts.hostname in LOOPBACK_HOSTS
        and parts.username is None
        and parts.path in ("", "/")
        and not parts.query
        and not parts.fragment
    )


class Client:
    """now: callable giving seconds since the epoch."""

    def __init__(self, merchant, base_url=PRODUCTION_URL, *, now=time.time):
        self.merchant = merchant
        self.base_url = base_url.rstrip("/")
        self._now = now

    # --- orders -----------------------------------------------------------------------------------------------

    def create_order(self, kind, order):
        """kind: native, jsapi, h5. order: description, out_trade_no, notify_url, amount, time_expire, payer, scene_info.

        Returns code_url, prepay_id or h5_url. May be repeated with the same values after a TransportError.
        """
        body = {"appid": self.merchant.appid, "mchid": self.merchant.mchid} | order
        answer = self._call("POST", _ORDER_PATHS[kind], body=body)
        return get_text(answer, _ORDER_ANSWERS[kind], longest=2048)

    def query_order(self, reference):
        """Facts of an order by our number (messages.read_payment); None when WeChat Pay does not know it."""
        path = f"/v3/pay/transactions/out-trade-no/{_path(reference)}"
        try:
            data = self._call("GET", path, params={"mchid": self.merchant.mchid})
        except ApiError as error:
            if error.is_fact("ORDER_NOT_EXIST", "ORDERNOTEXIST"):
                return None
            raise
        facts = read_payment(data, mchid=self.merchant.mchid, appid=self.merchant.appid)
        return self._check_answers(facts, "reference", reference)

    def close_order(self, reference):
        """'closed' when it can no longer be paid, 'paid' when the payer was faster."""
        path = f"/v3/pay/transactions/out-trade-no/{_path(reference)}/close"
        try:
            self._call("POST", path, body={"mchid": self.merchant.mchid})
        except ApiError as error:
            if error.is_fact("ORDER_PAID", "ORDERPAID"):
                return "paid"
            if error.is_fact("ORDER_CLOSED", "ORDERCLOSED", "ORDER_NOT_EXIST", "ORDERNOTEXIST"):
                return "closed"
            raise
        return "closed"

    def get_jsapi_values(self, prepay_id, *, nonce=None):
        """Arguments of WeixinJSBridge's getBrandWCPayRequest."""
        timestamp, nonce = str(int(self._now())), nonce or signing.make_nonce()
        package = f"prepay_id={prepay_id}"
        return {
            "appId": self.merchant.appid,
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": signing.build_pay_sign(
                self.merchant.private_key, self.merchant.appid, timestamp, nonce, package
            ),
        }

    # --- refunds ----------------------------------------------------------------------------------------------

    def refund(self, refund):
        """refund: out_trade_no, out_refund_no, amount{refund,total,currency}, notify_url. Facts (messages.read_refund).

        After a TransportError repeat with the SAME out_refund_no: a new one would pay back twice.
        """
        facts = read_refund(self._call("POST", "/v3/refund/domestic/refunds", body=refund))
        return self._check_answers(facts, "refund_reference", refund["out_refund_no"])

    def query_refund(self, refund_reference):
        """Facts of a refund by our number; None when WeChat Pay does not know it."""
        try:
            data = self._call("GET", f"/v3/refund/domestic/refunds/{_path(refund_reference)}")
        except ApiError as error:
            if error.is_fact("RESOURCE_NOT_EXISTS", "RESOURCENOTEXISTS"):
                return None
            raise
        return self._check_answers(read_refund(data), "refund_reference", refund_reference)

    # --- bills ------------------------------------------------------------------------------------------------

    def fetch_trade_bill(self, day):
        """Lines and totals (bill.parse_trade_bill) of a date (Beijing); None when nothing moved on it."""
        content = self._fetch_bill("/v3/bill/tradebill", {"bill_date": day.isoformat(), "bill_type": "ALL"})
        return None if content is None else bill.parse_trade_bill(content, day)

    def fetch_fund_bill(self, day, account="BASIC"):
        """Lines and totals (bill.parse_fund_bill) of an account: BASIC, OPERATION or FEES."""
        params = {"bill_date": day.isoformat(), "account_type": account}
        content = self._fetch_bill("/v3/bill/fundflowbill", params)
        return None if content is None else bill.parse_fund_bill(content, day)

    def _fetch_bill(self, path, params):
        try:
            answer = self._call("GET", path, params=params)
        except ApiError as error:
            if error.is_fact("NO_STATEMENT_EXIST"):
                return None
            raise
        if get_text(answer, "hash_type") != "SHA1":
            raise MessageError("bill with another kind of checksum")
        url = get_text(answer, "download_url", longest=4096)
        content = self._download(url)
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        if not hmac.compare_digest(digest.encode(), get_text(answer, "hash_value").lower().encode()):
            raise MessageError("bill does not fit its checksum")
        return content

    def _download(self, url):
        """A bill carries no signature of its own: its checksum came in a signed answer."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        allowed = {self.base_url}
        if self.base_url == PRODUCTION_URL:
            allowed.add(SPARE_URL)
        if origin not in allowed:
            raise MessageError("bill is offered by a foreign host")
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        response, content = self._send("GET", path, b"", LARGEST_BILL, BILL_TOTAL_S, base_url=origin)
        if response.status_code != 200:
            raise ApiError(response.status_code)
        return content

    # --- platform certificates --------------------------------------------------------------------------------

    def fetch_certificates(self):
        """PEM texts of WeChat Pay's platform certificates, for certificate mode.

        The first time no certificate is known that could prove the answer: then one of those inside it must, and they
        are readable with our API v3 key only, over TLS, because we asked. Callbacks never lead here.
        """
        response, content = self._send("GET", "/v3/certificates", b"", LARGEST_ANSWER, TOTAL_S)
        if response.status_code != 200:
            self._raise_api_error(response, content)
        found = {}
        entries = parse_object(content).get("data")
        for entry in entries if isinstance(entries, list) else []:
            resource = entry.get("encrypt_certificate") if isinstance(entry, dict) else None
            pem = aead.decrypt_resource(self.merchant.api_v3_key, resource).decode("ascii", "replace")
            certificate = keys.load_certificate(pem)
            found[keys.normalize_serial(keys.get_certificate_serial(certificate))] = pem, certificate
        ring = keys.KeyRing(
            {serial: keys.TrustedKey.from_certificate(pair[1]) for serial, pair in found.items()}
            | dict(self.merchant.key_ring.keys)
        )
        signing.verify(ring, response.headers, content, now=self._now())
        return [pem for pem, _certificate in found.values()]

    # --- the wire ---------------------------------------------------------------------------------------------

    def _call(self, method, path, *, params=None, body=None):
        """One signed request; the verified answer as a dict ({} for 204)."""
        if params:
            path = f"{path}?{urlencode(params)}"
        raw = b"" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        response, content = self._send(method, path, raw, LARGEST_ANSWER, TOTAL_S)
        if response.status_code not in (200, 204):
            self._raise_api_error(response, content)
        signing.verify(self.merchant.key_ring, response.headers, content, now=self._now())
        return {} if response.status_code == 204 else parse_object(content)

    def _raise_api_error(self, response, content):
        try:
            signing.verify(self.merchant.key_ring, response.headers, content, now=self._now())
            is_verified = True
        except VerificationError:
            is_verified = False
        try:
            data = parse_object(content)
        except MessageError:
            data = {}
        code, message = data.get("code"), data.get("message")
        raise ApiError(
            response.status_code,
            code[:64] if isinstance(code, str) else "",
            message[:256] if isinstance(message, str) else "",
            is_verified,
        )

    def _send(self, method, path, body, limit, total_s, *, base_url=None):
        """Send the bytes that were signed; the response and its raw body of at most `limit` bytes."""
        merchant = self.merchant
        headers = {
            "Authorization": signing.build_authorization(
                merchant.private_key,
                merchant.mchid,
                merchant.serial,
                method,
                path,
                body,
                timestamp=int(self._now()),
                nonce=signing.make_nonce(),
            ),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "odoo-payment-wechatpay/19.0",
        }
        if body:
            headers["Content-Type"] = "application/json"
        if merchant.public_key_id:
            headers["Wechatpay-Serial"] = merchant.public_key_id
        deadline = time.monotonic() + total_s
        try:
            with requests.Session() as session:
                response = session.request(
                    method,
                    (base_url or self.base_url) + path,
                    data=body or None,
                    headers=headers,
                    auth=_keep_authorization,
                    timeout=READ_S,
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    return response, _read(response, limit, deadline)
        except (requests.RequestException, OSError) as error:
            raise TransportError(f"no answer from the gateway ({type(error).__name__})") from None

    @staticmethod
    def _check_answers(facts, key, expected):
        if facts[key] != expected:
            raise MessageError("the answer is about another order")
        return facts


def _keep_authorization(request):
    """Keeps `requests` from putting a ~/.netrc password in place of our Authorization header."""
    return request


def _path(reference):
    return quote(reference, safe="")


def _read(response, limit, deadline):
    if 300 <= response.status_code < 400:
        raise TransportError("the gateway answered with a redirect")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise TransportError("the gateway answered in an encoding nobody asked for")
    parts, size = [], 0
    while chunk := response.raw.read(64 * 1024, decode_content=False):
        size += len(chunk)
        if size > limit:
            raise TransportError("the gateway's answer is too large")
        if time.monotonic() > deadline:
            raise TransportError("the gateway's answer takes too long")
        parts.append(chunk)
    return b"".join(parts)
