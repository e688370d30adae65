"""Data identifiers of DL/T 645-1997: payload <-> values. The tables are TOML files beside this module."""

from collections.abc import Sequence

from ..values import Reading, Writable


def decode_item(di: str, payload: bytes) -> Reading:
    """See ``dlt645_2007.data.decode_item``; identifiers have four digits."""
    raise NotImplementedError


def encode_item(di: str, values: Sequence[Writable | None]) -> bytes:
    """See ``dlt645_2007.data.encode_item``."""
    raise NotImplementedError


def decode_error(error: int) -> list[str]:
    """Names of the bits of an error byte."""
    raise NotImplementedError
