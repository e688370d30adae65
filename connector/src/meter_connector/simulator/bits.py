"""Byte work of the meters' side, written without the connector's codecs so that a fault there is not mirrored here."""

from __future__ import annotations

from datetime import datetime


def bcd(value: int, size: int, *, is_signed: bool = False) -> bytes:
    """Packed BCD of `size` bytes, low byte first, rolling over like a register; signed puts the sign into the top bit."""
    digits = f"{abs(value) % 10 ** (2 * size):0{2 * size}d}"
    packed = bytearray(bytes.fromhex(digits)[::-1])
    if is_signed and value < 0:
        packed[-1] |= 0x80
    return bytes(packed)


def unbcd(data: bytes) -> int | None:
    """The number in packed BCD, low byte first; None when a nibble is not a digit."""
    text = data[::-1].hex()
    return int(text) if text.isdigit() else None


def reversed_hex(text: str) -> bytes:
    """Printed digits (high first) as wire bytes (low first)."""
    return bytes.fromhex(text)[::-1]


def printed(data: bytes) -> str:
    """Wire bytes (low first) as printed digits."""
    return data[::-1].hex().upper()


def checksum(data: bytes | bytearray) -> int:
    """The sum of 645 and 188 frames."""
    return sum(data) & 0xFF


def plus33(data: bytes) -> bytes:
    """The offset of 645 data bytes on the wire."""
    return bytes((byte + 0x33) & 0xFF for byte in data)


def minus33(data: bytes) -> bytes:
    """Without the offset."""
    return bytes((byte - 0x33) & 0xFF for byte in data)


def crc16(data: bytes) -> bytes:
    """CRC-16/Modbus, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


def clock_bytes(moment: datetime, fields: str) -> bytes:
    """A moment as BCD bytes in wire order; `fields` out of s m h w D M Y C (w 0 = Sunday, C = century)."""
    values = {
        "s": moment.second,
        "m": moment.minute,
        "h": moment.hour,
        "w": moment.isoweekday() % 7,
        "D": moment.day,
        "M": moment.month,
        "Y": moment.year % 100,
        "C": moment.year // 100,
    }
    return b"".join(bcd(values[field], 1) for field in fields)


def clock_fields(data: bytes, fields: str) -> dict[str, int] | None:
    """The reverse of `clock_bytes`; None when a byte is not BCD."""
    values = [unbcd(data[i : i + 1]) for i in range(len(fields))]
    if len(data) < len(fields) or None in values:
        return None
    return dict(zip(fields, (value or 0 for value in values), strict=True))
