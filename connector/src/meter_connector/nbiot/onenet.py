"""China Mobile OneNET: reports by HTTP push, old NB-IoT suite and new platform (protocols.md section 6).

New: `{"msg": text, "nonce", "signature", "time", "id"}`. Old: `{"msg": {…} or [{…}], "nonce", "msg_signature"}`, items with type 1 data, 2 online or
offline, 7 command result. signature = base64(md5(token + nonce + msg)).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from . import push as p

PLATFORM = "onenet"
KINDS = {1: "data", 2: "state", 7: "command"}
_MAX_WORD = 256


def signature(token: str, nonce: str, message: str) -> str:
    """What the platform must have sent."""
    digest = hashlib.md5((token + nonce + message).encode("utf-8", "surrogatepass"), usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode("ascii")


def check_address(query: Mapping[str, str], token: str) -> str:
    """The platform's test of our address: GET ?msg&nonce&signature; returns what to answer. PushRefused otherwise."""
    words = [query.get(key, "") for key in ("msg", "nonce", "signature")]
    if not all(words) or max(map(len, words)) > 4 * _MAX_WORD:
        raise p.PushRefused(400, "bad_check", "msg, nonce and signature belong to the test of an address")
    message, nonce, given = words
    _verify(token, nonce, given, [message])
    return message


def parse(body: bytes, token: str) -> list[p.Push]:
    """The reports of a request whose signature is right; PushRefused otherwise."""
    document = p.read_json(body)
    if not isinstance(document, dict):
        raise p.PushRefused(400, "not_a_report", "the body is not a JSON object")
    nonce = document.get("nonce")
    given = document.get("signature", document.get("msg_signature"))
    if not isinstance(nonce, str) or not isinstance(given, str) or max(len(nonce), len(given)) > _MAX_WORD:
        raise p.PushRefused(401, "no_signature", "nonce and signature are missing")
    if "msg" not in document:
        raise p.PushRefused(422, "not_a_report", "msg is missing")
    message = document["msg"]
    _verify(token, nonce, given, _signed_texts(body, message))
    content = _content(message)
    items = content if isinstance(content, list) else [content]
    if len(items) > p.MAX_PUSHES:
        raise p.PushRefused(413, "too_many", f"{len(items)} reports in one request, at most {p.MAX_PUSHES}")
    return [_push(item, nonce) for item in items]


def _verify(token: str, nonce: str, given: str, texts: list[str]) -> None:
    """A `+` of base64 that was not escaped in an address arrives as a blank."""
    if not token:
        raise p.PushRefused(403, "no_token", "no OneNET token is set here")
    told = given.replace(" ", "+").encode("utf-8", "surrogatepass")
    if not any(hmac.compare_digest(told, signature(token, nonce, text).encode()) for text in texts):
        raise p.PushRefused(401, "bad_signature", "the signature is wrong")


def _signed_texts(body: bytes, message: object) -> list[str]:
    """What the platform may have signed: the text itself, or an object as it stood in the body."""
    if isinstance(message, str):
        return [message]
    texts = [json.dumps(message, ensure_ascii=False, separators=(",", ":"))]
    found = raw_member(body.decode("utf-8"), "msg")
    return texts if found is None else [found, *texts]


def raw_member(text: str, wanted: str) -> str | None:
    """The text of a member of the outermost object, as it was written; of several the last, as json reads them."""
    decoder = json.JSONDecoder()
    at = text.find("{") + 1
    found = None
    while True:
        at = _skip(text, at)
        if at >= len(text) or text[at] != '"':
            return found
        name, at = decoder.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        begin = at
        _value, at = decoder.raw_decode(text, at)
        if name == wanted:
            found = text[begin:at]
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            return found
        at += 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _content(message: object) -> Any:
    """A text is JSON in the new platform. Encrypted ones are not: how their key is made is not known here."""
    if not isinstance(message, str):
        return message
    try:
        return p.read_json(message.encode("utf-8", "surrogatepass"))
    except p.PushRefused:
        raise p.PushRefused(
            422, "not_readable", "msg is not JSON; switch its encryption off on the platform"
        ) from None


def _push(item: object, nonce: str) -> p.Push:
    """What is not signed counts for nothing: an item without `at` is known by the request's nonce, and dated by its arrival."""
    if not isinstance(item, dict):
        raise p.PushRefused(422, "not_a_report", "msg is not an object")
    number = item.get("type")
    kind = KINDS.get(number, "other") if isinstance(number, int) else "other"
    stamp = item.get("at")
    at = p.milliseconds(stamp)
    device = p.name_of(item.get("dev_id") or item.get("deviceId") or item.get("deviceName"))
    imei = p.imei_of(item.get("imei"))
    key = p.make_key(PLATFORM, device or imei, stamp if at is not None else nonce, item)
    return p.Push(key, PLATFORM, device, imei, at, kind, item)
