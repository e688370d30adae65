"""Field formats of the 645 data tables: bytes, low first <-> values. Named in the TOML tables by the words of ``named``.

Times are a meter's own: no zone, two-digit years of this century. What is not a number or not a date gives None.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from . import bcd
from .base import CodecError
from .values import Writable

_NUMBER = re.compile(r"[XN]+(\.[XN]+)?\Z")


class Format:
    """One field. ``size`` None: all bytes that are left."""

    size: int | None

    def decode(self, data: bytes) -> Decimal | str | None:
        """The value, or None when not available."""
        raise NotImplementedError

    def encode(self, value: Writable) -> bytes:
        """The bytes; raises CodecError."""
        raise NotImplementedError

    def details(self, data: bytes) -> dict[str, object]:
        """More that the bytes say."""
        return {}


@dataclass(frozen=True)
class Number(Format):
    """BCD with a fixed point; ``signed`` items keep the sign in the top bit."""

    size: int
    decimals: int
    signed: bool

    def decode(self, data: bytes) -> Decimal | None:
        """Exact, with all decimals of the format."""
        return bcd.to_decimal(data, self.decimals, signed=self.signed)

    def encode(self, value: Writable) -> bytes:
        """Refuses what the item cannot hold exactly."""
        if isinstance(value, date | time):
            raise CodecError(f"{value!r} is not a number")
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise CodecError(f"{value!r} is not a number") from None
        if not number.is_finite():
            raise CodecError(f"{value!r} is not a number")
        return bcd.from_decimal(number, self.size, self.decimals, signed=self.signed)


@dataclass(frozen=True)
class Digits(Format):
    """BCD kept as text with its leading zeros (numbers of meters and customers)."""

    size: int

    def decode(self, data: bytes) -> str | None:
        """As printed."""
        return bcd.to_digits(data)

    def encode(self, value: Writable) -> bytes:
        """Zero-filled on the left."""
        return bcd.from_digits(str(value), self.size)


@dataclass(frozen=True)
class Word(Format):
    """Bits, printed as hexadecimal, high byte first."""

    size: int

    def decode(self, data: bytes) -> str | None:
        """``50 00`` -> "0050"; FF FF is filler (a single byte FF may be a mask of all days)."""
        return None if data == b"\xff\xff" else data[::-1].hex().upper()

    def encode(self, value: Writable) -> bytes:
        """From an int, or from text as printed."""
        try:
            number = value if isinstance(value, int) else int(str(value), 16)
            return number.to_bytes(self.size, "little")
        except (ValueError, OverflowError):
            raise CodecError(f"{value!r} is not a word of {self.size} bytes") from None


@dataclass(frozen=True)
class Raw(Format):
    """Bytes whose meaning is the vendor's, in wire order."""

    size: int | None = None

    def decode(self, data: bytes) -> str:
        """Hexadecimal as on the wire."""
        return data.hex().upper()

    def encode(self, value: Writable) -> bytes:
        """From hexadecimal."""
        try:
            return bytes.fromhex(str(value))
        except ValueError:
            raise CodecError(f"{value!r} is not hexadecimal") from None


@dataclass(frozen=True)
class Identifiers(Format):
    """A list of four-byte data identifiers, all that are left; filler of zeros or FF is left out."""

    size: int | None = None

    def decode(self, data: bytes) -> str | None:
        """Printed, parted by blanks; None when there is none."""
        parts = [data[at : at + 4][::-1].hex().upper() for at in range(0, len(data) - 3, 4)]
        return " ".join(part for part in parts if part not in ("00000000", "FFFFFFFF")) or None

    def encode(self, value: Writable) -> bytes:
        """From the same text."""
        try:
            parts = [bytes.fromhex(part) for part in str(value).split()]
        except ValueError:
            parts = [b""]
        if any(len(part) != 4 for part in parts):
            raise CodecError(f"{value!r} is no list of data identifiers")
        return b"".join(part[::-1] for part in parts)


@dataclass(frozen=True)
class Ascii(Format):
    """Text, last character first on the wire."""

    size: int

    def decode(self, data: bytes) -> str | None:
        """Without filler; None when it is no text."""
        text = data[::-1].strip(b"\x00 \xff")
        is_text = text.isascii() and text.decode("ascii").isprintable()
        return text.decode("ascii") if text and is_text else None

    def encode(self, value: Writable) -> bytes:
        """Zero-filled."""
        data = str(value).encode("ascii", "replace")
        if len(data) > self.size:
            raise CodecError(f"{value!r} is longer than {self.size} characters")
        return data.rjust(self.size, b"\x00")[::-1]


@dataclass(frozen=True)
class Moment(Format):
    """Clock fields. ``order``: wire order, of s m h w D M Y; ``text``: strftime of the value."""

    order: str
    text: str

    @property
    def size(self) -> int:  # type: ignore[override]
        """One byte a field."""
        return len(self.order)

    def decode(self, data: bytes) -> str | None:
        """ISO text, or None for filler and impossible dates."""
        fields = self._fields(data)
        if fields is None:
            return None
        try:
            moment = datetime(
                2000 + fields.get("Y", 0),
                fields.get("M", 1),
                fields.get("D", 1),
                fields.get("h", 0),
                fields.get("m", 0),
                fields.get("s", 0),
            )
        except ValueError:
            return None
        return moment.strftime(self.text)

    def details(self, data: bytes) -> dict[str, object]:
        """The meter's weekday, 0 = Sunday."""
        fields = self._fields(data) if "w" in self.order else None
        return {"weekday": fields["w"]} if fields and fields["w"] <= 6 else {}

    def encode(self, value: Writable) -> bytes:
        """From a date, time, datetime or the text that ``decode`` gives."""
        moment = self._moment(value)
        fields = {
            "Y": moment.year % 100,
            "M": moment.month,
            "D": moment.day,
            "w": moment.isoweekday() % 7,
            "h": moment.hour,
            "m": moment.minute,
            "s": moment.second,
        }
        return b"".join(bcd.from_digits(str(fields[letter]), 1) for letter in self.order)

    def _fields(self, data: bytes) -> dict[str, int] | None:
        if not bcd.is_bcd(data):
            return None
        return {letter: int(f"{byte:02x}") for letter, byte in zip(self.order, data, strict=True)}

    def _moment(self, value: Writable) -> datetime:
        if isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day)
        if isinstance(value, time):
            return datetime(2000, 1, 1, value.hour, value.minute, value.second)
        try:
            return datetime.strptime(str(value), self.text)
        except ValueError:
            raise CodecError(f"{value!r} is not of the form {self.text}") from None


@dataclass(frozen=True)
class Parts(Format):
    """BCD digits cut into printed groups, e.g. a day slot ``hh:mm NN``. ``text``: # for a digit, high digits first."""

    text: str

    @property
    def size(self) -> int:  # type: ignore[override]
        """Two digits a byte."""
        return self.text.count("#") // 2

    def decode(self, data: bytes) -> str | None:
        """Digits in their groups."""
        digits = bcd.to_digits(data)
        if digits is None:
            return None
        rest = iter(digits)
        return "".join(next(rest) if letter == "#" else letter for letter in self.text)

    def encode(self, value: Writable) -> bytes:
        """From the same groups of digits, leading zeros may be missing; or from all digits without a break."""
        groups = re.findall("#+", self.text)
        found = re.findall("[0-9]+", str(value))
        if len(found) == len(groups) and all(
            len(digits) <= len(group) for digits, group in zip(found, groups, strict=True)
        ):
            found = [digits.zfill(len(group)) for digits, group in zip(found, groups, strict=True)]
        digits = "".join(found)
        if len(digits) != self.text.count("#"):
            raise CodecError(f"{value!r} is not of the form {self.text}")
        return bcd.from_digits(digits, self.size)


_MOMENTS = {
    "date_week": Moment("wDMY", "%Y-%m-%d"),
    "time": Moment("smh", "%H:%M:%S"),
    "datetime": Moment("smhDMY", "%Y-%m-%d %H:%M:%S"),
    "datetime_week": Moment("smhwDMY", "%Y-%m-%d %H:%M:%S"),
    "minute": Moment("mhDMY", "%Y-%m-%d %H:%M"),
}


def named(word: str, size: int | None = None, *, signed: bool = False) -> Format:
    """A format by its word in the tables; raises CodecError for an unknown one."""
    if _NUMBER.match(word):
        whole, _, decimals = word.partition(".")
        return Number((len(whole) + len(decimals)) // 2, len(decimals), signed)
    if word in _MOMENTS:
        return _MOMENTS[word]
    if "#" in word:
        return Parts(word)
    if word == "raw":
        return Raw(size)
    if word == "identifiers":
        return Identifiers()
    if size is not None and word in ("digits", "word", "ascii"):
        return {"digits": Digits, "word": Word, "ascii": Ascii}[word](size)
    raise CodecError(f"unknown format {word!r} in a data table")
