"""What a platform tells of one device, whatever the platform. No clock, no socket."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

MAX_BODY = 256 * 1024
"""Bytes of one request. Neither platform documents a limit; NB-IoT reports are at most a few hundred bytes each."""

MAX_PUSHES = 200
"""Reports in one request."""

MAX_DEPTH = 32
"""Objects and lists within one another; what is deeper is no report, and nothing that reads it later has to fear for its stack."""

_IMEI = re.compile(r"[0-9]{14,17}\Z")
_PLAIN = re.compile(r"[\x21-\x7e]{1,128}\Z")


class PushRefused(Exception):  # noqa: N818 - a finding, answered to the platform; never leaves the endpoint
    """Why a request is not taken: `status` for HTTP, `reason` one word for the counters, the text for a person."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Push:
    """One report. `at` is epoch seconds of the report (not of the measurement), None when the platform said none.

    `key` is equal for repetitions of the same report and for nothing else: platform, device, time, hash of the content. Where nothing in a
    report tells it from an equal one of another day, `is_dated` is False: only what comes soon after it is a repetition.
    """

    key: str
    platform: str
    device: str
    imei: str
    at: float | None
    kind: str
    content: Any
    is_dated: bool = True


def read_json(body: bytes) -> Any:
    """The document of a request; PushRefused when it is none."""
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise PushRefused(400, "not_json", "the body is not JSON in UTF-8") from None
    if _is_deeper_than(document, MAX_DEPTH):
        raise PushRefused(400, "too_deep", f"JSON nested deeper than {MAX_DEPTH}")
    return document


def _is_deeper_than(document: object, limit: int) -> bool:
    level = [document]
    for _depth in range(limit + 1):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def canonical(content: object) -> str:
    """The same text for the same content, whatever the order of its keys; ASCII, so that every disk takes it."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def make_key(platform: str, device: str, at: object, content: object) -> str:
    """See Push.key."""
    parts = (platform, device, repr(at), canonical(content))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def imei_of(value: object) -> str:
    """An IMEI as digits; empty when it is none (CTWing also sends the word "undefined")."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _IMEI.match(text) else ""


def name_of(value: object) -> str:
    """A device's id as short plain text, empty when there is none."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text or _PLAIN.match(text):
        return text
    return "sha256:" + hashlib.sha256(canonical(text).encode()).hexdigest()[:32]


def milliseconds(value: object) -> float | None:
    """Epoch milliseconds, a number or digits, as seconds; None when it is neither."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e15:
        return None
    return value / 1000


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
