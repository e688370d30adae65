"""Data identifiers of DL/T 645-2007: payload <-> values. The tables are TOML files beside this module."""

from collections.abc import Sequence

from ..values import Reading, Value, Writable


def decode_item(di: str, payload: bytes) -> Reading:
    """What a meter answered to a read of ``di``. Never raises: what cannot be understood has value None.

    ``Reading.values`` has one ``Value`` (name, value, unit) for a single item, several for blocks and records; ``value`` is a
    Decimal, a text (dates, status words as four hexadecimal digits, meter numbers) or None (not available). Unknown identifiers
    give a Reading without values; ``Reading.problem`` says what did not fit.
    """
    raise NotImplementedError


def encode_item(di: str, values: Sequence[Writable | None]) -> bytes:
    """The reverse, for writes and for the simulator: one entry a value of the item; None = FF filler; raises CodecError."""
    raise NotImplementedError


def decode_error(error: int) -> list[str]:
    """Names of the bits of an error byte (D1..DC): illegal_data, no_such_data, password_refused, ..."""
    raise NotImplementedError


def switch_state(status_word_3: int | str | Value) -> str:
    """ "on", "off" or "pending" from 04000503: b4 relay open, b6 command; they differ -> pending. "unknown" for None."""
    raise NotImplementedError
