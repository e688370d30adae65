"""A register map from the rows of a table (Excel, CSV), as its maker or an integrator wrote it: first row the headings, then one value a row.

Nothing here reads files: the rows come as lists of cells, from whatever opened the workbook.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..base import CodecError
from .registers import load_register

#: Headings that are understood, in small letters without blanks, underscores and dots.
HEADINGS = {
    "key": ("key", "name", "item", "键", "名称", "项目", "数据项"),
    "address": (
        "address",
        "register",
        "registeraddress",
        "addr",
        "reg",
        "地址",
        "寄存器",
        "寄存器地址",
        "起始地址",
    ),
    "count": ("count", "words", "length", "registers", "长度", "字数", "寄存器数", "个数"),
    "type": ("type", "datatype", "format", "类型", "数据类型"),
    "scale": ("scale", "factor", "multiplier", "resolution", "倍率", "系数", "分辨率"),
    "offset": ("offset", "偏移"),
    "unit": ("unit", "单位"),
    "function": ("function", "fc", "functioncode", "功能码"),
    "word_order": ("wordorder", "order", "字序"),
    "byte_order": ("byteorder", "字节序"),
    "circuit": ("circuit", "loop", "回路"),
    "none": ("none", "invalid", "无效值"),
    "mask": ("mask", "掩码"),
    "shift": ("shift", "移位"),
}
#: Words that makers use for the types of ``registers.KINDS``.
TYPES = {
    "u16": "uint16",
    "ushort": "uint16",
    "word": "uint16",
    "unsigned": "uint16",
    "s16": "int16",
    "i16": "int16",
    "short": "int16",
    "signed": "int16",
    "u32": "uint32",
    "ulong": "uint32",
    "dword": "uint32",
    "s32": "int32",
    "i32": "int32",
    "long": "int32",
    "u64": "uint64",
    "s64": "int64",
    "i64": "int64",
    "float": "float32",
    "f32": "float32",
    "real": "float32",
}
#: How addresses without 0x and H are meant: decimal as long as nothing in the column speaks against it, or as somebody who knows says.
ADDRESSES = ("written", "hexadecimal", "decimal")
#: Written so, an address comes from a column of hexadecimal ones: 000B, and 0010 beside it.
_LIKE_HEX = re.compile(r"0[0-9A-Fa-f]+|[0-9]*[A-Fa-f][0-9A-Fa-f]*")
_NUMBERS = ("count", "function", "circuit", "shift")
_REQUIRED = ("key", "address")


class CellError(CodecError):
    """What is wrong with one cell: ``key`` of ``HEADINGS`` and the rule that it breaks."""

    def __init__(self, key: str, rule: str, text: str) -> None:
        super().__init__(text)
        self.key = key
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong cell or row. ``row`` counts as in the sheet (0 = the sheet as a whole), ``column`` is its letter ("" = none).

    ``rule``: empty, headings, missing, number, base (decimal or hexadecimal?), range, counted_from_1, whole, twice, register (``text`` says which).
    """

    row: int
    column: str
    key: str
    rule: str
    value: str
    text: str

    def __str__(self) -> str:
        place = f"row {self.row}" + (f", column {self.column}" if self.column else "")
        return f"{place}: {self.text}" if self.row else self.text


@dataclass(frozen=True, slots=True)
class Imported:
    """``registers`` as a meter model carries them, ``rows`` where each stands in the sheet, and what is wrong."""

    registers: tuple[dict[str, Any], ...]
    found: tuple[Problem, ...]
    rows: tuple[int, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """One line each, "row 7, column B: …"."""
        return tuple(str(one) for one in self.found)


def read_rows(rows: Iterable[Sequence[object]], addresses: str = "written") -> Imported:
    """The map in these rows. A wrong row is named and left out; without usable headings nothing is read.

    ``addresses``: one of ADDRESSES. "written" refuses every address without 0x or H as soon as one of them looks hexadecimal, since
    0010 in such a column is 16 and in another 10.
    """
    numbered = [(number, list(row)) for number, row in enumerate(rows, 1) if any(_text(cell) for cell in row)]
    if not numbered:
        return Imported((), (Problem(0, "", "", "empty", "", "the table is empty"),))
    (first, headings), body = numbered[0], numbered[1:]
    columns = _columns(headings)
    missing = [key for key in _REQUIRED if key not in columns.values()]
    if missing:
        names = ", ".join(missing)
        return Imported((), (Problem(first, "", names, "headings", "", f"no column for {names}"),))
    if addresses == "written" and any(_LIKE_HEX.fullmatch(cell) for cell in _bare_addresses(columns, body)):
        addresses = "unclear"
    registers: list[dict[str, Any]] = []
    places: list[int] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, int], int] = {}
    for number, cells in body:
        try:
            register = _read_row(columns, cells, addresses)
            place = (str(register["key"]), int(register.get("circuit", 1)))
            if place in seen:
                raise CellError("key", "twice", f"{place[0]} is already in row {seen[place]}")
        except CodecError as error:
            problems.append(_problem(number, columns, cells, error))
            continue
        seen[place] = number
        registers.append(register)
        places.append(number)
    return Imported(tuple(registers), tuple(problems), tuple(places))


def _bare_addresses(columns: Mapping[int, str], body: Iterable[tuple[int, Sequence[object]]]) -> list[str]:
    """All addresses that do not say themselves whether they are hexadecimal."""
    at = next(at for at, key in columns.items() if key == "address")
    found = [_text(cells[at]) for _, cells in body if at < len(cells)]
    return [text for text in found if not _says_hex(text)]


def _problem(number: int, columns: Mapping[int, str], cells: Sequence[object], error: CodecError) -> Problem:
    """Which cell it is: named by the error itself, or the first word of a register's own complaint that is a column."""
    words = str(error).partition(": ")[2].split()
    key = (
        error.key if isinstance(error, CellError) else next((word for word in words if word in HEADINGS), "")
    )
    rule = error.rule if isinstance(error, CellError) else "register"
    at = next((at for at, name in columns.items() if name == key), None)
    value = _text(cells[at]) if at is not None and at < len(cells) else ""
    return Problem(number, "" if at is None else _letter(at), key, rule, value, str(error))


def _letter(at: int) -> str:
    """0 is A, 26 is AA."""
    letters = ""
    while at >= 0:
        at, rest = divmod(at, 26)
        letters, at = chr(65 + rest) + letters, at - 1
    return letters


def _columns(headings: Sequence[object]) -> dict[int, str]:
    words = {word: key for key, words in HEADINGS.items() for word in words}
    plain = {ord(letter): None for letter in " _.-()"}
    found = {at: words.get(_text(cell).lower().translate(plain), "") for at, cell in enumerate(headings)}
    return {at: key for at, key in found.items() if key}


def _read_row(columns: Mapping[int, str], cells: Sequence[object], addresses: str) -> dict[str, Any]:
    register: dict[str, Any] = {}
    for at, key in columns.items():
        text = _text(cells[at]) if at < len(cells) else ""
        if text:
            register[key] = text
    for key in _REQUIRED:
        if key not in register:
            raise CellError(key, "missing", f"no {key}")
    if "type" in register:
        word = str(register["type"]).lower()
        register["type"] = TYPES.get(word, word)
    register["address"] = _address(str(register["address"]), addresses)
    for key in _NUMBERS:
        if key in register:
            register[key] = _whole(key, str(register[key]))
    load_register(register)
    return register


def _text(cell: object) -> str:
    """A cell as text; whole numbers without ".0", which spreadsheets like to add."""
    if cell is None or isinstance(cell, bool):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _says_hex(text: str) -> bool:
    return text.lower().startswith("0x") or text.upper().endswith("H")


def _address(text: str, addresses: str) -> int:
    """``0x000B``, ``000BH``, and numbers without such a mark as ``addresses`` says. Addresses count from 0, as on the wire; 40001 and its
    like are refused, as nobody can tell whether the maker counts from 0 or 1."""
    digits = text[:-1] if text.upper().endswith("H") else text
    is_hex = _says_hex(text) or addresses in ("hexadecimal", "unclear")
    try:
        number = int(digits, 16 if is_hex else 10)
    except ValueError:
        problem = f"address {text!r} is not a number (hexadecimal ones as 0x000B or 000BH)"
        raise CellError("address", "number", problem) from None
    if addresses == "unclear" and not _says_hex(text):
        problem = f"address {text} may be decimal or hexadecimal: this column has both kinds"
        raise CellError("address", "base", problem)
    if not 0 <= number <= 0xFFFF:
        raise CellError("address", "range", f"address {text} is not between 0 and 65535")
    if not is_hex and len(text) == 5 and text[0] in "34":
        problem = f"address {text}: write the address on the wire, 0 for {text[0]}0001"
        raise CellError("address", "counted_from_1", problem)
    return number


def _whole(key: str, text: str) -> int:
    try:
        return int(text, 0) if not text.isdigit() else int(text)
    except ValueError:
        raise CellError(key, "whole", f"{key} {text!r} is not a whole number") from None
