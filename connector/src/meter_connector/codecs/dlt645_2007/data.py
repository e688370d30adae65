"""Data identifiers of DL/T 645-2007: payload <-> values. The tables are ``items.toml`` and ``status.toml`` beside this module."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ..base import CodecError
from ..items import Catalogue, load_table
from ..values import Reading, Value, Writable
from . import load_profile

STATUS_WORD_3 = "04000503"
STATUS_BLOCK = "040005FF"
_STATUS_CLASS = "040005"

ITEMS = Catalogue(__package__, "items.toml")
_STATUS = load_table(__package__, "status.toml")
_SET_BITS = {"zones": "zone_set", "days": "day_slot_set", "prices": "price_set", "steps": "step_set"}
#: Text of N1 of a relay command, by code.
RELAY_TEXTS: dict[int, str] = {int(code, 16): text for code, text in _STATUS["relay"]["actions"].items()}
#: Name of an identifier of 03H.
SECURITY_NAMES: dict[str, str] = _STATUS["security_items"]
#: Name of a function code.
SERVICES: dict[int, str] = {int(code, 16): text for code, text in _STATUS["services"].items()}


def decode_item(di: str, payload: bytes) -> Reading:
    """What a meter answered to a read of ``di``. Never raises: what cannot be understood has value None.

    ``Reading.values`` has one ``Value`` (name, value, unit) for a single item, several for blocks and records; ``value`` is a
    Decimal, a text (dates, status words as four hexadecimal digits, meter numbers) or None (not available). Unknown identifiers
    give a Reading without values; ``Reading.problem`` says what did not fit.
    """
    reading = ITEMS.decode(di, payload)
    if reading.di.startswith(load_profile.CLASS) and reading.name is not None:
        return load_profile.decode_records(reading, payload)
    if reading.di == STATUS_BLOCK:
        return replace(reading, details=_block_bits(reading))
    if not reading.di.startswith(_STATUS_CLASS) or reading.is_block or not isinstance(reading.value, str):
        return reading
    bits = decode_status(int(reading.di[-2:], 16), int(reading.value, 16))
    if reading.di != STATUS_WORD_3:
        return replace(reading, details={"bits": bits})
    switch = {key: bits[key] for key in ("relay_open", "relay_cmd_open", "pre_trip_alarm")}
    return replace(reading, details={**switch, "bits": bits, "switch": switch_state(reading.value)})


def encode_item(di: str, values: Sequence[Writable | None]) -> bytes:
    """The reverse, for writes and for the simulator: one entry a value of the item; None = FF filler; raises CodecError."""
    return ITEMS.encode(di, values)


def decode_status(number: int, word: int) -> dict[str, object]:
    """Bits of status word ``number`` (1..7) by name; fields of several bits as text. Empty for words without a table."""
    found: dict[str, object] = {}
    for name, place in _STATUS["word"].get(str(number), {}).items():
        found[name] = bool(word >> place & 1) if isinstance(place, int) else _text(place, word)
    return found


def decode_error(error: int) -> list[str]:
    """Names of the bits of an error byte (D1..DC): other_or_illegal_data, no_such_data, password_refused, ..."""
    return _bit_names(_STATUS["error"]["names"], error)


def decode_security_error(error: int) -> list[str]:
    """Names of the bits of SERR (C3)."""
    return _bit_names(_STATUS["security"]["names"], error)


def switch_state(status_word_3: int | str | Decimal | Value | None) -> str:
    """Switch word from 04000503: b4 relay open, b6 command open; they differ -> "pending"; None or no word -> "unknown"."""
    word = status_word_3.value if isinstance(status_word_3, Value) else status_word_3
    if word is None or isinstance(word, Decimal):
        return "unknown"
    try:
        bits = int(word, 16) if isinstance(word, str) else word
    except ValueError:
        return "unknown"
    is_open, is_wanted_open = bool(bits & 0x10), bool(bits & 0x40)
    if is_open != is_wanted_open:
        return "pending"
    return "off" if is_open else "on"


def keeps_power(word: str | None) -> bool | None:
    """Bit 12 of status word 3 (printed); None where the word is not available. Older meters reserve the bit and show 0."""
    return None if word is None else bool(decode_status(3, int(word, 16))["keep_power"])


def sets_in_use(word: str) -> dict[str, int]:
    """Which of the two sets of zones, days, prices and steps a meter counts by, from status word 3 (printed): 1 or 2."""
    bits = decode_status(3, int(word, 16))
    return {name: 2 if bits[bit] == "second" else 1 for name, bit in _SET_BITS.items()}


def _block_bits(reading: Reading) -> dict[str, object]:
    """Words 1..7 of 040005FF bit by bit, under "word 1", ..., and the switch."""
    words = [(number, value.value) for number, value in enumerate(reading.values, 1)]
    found: dict[str, object] = {
        f"word {number}": decode_status(number, int(word, 16))
        for number, word in words
        if isinstance(word, str)
    }
    third = dict(words).get(3)
    return found | ({"switch": switch_state(third)} if third is not None else {})


def status_word_3(*, relay_open: bool, relay_cmd_open: bool, keep_power: bool = False) -> int:
    """A status word 3 for the simulator: a money-prepaid meter on main supply."""
    bits = _STATUS["word"]["3"]
    flags = {"relay_open": relay_open, "relay_cmd_open": relay_cmd_open, "keep_power": keep_power}
    if unknown := flags.keys() - bits.keys():
        raise CodecError(f"status word 3 has no {', '.join(sorted(unknown))}")
    word = 2 << int(bits["prepaid"]["bit"])
    return word | sum(1 << int(bits[name]) for name, is_set in flags.items() if is_set)


def _text(place: dict[str, Any], word: int) -> str:
    texts: list[str] = place["texts"]
    return texts[word >> int(place["bit"]) & ((1 << int(place["width"])) - 1)]


def _bit_names(names: list[str], value: int) -> list[str]:
    return [name for bit, name in enumerate(names) if value >> bit & 1]
