"""A Modbus register map as a workbook: reading one as its maker or an integrator wrote it, writing one to fill in. No Odoo in here."""

import io
import zipfile
from decimal import Decimal

import openpyxl
from openpyxl.styles import Font

try:
    from meter_connector.codecs.modbus.map_import import read_rows
    from meter_connector.codecs.modbus.registers import KINDS
except ImportError:  # Odoo without the connector's package
    KINDS, read_rows = {}, None

MAX_BYTES = 2_000_000
MAX_ROWS = 2000
MAX_COLUMNS = 40
HIGH_FIRST = ("high", "high_first", "big")
#: Column of the workbook to fill in -> heading (English, Chinese); the reader understands both.
COLUMNS = {
    "key": ("Name", "名称"),
    "address": ("Register Address", "寄存器地址"),
    "type": ("Data Type", "数据类型"),
    "scale": ("Factor", "系数"),
    "unit": ("Unit", "单位"),
    "circuit": ("Circuit", "回路"),
    "function": ("Function", "功能码"),
    "count": ("Registers", "寄存器数"),
    "offset": ("Offset", "偏移"),
    "word_order": ("Word Order", "字序"),
    "byte_order": ("Byte Order", "字节序"),
    "none": ("Invalid", "无效值"),
    "mask": ("Mask", "掩码"),
    "shift": ("Shift", "移位"),
}


def headings_for(lang):
    """Column -> heading for somebody who reads this language."""
    return {key: words[(lang or "").startswith("zh")] for key, words in COLUMNS.items()}


class WorkbookError(Exception):
    """The file cannot be read; the text is one of ``UNREADABLE``."""


UNREADABLE = ("too_big", "not_xlsx", "too_many_rows")


def is_available():
    """Is the connector's package, which knows the rules, installed beside Odoo?"""
    return read_rows is not None


def read_workbook(content):
    """Cells of the first sheet, row by row; raises WorkbookError."""
    if len(content) > MAX_BYTES:
        raise WorkbookError("too_big")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(each.file_size for each in archive.infolist()) > 20 * MAX_BYTES:
                raise WorkbookError("too_big")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        rows = []
        for row in book.worksheets[0].iter_rows(max_col=MAX_COLUMNS, values_only=True):
            if len(rows) >= MAX_ROWS:
                raise WorkbookError("too_many_rows")
            rows.append(list(row))
        book.close()
    except WorkbookError:
        raise
    except (zipfile.BadZipFile, KeyError, ValueError, IndexError, TypeError, OSError, SyntaxError) as error:
        raise WorkbookError("not_xlsx") from error
    return rows


def read_map(content, addresses):
    """What is in a workbook, as ``map_import.Imported``; raises WorkbookError.

    :param str addresses: how addresses without 0x and H are meant: ``written``, ``hexadecimal``, ``decimal``
    """
    return read_rows(read_workbook(content), addresses)


def write_workbook(registers, headings, notes):
    """A workbook with these registers, to be changed and read again.

    :param dict headings: column -> heading, one of the words that are understood
    :param list notes: (word, meaning) rows of a second sheet
    """
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append([headings.get(key, key) for key in COLUMNS])
    for register in registers:
        sheet.append([_cell(key, register.get(key)) for key in COLUMNS])
    for at, cell in enumerate(sheet[1]):
        cell.font = Font(bold=True)
        sheet.column_dimensions[cell.column_letter].width = 20 if at < 2 else 13
    sheet.freeze_panes = "A2"
    second = book.create_sheet("Help")
    for row in notes:
        second.append(list(row))
    second.column_dimensions["A"].width = 24
    second.column_dimensions["B"].width = 90
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def compare(old, new):
    """[(register, "new" | "changed" | "same")] of ``new``, and the registers of ``old`` that are gone."""
    before = {_place(register): register for register in old}
    rows = []
    for register in new:
        known = before.pop(_place(register), None)
        state = "new" if known is None else "same" if _plain(known) == _plain(register) else "changed"
        rows.append((register, state))
    return rows, list(before.values())


def is_switch(register):
    """The switch's own register: its words for on and off stand in the definition and are not for a workbook."""
    return register.get("key") == "switch"


def _place(register):
    return register.get("key"), register.get("circuit", 1)


def _plain(register):
    """Two ways to write the same register look the same: what is read, and what it is multiplied by."""
    address = register.get("address")
    rest = ("offset", "none", "mask", "shift")
    return {
        "address": int(address, 16) if isinstance(address, str) else address,
        "type": register.get("type", "uint16"),
        "scale": Decimal(str(register.get("scale", 1))),
        "function": int(register.get("function", 3)),
        "word_order": register.get("word_order", "high") not in HIGH_FIRST,
        "byte_order": register.get("byte_order", "high") not in HIGH_FIRST,
        **{key: str(register[key]) for key in rest if key in register},
    }


def _cell(key, value):
    if key == "address" and isinstance(value, int):
        return f"0x{value:04X}"
    return value if value is None or isinstance(value, int) else str(value)
