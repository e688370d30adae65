"""The daily trade bill: a ZIP with CSV files in GBK, names in GBK too; comment lines, a header, padded values.

    #支付宝业务明细查询
    #账号：[2088...]
    #起始日期：[2026年11月20日 00:00:00]   终止日期：[2026年11月21日 00:00:00]
    #-----------------------------------------业务明细列表----------------------------------------
    支付宝交易号,商户订单号,业务类型,...
    2026112022001\t,D3_1\t,交易,...
    #-----------------------------------------业务明细列表结束------------------------------------
    #交易合计：1笔，商家实收共100.00元，商家优惠共0.00元
    #退款合计：0笔，商家实收退款共0.00元，商家优惠退款共0.00元

Columns are found by name. Nothing is written to disk, so names in the archive are only looked at.
"""

import csv
import io
import re
import zipfile
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from .errors import BillProblem
from .values import parse_beijing

MAX_FILES = 10
MAX_UNPACKED = 128 * 1024 * 1024
MAX_RATIO = 200  # deflated text of this kind shrinks 5 to 20 times
MAX_ROWS = 500_000
DETAIL = "业务明细"
SUMMARY = "汇总"

COLUMNS = {
    "gateway_reference": "支付宝交易号",
    "reference": "商户订单号",
    "kind": "业务类型",
    "subject": "商品名称",
    "created_at": "创建时间",
    "at": "完成时间",
    "amount": "订单金额（元）",
    "received": "商家实收（元）",
    "refund_reference": "退款批次号/请求号",
    "fee": "服务费（元）",
    "remark": "备注",
}
OPTIONAL = ("subject", "created_at", "received", "remark")
KINDS = {"交易": "payment", "退款": "refund"}
_COUNT = re.compile(r"(\d+)\s*笔")


@dataclass(frozen=True)
class BillRow:
    kind: str  # "payment" or "refund"
    reference: str
    gateway_reference: str
    refund_reference: str
    fen: int  # positive for refunds too
    fee: Decimal  # yuan the merchant pays; negative when it comes back with a refund
    at: datetime  # aware, UTC
    raw: dict[str, str]


@dataclass(frozen=True)
class Bill:
    rows: list[BillRow]
    counts: dict[
        str, int
    ]  # as stated at the end of the file: {"payment": 3, "refund": 1}; empty if not stated

    def get_total_fen(self, kind: str) -> int:
        return sum(row.fen for row in self.rows if row.kind == kind)


def read_bill(raw: bytes, day: date | None = None) -> Bill:
    """Rows of a bill file as downloaded. With `day`, a file that covers another day is refused. Raises BillProblem."""
    text = _decode(_unpack_detail(raw))
    return _parse(text, day)


# --- archive --------------------------------------------------------------------------------------------------


def _unpack_detail(raw: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(raw), metadata_encoding="gbk") as archive:
            infos = archive.infolist()
            _check_infos(infos)
            details = [info for info in infos if DETAIL in info.filename and SUMMARY not in info.filename]
            if len(details) != 1:
                raise BillProblem("the archive holds no detail file, or several")
            return _unpack(archive, details[0])
    except (
        zipfile.BadZipFile,
        UnicodeDecodeError,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
    ) as error:
        raise BillProblem("not a readable ZIP file") from error


def _check_infos(infos: list[zipfile.ZipInfo]) -> None:
    if not 0 < len(infos) <= MAX_FILES:
        raise BillProblem("number of files in the archive")
    if sum(info.file_size for info in infos) > MAX_UNPACKED:
        raise BillProblem("the archive would unpack to too much")
    names = [info.orig_filename for info in infos]
    if len(set(names)) != len(names):
        raise BillProblem("a name occurs twice in the archive")
    for info in infos:
        name = info.orig_filename
        parts = re.split(r"[/\\]", name)
        if not name or name.startswith(("/", "\\")) or ".." in parts or ":" in name or "\0" in name:
            raise BillProblem("a name in the archive leads out of it")
        if info.flag_bits & 0x1:
            raise BillProblem("the archive is encrypted")
        if info.file_size > MAX_RATIO * max(info.compress_size, 1024):
            raise BillProblem("the archive is packed too well to be a bill")


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Never more than was declared, whatever the packed stream holds."""
    with archive.open(info) as stream:
        data = stream.read(info.file_size + 1)
    if len(data) > info.file_size:
        raise BillProblem("a file is longer than the archive says")
    return data


def _decode(raw: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):  # GBK text is hardly ever valid UTF-8; the reverse happens
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BillProblem("neither GBK nor UTF-8")


# --- table ----------------------------------------------------------------------------------------------------


def _parse(text: str, day: date | None) -> Bill:
    comments, table = [], []
    for line in text.splitlines():
        (comments if line.startswith("#") else table).append(line)
    if day is not None:
        _check_day(comments, day)
    reader = csv.reader(line for line in table if line.strip())
    try:
        header = [_clean(name) for name in next(reader, [])]
        places = _get_places(header)
        rows = []
        for values in reader:
            if len(rows) >= MAX_ROWS:
                raise BillProblem("too many rows")
            rows.append(_read_row(header, places, [_clean(value) for value in values]))
    except csv.Error as error:
        raise BillProblem("not a table") from error
    counts = _read_counts(comments)
    for kind, count in counts.items():
        if count != sum(row.kind == kind for row in rows):
            raise BillProblem("the number of rows is not the one stated at the end")
    return Bill(rows, counts)


def _clean(value: str) -> str:
    return value.strip(" \t\u3000\ufeff")


def _get_places(header: list[str]) -> dict[str, int]:
    names = [name.replace("(", "（").replace(")", "）") for name in header]
    places = {key: names.index(name) for key, name in COLUMNS.items() if name in names}
    missing = set(COLUMNS) - set(places) - set(OPTIONAL)
    if missing:
        raise BillProblem(f"columns missing: {', '.join(sorted(missing))}")
    return places


def _read_row(header: list[str], places: dict[str, int], values: list[str]) -> BillRow:
    if len(values) < len(header):
        raise BillProblem("a row is shorter than the header")

    def get(key: str) -> str:
        return values[places[key]]

    try:
        kind = KINDS[get("kind")]
        return BillRow(
            kind=kind,
            reference=get("reference"),
            gateway_reference=get("gateway_reference"),
            refund_reference=get("refund_reference"),
            fen=_read_fen(get("amount"), kind),
            fee=_read_fee(get("fee"), kind),
            at=parse_beijing(get("at")),
            raw=dict(zip(header, values, strict=False)),
        )
    except (KeyError, ValueError) as error:
        raise BillProblem("a row cannot be read") from error


def _read_fen(text: str, kind: str) -> int:
    """Refunds are written with a minus. The other sign, or a fraction of a fen, is no amount."""
    fen = _read_decimal(text) * (-100 if kind == "refund" else 100)
    if fen != int(fen) or fen < 0:
        raise ValueError("amount")
    return int(fen)


def _read_fee(text: str, kind: str) -> Decimal:
    """The file writes a payment's fee with a minus, as money leaving the account."""
    fee = abs(_read_decimal(text or "0"))
    return -fee if kind == "refund" else fee


def _read_decimal(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?\d{1,12}(\.\d{1,6})?", text, re.ASCII):
        raise ValueError("number")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("number") from error


def _check_day(comments: list[str], day: date) -> None:
    wanted = f"{day.year}年{day.month:02d}月{day.day:02d}日"
    starts = [line for line in comments if "起始日期" in line]
    if starts and wanted not in starts[0].split("终止")[0]:
        raise BillProblem("the bill is another day's")


def _read_counts(comments: list[str]) -> dict[str, int]:
    counts = {}
    for line in comments:
        for word, kind in (("交易合计", "payment"), ("退款合计", "refund")):
            if word in line and (match := _COUNT.search(line)):
                counts[kind] = int(match.group(1))
    return counts
