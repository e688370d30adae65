"""Bytes as a person can read them: the connector's own decoder, made ready for a page. No Odoo in here."""

import re
from typing import NamedTuple

try:
    from meter_connector.decode import CODECS, decode_stream
except ImportError:  # Odoo without the connector's package: frames are kept, and shown as bytes
    CODECS, decode_stream = {}, None

#: More is not kept of one frame: no protocol here has longer ones.
MAX_FRAME_BYTES = 1024
HIDDEN = "••••••"
_SEPARATORS = re.compile(r"(?:0x|hex:|[\s,;:_-])+", re.IGNORECASE)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")


class Decoded(NamedTuple):
    """What one protocol makes of some bytes. ``frames``: lists of (name, value) pairs; ``problems``: (offset, word, hex)."""

    protocol: str
    frames: list
    problems: list
    is_incomplete: bool
    dropped_bytes: int


def is_available():
    """Is the connector's package installed beside Odoo?"""
    return decode_stream is not None


def protocols():
    """Protocols the decoder knows."""
    return list(CODECS)


def read_hex(text):
    """Hexadecimal digits of a text, separators taken out and cut to what is kept; None when it is not hexadecimal."""
    digits = _SEPARATORS.sub("", text or "").upper()
    return digits[: MAX_FRAME_BYTES * 2] if _HEX.fullmatch(digits) else None


def decode(digits, protocol):
    """What ``protocol`` makes of the bytes."""
    result = decode_stream(protocol, bytes.fromhex(digits))
    return Decoded(
        protocol,
        [_pairs(frame) for frame in result["frames"]],
        [(error["offset"], error["kind"], error["hex"]) for error in result["errors"]],
        bool(result["incomplete"]),
        int(result["dropped_bytes"]),
    )


def decode_best(digits, first=None):
    """Every protocol's opinion, the most convincing first: frames found, then ``first`` (the bus's own protocol)."""
    found = [decode(digits, protocol) for protocol in protocols()]
    return sorted(found, key=lambda one: (-len(one.frames), one.protocol != first, one.dropped_bytes))


def _pairs(frame):
    """Rows of a frame. An echoed request carries the meter's password; nobody needs to read it here."""
    is_secret = any("password" in name for name in frame)
    return [
        (name, HIDDEN if is_secret and (name.startswith("data") or "password" in name) else _shown(value))
        for name, value in frame.items()
        if value not in (None, "", [], {})
    ]


def _shown(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_shown(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_shown(item) for item in value)
    return "—" if value is None else str(value)
