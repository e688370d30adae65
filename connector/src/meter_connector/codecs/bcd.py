"""Packed decimal, low byte first, as all three Chinese meter protocols use it."""

from decimal import Decimal

from .base import CodecError


def is_bcd(data: bytes) -> bool:
    """True when every nibble is a decimal digit."""
    return all(byte >> 4 <= 9 and byte & 0x0F <= 9 for byte in data)


def to_digits(data: bytes) -> str | None:
    """Low byte first -> digits as printed, high first; None when a nibble is above 9 (not available)."""
    return data[::-1].hex() if is_bcd(data) else None


def from_digits(digits: str, size: int) -> bytes:
    """Digits as printed -> ``size`` bytes, low first, zero-filled on the left; raises CodecError."""
    if not digits.isascii() or not digits.isdigit() or len(digits) > 2 * size:
        raise CodecError(f"{digits!r} is not a number of at most {2 * size} digits")
    return bytes.fromhex(digits.zfill(2 * size))[::-1]


def to_decimal(data: bytes, decimals: int, *, signed: bool = False) -> Decimal | None:
    """BCD -> exact Decimal with ``decimals`` places; bit 7 of the last byte is the sign of signed items only."""
    is_negative = signed and bool(data) and data[-1] & 0x80 != 0
    if is_negative:
        if data == b"\xff" * len(data):
            return None
        data = data[:-1] + bytes((data[-1] & 0x7F,))
    digits = to_digits(data)
    if not digits:
        return None
    value = Decimal(int(digits)).scaleb(-decimals)
    return -value if is_negative and value else value


def from_decimal(value: Decimal, size: int, decimals: int, *, signed: bool = False) -> bytes:
    """Decimal -> BCD; raises CodecError where the item cannot hold it exactly."""
    scaled = value.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise CodecError(f"{value} has more than {decimals} decimals")
    if value < 0 and not signed:
        raise CodecError(f"{value} is negative in an item without sign")
    data = from_digits(str(abs(int(scaled))), size)
    if not signed:
        return data
    if data[-1] & 0x80:
        raise CodecError(f"{value} leaves no room for the sign")
    return data[:-1] + bytes((data[-1] | (0x80 if value < 0 else 0),))
