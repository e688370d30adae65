"""Make a payload fit its wire: one odd character in a meter's answer must not spoil a batch of a thousand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

FORBIDDEN = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)))
"""What XML 1.0 cannot carry and PostgreSQL cannot store: control characters, NUL, halves of surrogate pairs."""
INT_MAX = 2**31 - 1
"""XML-RPC's integers."""


def carry(value: Any, *, is_xml: bool) -> Any:
    """No nil, no NaN, text keys, no forbidden characters; for XML-RPC no integer beyond 32 bits (it becomes a float)."""
    if isinstance(value, str):
        return value.translate(FORBIDDEN)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return float(value) if is_xml and abs(value) > INT_MAX else value
    if isinstance(value, float):
        return value if math.isfinite(value) else ""
    if isinstance(value, Mapping):
        return {
            str(key).translate(FORBIDDEN): carry(item, is_xml=is_xml)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list | tuple):
        return [carry(item, is_xml=is_xml) for item in value]
    return "" if value is None else str(value).translate(FORBIDDEN)
