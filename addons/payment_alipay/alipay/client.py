"""Requests to the gateway. Every answer is believed only when its node is signed by Alipay, character by character.

A call ends in one of five ways: the node (code 10000), Refused (signed no), SignatureProblem, NotSent, OutcomeUnknown.
The log gets method, number and outcome, never parameters, bodies or keys.
"""

import ipaddress
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import requests
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa

from .certificates import get_root_number, load_leaf_certificates
from .errors import BillNotReady, KeyProblem, NotSent, OutcomeUnknown, Refused, SignatureProblem
from .signing import get_request_text, load_private_key, load_public_keys, sign, verify
from .values import format_beijing

_logger = logging.getLogger(__name__)

PRODUCTION_URL = "https://openapi.alipay.com/gateway.do"
SANDBOX_URL = "https://openapi-sandbox.dl.alipaydev.com/gateway.do"

SILENCE_S, TOTAL_S = 10, 20  # to connect or between two pieces of an answer; altogether
MAX_ANSWER = 256 * 1024
MAX_BILL = 32 * 1024 * 1024
BILL_HOSTS = (".alipay.com", ".alipaydev.com", ".alipayobjects.com")
NO_BILL = ("BILL_NOT_EXIST", "NO_BILL_DATA", "BILL_NOT_EXISTS")


@dataclass(frozen=True)
class Keys:
    """Everything that signs and verifies. `by_number` is empty in key mode."""

    private: rsa.RSAPrivateKey
    public: tuple[rsa.RSAPublicKey, ...]
    app_number: str = ""
    root_number: str = ""
    by_number: dict[str, rsa.RSAPublicKey] = field(default_factory=dict)

    @classmethod
    def of_keys(cls, private_text: str, public_text: str) -> "Keys":
        return cls(load_private_key(private_text), tuple(load_public_keys(public_text)))

    @classmethod
    def of_certificates(cls, private_text: str, app_text: str, alipay_text: str, root_text: str) -> "Keys":
        """Raises KeyProblem. The application's certificate must carry the private key's other half."""
        app = load_leaf_certificates(app_text)
        if len(app) != 1:
            raise KeyProblem("not_a_certificate")
        leaves = load_leaf_certificates(alipay_text)
        return cls(
            load_private_key(private_text),
            tuple(leaf.key for leaf in leaves),
            app_number=app[0].number,
            root_number=get_root_number(root_text),
            by_number={leaf.number: leaf.key for leaf in leaves},
        )

    def get_verifiers(self, number: str | None) -> tuple[rsa.RSAPublicKey, ...]:
        """The keys that may have signed what names this certificate. An unknown number has none: nothing is
        fetched, a person adds the new certificate. What names no certificate may be signed by any of ours.
        """
        if not self.by_number or not number:
            return self.public
        return (self.by_number[number],) if number in self.by_number else ()


@dataclass(frozen=True)
class Config:
    app_id: str
    keys: Keys
    url: str = PRODUCTION_URL
    loopback: bool = False  # a stand-in on this machine: its bills may come from loopback, by plain HTTP


class Client:
    def __init__(self, config: Config, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        self.config = config
        self._now = now

    # --- requests ---------------------------------------------------------------------------------------------

    def build_form(self, method: str, content: dict, *, notify_url: str, return_url: str) -> tuple[str, dict]:
        """(address, fields) of a form that the payer's browser posts: page and WAP payment. Sends nothing."""
        params = self._build(method, content, notify_url=notify_url, return_url=return_url)
        return f"{self.config.url}?charset=utf-8", params

    def call(self, method: str, content: dict, *, notify_url: str = "") -> dict:
        """The signed answer node of a call that worked (code 10000)."""
        began = time.monotonic()
        params = self._build(method, content, notify_url=notify_url)
        number = content.get("out_request_no") or content.get("out_trade_no") or ""
        try:
            text = self._post(params)
            node = self._read_node(method, text)
        except (NotSent, OutcomeUnknown, SignatureProblem) as error:
            _logger.warning(
                "%s %s: %s after %.1f s", method, number, type(error).__name__, time.monotonic() - began
            )
            raise
        code, sub_code = str(node.get("code", "")), str(node.get("sub_code", ""))
        _logger.info("%s %s: %s %s after %.1f s", method, number, code, sub_code, time.monotonic() - began)
        if code != "10000":
            raise Refused(code, sub_code, str(node.get("sub_msg") or node.get("msg") or "")[:200])
        return node

    def _build(self, method: str, content: dict, *, notify_url: str = "", return_url: str = "") -> dict:
        params = {
            "app_id": self.config.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": format_beijing(self._now()),
            "version": "1.0",
            "biz_content": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
            "notify_url": notify_url,
            "return_url": return_url,
            "app_cert_sn": self.config.keys.app_number,
            "alipay_root_cert_sn": self.config.keys.root_number,
        }
        params = {name: value for name, value in params.items() if value}
        params["sign"] = sign(get_request_text(params), self.config.keys.private)
        return params

    # --- answers ----------------------------------------------------------------------------------------------

    def _read_node(self, method: str, text: str) -> dict:
        name = f"{method.replace('.', '_')}_response"
        members = split_members(text)
        if name not in members:
            # `error_response` (unknown application, wrong signature of ours) carries no signature: no fact.
            raise SignatureProblem(f"no {name} in the answer{_get_hint(members)}")
        signature, number = (_get_text(members, key) for key in ("sign", "alipay_cert_sn"))
        if not signature:
            raise SignatureProblem(f"the answer is not signed{_get_hint(members)}")
        node, raw = members[name]
        verify(raw, signature, self.config.keys.get_verifiers(number))
        if not isinstance(node, dict):
            raise SignatureProblem("the answer is no object")
        return node

    # --- bills ------------------------------------------------------------------------------------------------

    def fetch_bill(self, bill_type: str, day) -> bytes:
        """The ZIP file of a day's bill. Raises BillNotReady when there is none (yet)."""
        content = {"bill_type": bill_type, "bill_date": day.isoformat()}
        try:
            node = self.call("alipay.data.dataservice.bill.downloadurl.query", content)
        except Refused as refused:
            if any(word in refused.sub_code.upper() for word in NO_BILL):
                raise BillNotReady(refused.sub_code) from refused
            raise
        url = str(node.get("bill_download_url") or "")
        self._check_bill_url(url)
        return self._send("GET", url, limit=MAX_BILL)

    def _check_bill_url(self, url: str) -> None:
        """The address is signed, but we still go nowhere but to Alipay (or, for a stand-in, to this machine)."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            host, parts = "", urlsplit("")
        if self.config.loopback:
            allowed = parts.scheme in ("http", "https") and is_loopback(host)
        else:
            allowed = parts.scheme == "https" and f".{host}".endswith(BILL_HOSTS)
        if not allowed:
            raise SignatureProblem("the bill's address is not Alipay's")

    # --- HTTP -------------------------------------------------------------------------------------------------

    def _post(self, params: dict) -> str:
        raw = self._send("POST", self.config.url, limit=MAX_ANSWER, data=params)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise SignatureProblem("the answer is not UTF-8") from error

    def _send(self, method: str, url: str, *, limit: int, data: dict | None = None) -> bytes:
        """Body of a 200 answer. No redirects, no compression (a small answer cannot become a large one), bounded
        in size and time.
        """
        headers = {"Accept-Encoding": "identity"}
        if data is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded;charset=utf-8"
        ends = time.monotonic() + TOTAL_S
        try:
            with requests.request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=SILENCE_S,
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.status_code != 200:
                    raise OutcomeUnknown(f"HTTP {response.status_code}")
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise OutcomeUnknown("compressed answer")
                return _read(response.raw, limit, ends)
        except requests.exceptions.ConnectTimeout as error:
            raise NotSent("no connection in time") from error
        except requests.exceptions.ConnectionError as error:
            if _never_connected(error):
                raise NotSent("no connection") from error
            raise OutcomeUnknown("connection lost") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise OutcomeUnknown(type(error).__name__) from error


def _never_connected(error: requests.exceptions.ConnectionError) -> bool:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _read(raw, limit: int, ends: float) -> bytes:
    parts, size = [], 0
    while part := raw.read1(65536):
        size += len(part)
        if size > limit:
            raise OutcomeUnknown("answer too large")
        if time.monotonic() > ends:
            raise OutcomeUnknown("answer too slow")
        parts.append(part)
    return b"".join(parts)


def is_loopback(host: str) -> bool:
    """Whether an address's host is this machine. Names other than localhost are not looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_members(text: str) -> dict[str, tuple[object, str]]:
    """The members of the outermost JSON object: {name: (value, the exact characters it was written with)}.

    Alipay signs those characters, so nothing is written anew. A name that occurs twice, at any depth, is refused:
    readers could take different ones. Raises SignatureProblem.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_pairs)
    members: dict[str, tuple[object, str]] = {}
    try:
        at = _skip(text, 0, "{")
        while True:
            name, at = decoder.raw_decode(text, at)
            at = _skip(text, at, ":")
            value, end = decoder.raw_decode(text, at)
            if not isinstance(name, str) or name in members:
                raise ValueError("member")
            members[name] = (value, text[at:end])
            at = _skip_space(text, end)
            if text[at] == "}":
                break
            at = _skip(text, at, ",")
        if text[at + 1 :].strip():
            raise ValueError("trailing text")
    except (ValueError, IndexError, RecursionError) as error:
        raise SignatureProblem("the answer is not JSON") from error
    return members


def _pairs(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice")
    return result


def _skip(text: str, at: int, sign_: str) -> int:
    at = _skip_space(text, at)
    if text[at] != sign_:
        raise ValueError(f"{sign_} expected")
    return _skip_space(text, at + 1)


def _skip_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def _get_text(members: dict, name: str) -> str:
    value = members.get(name, ("", ""))[0]
    return value if isinstance(value, str) else ""


def _get_hint(members: dict) -> str:
    """Code of an unsigned error, for a person to read; nothing is decided by it."""
    for value, _raw in members.values():
        if isinstance(value, dict) and value.get("sub_code"):
            return f" (unsigned: {str(value.get('code'))[:10]} {str(value['sub_code'])[:60]})"
    return ""
