"""Finds meters' bytes in a report: texts that are hexadecimal or base64. What they mean, the codecs say. No clock, no socket."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_NODES = 2000
MAX_TEXT = 8192
MAX_BYTES = 8192
"""Looked at in one report. NB-IoT reports are a few hundred bytes; scanning what was made to look like frames takes long."""

SHORTEST_FRAME = 12

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+\Z")
_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?\Z")


def byte_strings(content: Any) -> list[bytes]:
    """Everything in `content` that may be meters' bytes, each once, in the order it stands there.

    A text of hexadecimal digits may be base64 as well: both are tried, since only bytes with a right checksum count later. Some modules
    put hexadecimal text into base64: that is unpacked too.
    """
    found: dict[bytes, None] = {}
    room = MAX_BYTES
    for text in _texts(content):
        for data in _readings_of(text):
            if data not in found and len(data) <= room:
                found[data] = None
                room -= len(data)
    return list(found)


def member(content: Any, path: str) -> Any:
    """The value at `a.b.0.c`, None when there is none."""
    for step in path.split("."):
        if isinstance(content, dict):
            content = content.get(step)
        elif isinstance(content, list) and step.isdigit() and len(step) < 6 and int(step) < len(content):
            content = content[int(step)]
        else:
            return None
    return content


def number(value: object) -> Decimal | None:
    """A register as text or JSON number; None when it is none, is absurd, or has more decimals than a meter can show."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    if not _NUMBER.match(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _texts(content: Any) -> Iterator[str]:
    """All texts of a document, breadth first, bounded."""
    waiting = [content]
    seen = 0
    while waiting and seen < MAX_NODES:
        following: list[Any] = []
        for node in waiting:
            seen += 1
            if seen > MAX_NODES:
                return
            if isinstance(node, str):
                yield node
            elif isinstance(node, dict):
                following += node.values()
            elif isinstance(node, list):
                following += node
        waiting = following


def _readings_of(text: str) -> Iterator[bytes]:
    text = "".join(text.split())
    if not SHORTEST_FRAME <= len(text) <= MAX_TEXT:
        return
    if _HEX.match(text) and len(text) >= 2 * SHORTEST_FRAME:
        yield bytes.fromhex(text)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return
    if len(data) < SHORTEST_FRAME:
        return
    yield data
    inner = data.decode("ascii", "replace")
    if _HEX.match(inner) and len(inner) >= 2 * SHORTEST_FRAME:
        yield bytes.fromhex(inner)
