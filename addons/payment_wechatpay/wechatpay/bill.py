"""Trade bill and fund bill: comma-separated, every value after a backtick, money in yuan.

Columns are found by their names: they differ by kind of bill, and older merchants lack two of them. A bill that lacks
lines, or is of another date, is refused whole: better no reconciliation than one with half the lines.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal

from .beijing import BEIJING
from .errors import MessageError

_YUAN = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,8})?")
#: 交易状态 of a line -> kind of line
_KINDS = {"SUCCESS": "payment", "REFUND": "refund", "REVOKED": "refund"}
#: 退款状态 of a line -> state. CHANGE: the payer's card took nothing back, the merchant has to finish it.
_REFUND_STATES = {
    "SUCCESS": "refunded",
    "PROCESSING": "refunding",
    "CHANGE": "refunding",
    "FAIL": "refund_failed",
}


def parse_trade_bill(content, day):
    """{"lines": [...], "totals": {...}} of a trade bill (bytes) of a date.

    line: kind, reference, gateway_reference, refund_reference, fen, fee_fen_text, state, at (ISO UTC), raw.
    state: paid; refunded, refunding, refund_failed.
    """
    rows, summary = _split(content)
    lines = [_read_trade_line(row, day) for row in rows]
    totals = {
        "count": _get_count(summary, "总交易单数"),
        "payment_fen": _to_fen(summary, "订单总金额", "应结订单总金额"),
        "refund_fen": _to_fen(summary, "申请退款总金额", "退款总金额"),
        "fee_fen_text": _to_fen_text(_get(summary, "手续费总金额")),
    }
    added = {
        "count": len(lines),
        "payment_fen": sum(line["fen"] for line in lines if line["kind"] == "payment"),
        "refund_fen": sum(line["fen"] for line in lines if line["kind"] == "refund"),
    }
    return {"lines": lines, "totals": _compare(totals, added)}


def _read_trade_line(row, day):
    status = _get(row, "交易状态")
    if status not in _KINDS:
        raise MessageError("bill line of an unknown kind")
    kind = _KINDS[status]
    is_refund = kind == "refund"
    if is_refund:
        fen = _to_fen(row, "申请退款金额", "退款金额")
    else:
        fen = _to_fen(row, "订单金额", "应结订单金额", "总金额")
    return {
        "kind": kind,
        "reference": _get(row, "商户订单号"),
        "gateway_reference": _get(row, "微信退款单号" if is_refund else "微信订单号"),
        "refund_reference": _get(row, "商户退款单号") if is_refund else "",
        "fen": fen,
        "fee_fen_text": _to_fen_text(_get(row, "手续费")),
        "state": _get_refund_state(row) if is_refund else "paid",
        "at": _to_utc(_get(row, "交易时间"), day),
        "raw": row,
    }


def _get_refund_state(row):
    status = _get(row, "退款状态")
    if status not in _REFUND_STATES:
        raise MessageError("bill line of an unknown state")
    return _REFUND_STATES[status]


def parse_fund_bill(content, day):
    """{"lines": [...], "totals": {...}} of a fund bill: what really moved on the merchant's account, fees as own lines.

    line: at, gateway_reference, flow_reference, name, kind, direction ('in', 'out'), fen_text, balance_fen_text, note, raw.
    """
    rows, summary = _split(content)
    lines = [_read_fund_line(row, day) for row in rows]
    totals = {
        "count": _get_count(summary, "资金流水总笔数"),
        "in_fen_text": _to_fen_text(_get(summary, "收入金额")),
        "out_fen_text": _to_fen_text(_get(summary, "支出金额")),
    }
    added = {"count": len(lines)}
    for direction in ("in", "out"):
        fen = sum(Decimal(line["fen_text"]) for line in lines if line["direction"] == direction)
        added[f"{direction}_fen_text"] = format(Decimal(fen).normalize() if fen else Decimal(0), "f")
    return {"lines": lines, "totals": _compare(totals, added)}


def _read_fund_line(row, day):
    directions = {"收入": "in", "支出": "out"}
    direction = directions.get(_get(row, "收支类型"))
    if not direction:
        raise MessageError("bill line of an unknown kind")
    return {
        "at": _to_utc(_get(row, "记账时间"), day),
        "gateway_reference": _get(row, "微信支付业务单号"),
        "flow_reference": _get(row, "资金流水单号"),
        "name": _get(row, "业务名称"),
        "kind": _get(row, "业务类型"),
        "direction": direction,
        "fen_text": _to_fen_text(_get(row, "收支金额(元)")),
        "balance_fen_text": _to_fen_text(_get(row, "账户结余(元)")),
        "note": row.get("备注", ""),
        "raw": row,
    }


def _compare(totals, added):
    """The bill's own totals, with the names of those the lines do not add up to. A missing line refuses the bill."""
    if totals["count"] != added["count"]:
        raise MessageError("bill lacks lines")
    return totals | {"differs": [name for name, value in added.items() if totals[name] != value]}


# --- the file -------------------------------------------------------------------------------------------------


def _split(content):
    """(rows, summary) as dicts by column name, of the bytes of a bill."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MessageError("bill is not UTF-8") from None
    if "\0" in text:
        raise MessageError("bill is no text")
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    headers = [number for number, line in enumerate(lines) if not line.startswith("`")]
    if len(headers) != 2 or headers[0] != 0 or headers[1] != len(lines) - 2:
        raise MessageError("bill is incomplete")
    rows = [_to_row(lines[0], line) for line in lines[1 : headers[1]]]
    return rows, _to_row(lines[headers[1]], lines[-1])


def _to_row(header, line):
    names = [_normalize_name(name) for name in header.split(",")]
    values = [value.strip() for value in line[1:].split(",`")]
    if len(names) != len(values) or len(set(names)) != len(names):
        raise MessageError("bill line does not fit its header")
    return dict(zip(names, values, strict=True))


def _normalize_name(name):
    """Brackets come full-width or not."""
    return name.strip().strip("`").replace("（", "(").replace("）", ")")


def _get(row, name):
    if name not in row:
        raise MessageError("bill lacks a column")
    return row[name]


def _get_yuan(text):
    if not _YUAN.fullmatch(text):
        raise MessageError("bill holds an amount that is none")
    return Decimal(text)


def _to_fen(row, *names):
    """Whole fen of the first of these columns that exists."""
    fen = _get_yuan(_get(row, next((name for name in names if name in row), names[0]))) * 100
    if fen != fen.to_integral_value():
        raise MessageError("bill holds a part of a fen")
    return int(fen)


def _to_fen_text(text):
    """Fees have up to five decimals of a yuan: exact text in fen, e.g. '0.60000' -> '60'."""
    fen = _get_yuan(text) * 100
    return format(fen.normalize() if fen else Decimal(0), "f")


def _get_count(row, name):
    text = _get(row, name)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise MessageError("bill holds a count that is none")
    return int(text)


def _to_utc(text, day):
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        raise MessageError("bill holds a time that is none") from None
    if moment.date() != day:
        raise MessageError("bill is of another date")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
