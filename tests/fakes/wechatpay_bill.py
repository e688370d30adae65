"""Trade bill and fund bill of a day as WeChat Pay writes them: every value after a backtick, money in yuan."""

import gzip
import hashlib
from datetime import date
from decimal import Decimal

from . import moves as day_moves
from .ledger import get_fee

EDITS = day_moves.EDITS


def _names(text: str) -> list[str]:
    return text.split(",")


TRADE_COLUMNS = _names(
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
TRADE_SUMMARY = _names(
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
FUND_COLUMNS = _names(
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
FUND_SUMMARY = _names("资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额")
STATES = {
    "paid": "SUCCESS",
    "processing": "PROCESSING",
    "success": "SUCCESS",
    "abnormal": "CHANGE",
    "closed": "FAIL",
}


def get_sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def pack(content: bytes) -> bytes:
    return gzip.compress(content)


def yuan(fen: int, places: int = 2) -> str:
    return f"{Decimal(fen) / 100:.{places}f}"


def build(kind: str, query: dict, day: date, gateway) -> bytes | None:
    """The file, or None when nothing moved. kind: tradebill, fundflowbill."""
    edits, shown = day_moves.get_edits(gateway, day)
    stranger = day_moves.make_stranger(gateway, shown, "native")
    found = day_moves.list_moves(gateway.ledger.orders.values(), day)
    moves = day_moves.apply_edits(found, edits, shown, stranger)
    for move in moves:
        move["state"] = STATES.get(move["state"], move["state"])
    if not moves:
        return None
    if kind == "tradebill":
        content = _build_trade(moves, query.get("bill_type", "ALL"), gateway)
    elif query.get("account_type", "BASIC") == "BASIC":
        content = _build_fund(moves)
    else:
        return None
    if any(edit["op"] == "truncate" for edit in edits):
        content = content[: len(content) * 2 // 3]
    return content.encode()


def _build_trade(moves, bill_type, gateway):
    if bill_type != "ALL":
        wanted = {"SUCCESS": "payment", "REFUND": "refund"}[bill_type]
        moves = [move for move in moves if move["kind"] == wanted]
    rows = [_make_trade_row(move, gateway) for move in moves]
    paid = sum(move["fen"] for move in moves if move["kind"] == "payment")
    returned = sum(move["fen"] for move in moves if move["kind"] == "refund")
    fees = sum(_get_signed_fee(move) for move in moves)
    summary = [str(len(rows)), yuan(paid), yuan(returned), "0.00", yuan(fees, 5), yuan(paid), yuan(returned)]
    return _format(TRADE_COLUMNS, rows, TRADE_SUMMARY, summary)


def _get_signed_fee(move):
    return get_fee(move["fen"]) * (1 if move["kind"] == "payment" else -1)


def _make_trade_row(move, gateway):
    is_refund = move["kind"] == "refund"
    trade_type = {"native": "NATIVE", "jsapi": "JSAPI", "h5": "MWEB"}[move["type"]]
    order_yuan, refund_yuan = ("0.00", yuan(move["fen"])) if is_refund else (yuan(move["fen"]), "0.00")
    values = {
        "交易时间": f"{move['at']:%Y-%m-%d %H:%M:%S}",
        "公众账号ID": gateway.appid,
        "商户号": gateway.mchid,
        "特约商户号": "0",
        "微信订单号": move["gateway"],
        "商户订单号": move["number"],
        "用户标识": move["buyer"],
        "交易类型": trade_type,
        "交易状态": "REFUND" if is_refund else move["state"],
        "付款银行": "OTHERS",
        "货币种类": "CNY",
        "应结订单金额": order_yuan,
        "代金券金额": "0.00",
        "微信退款单号": move.get("refund_gateway", "0"),
        "商户退款单号": move.get("refund", "0"),
        "退款金额": refund_yuan,
        "充值券退款金额": "0.00",
        "退款类型": "ORIGINAL" if is_refund else "",
        "退款状态": move["state"] if is_refund else "",
        "商品名称": move["subject"].replace(",", " ").replace("\n", " "),
        "手续费": yuan(_get_signed_fee(move), 5),
        "费率": "0.60%",
        "订单金额": order_yuan,
        "申请退款金额": refund_yuan,
    }
    return [values.get(name, "") for name in TRADE_COLUMNS]


def _build_fund(moves):
    """Each payment and each refund moves money twice: itself and its fee."""
    rows, balance, sums = [], 1_000_000, {"收入": [0, 0], "支出": [0, 0]}
    for move in moves:
        is_refund = move["kind"] == "refund"
        if is_refund and move["state"] in ("FAIL", "PROCESSING"):
            continue
        fee = get_fee(move["fen"])
        name, back = ("退款", "支出") if is_refund else ("交易", "收入")
        for kind, direction, fen in ((name, back, move["fen"]), ("扣除交易手续费", _turn(back), fee)):
            if not fen:
                continue
            balance += fen if direction == "收入" else -fen
            sums[direction][0] += 1
            sums[direction][1] += fen
            rows.append(_make_fund_row(move, kind, direction, fen, balance, len(rows)))
    (count_in, fen_in), (count_out, fen_out) = sums["收入"], sums["支出"]
    summary = [str(len(rows)), str(count_in), yuan(fen_in), str(count_out), yuan(fen_out)]
    return _format(FUND_COLUMNS, rows, FUND_SUMMARY, summary)


def _turn(direction):
    return "支出" if direction == "收入" else "收入"


def _make_fund_row(move, kind, direction, fen, balance, number):
    reference = move.get("refund_gateway") or move["gateway"]
    flow = f"{move['at']:%Y%m%d}{number:08d}"
    voucher = move.get("refund") or move["number"]
    note = f"结算总金额 {yuan(move['fen'])} 元;含手续费 {yuan(get_fee(move['fen']))} 元"
    when = f"{move['at']:%Y-%m-%d %H:%M:%S}"
    return [when, reference, flow, kind, kind, direction, yuan(fen), yuan(balance), "system", note, voucher]


def _format(columns, rows, summary_columns, summary):
    lines = [",".join(columns)]
    lines += [",".join(f"`{value}" for value in row) for row in rows]
    lines += [",".join(summary_columns), ",".join(f"`{value}" for value in summary)]
    return "\r\n".join(lines) + "\r\n"
