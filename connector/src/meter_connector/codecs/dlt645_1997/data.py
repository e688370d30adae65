"""Data identifiers of DL/T 645-1997: payload <-> values. The tables are ``items.toml`` and ``status.toml`` beside this module."""

from collections.abc import Sequence

from ..items import Catalogue, load_table
from ..values import Reading, Writable

ITEMS = Catalogue(__package__, "items.toml")
_STATUS = load_table(__package__, "status.toml")
_ERRORS: list[str] = _STATUS["error"]["names"]
#: Name of a function code.
SERVICES: dict[int, str] = {int(code, 16): text for code, text in _STATUS["services"].items()}


def decode_item(di: str, payload: bytes) -> Reading:
    """See ``dlt645_2007.data.decode_item``; identifiers have four digits."""
    return ITEMS.decode(di, payload)


def encode_item(di: str, values: Sequence[Writable | None]) -> bytes:
    """See ``dlt645_2007.data.encode_item``."""
    return ITEMS.encode(di, values)


def decode_error(error: int) -> list[str]:
    """Names of the bits of an error byte."""
    return [name for bit, name in enumerate(_ERRORS) if error >> bit & 1]
