"""Alipay's daily bills: a ZIP with CSV files in GBK, their names in GBK too, comment lines, padded values."""

import io
import zipfile
from datetime import date, timedelta
from decimal import Decimal

from . import moves as day_moves
from .ledger import get_fee

EDITS = (*day_moves.EDITS, "traversal", "utf8", "zip_bomb")
ZIP_BOMB_BYTES = 512 * 1024 * 1024
KINDS = {"payment": "交易", "refund": "退款"}


def _names(text: str) -> list[str]:
    return text.split(",")


TRADE_COLUMNS = _names(
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,"
    "订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,"
    "商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
ACCOUNT_COLUMNS = _names(
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,"
    "交易渠道,业务类型,备注"
)


class _GbkName(zipfile.ZipInfo):
    """zipfile would write a Chinese name as UTF-8; Alipay does not."""

    def _encodeFilenameFlags(self):
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def yuan(fen: int) -> str:
    return f"{Decimal(fen) / 100:.2f}"


def build(bill_type: str, day: date, gateway) -> bytes | None:
    """The ZIP file, or None when nothing moved. bill_type: trade, signcustomer."""
    edits, shown = day_moves.get_edits(gateway, day)
    stranger = day_moves.make_stranger(gateway, shown, "page")
    found = day_moves.list_moves(gateway.ledger.orders.values(), day)
    moves = day_moves.apply_edits(found, edits, shown, stranger)
    if not moves:
        return None
    ops = {edit["op"] for edit in edits}
    prefix = f"{gateway.seller_id}0156_{shown:%Y%m%d}"
    if bill_type == "trade":
        files = {
            f"{prefix}_业务明细.csv": _build_trade(moves, shown, gateway),
            f"{prefix}_业务明细(汇总).csv": _build_summary(moves, shown, gateway),
        }
    else:
        files = {f"{prefix}_账务明细.csv": _build_account(moves, shown, gateway)}
    return _pack(files, ops)


def _pack(files, ops):
    buffer = io.BytesIO()
    encoding = "utf-8" if "utf8" in ops else "gbk"
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = _GbkName(f"../../{name}" if "traversal" in ops else name)
            info.compress_type = zipfile.ZIP_DEFLATED
            content = text.encode(encoding)
            if "zip_bomb" in ops:
                content += b" " * ZIP_BOMB_BYTES
            archive.writestr(info, content[: len(content) * 2 // 3] if "truncate" in ops else content)
    return buffer.getvalue()


def _build_trade(moves, day, gateway):
    paid = [move for move in moves if move["kind"] == "payment"]
    returned = [move for move in moves if move["kind"] == "refund"]
    rows = [_format_row(_make_trade_row(move)) for move in moves]
    return _frame(
        "业务明细",
        TRADE_COLUMNS,
        rows,
        day,
        gateway,
        [
            f"#交易合计：{len(paid)}笔，商家实收共{yuan(sum(move['fen'] for move in paid))}元，商家优惠共0.00元",
            f"#退款合计：{len(returned)}笔，商家实收退款共{yuan(-sum(move['fen'] for move in returned))}元，"
            "商家优惠退款共0.00元",
        ],
    )


def _frame(title, columns, rows, day, gateway, totals):
    first, last = f"{day:%Y年%m月%d日} 00:00:00", f"{day + timedelta(days=1):%Y年%m月%d日} 00:00:00"
    lines = [
        f"#支付宝{title}查询",
        f"#账号：[{gateway.seller_id}0156]",
        f"#起始日期：[{first}]   终止日期：[{last}]",
        f"#-----------------------------------------{title}列表----------------------------------------",
        ",".join(columns),
        *rows,
        f"#-----------------------------------------{title}列表结束------------------------------------",
        *totals,
        f"#导出时间：[{gateway.clock.now():%Y年%m月%d日 %H:%M:%S}]",
    ]
    return "\r\n".join(lines) + "\r\n"


def _format_row(values):
    return ",".join(f"{value}\t" for value in values)


def _make_trade_row(move):
    sign = 1 if move["kind"] == "payment" else -1
    amount = yuan(sign * move["fen"])
    values = {
        "支付宝交易号": move["gateway"],
        "商户订单号": move["number"],
        "业务类型": KINDS[move["kind"]],
        "商品名称": move["subject"].replace(",", " "),
        "创建时间": f"{move['created_at']:%Y-%m-%d %H:%M:%S}",
        "完成时间": f"{move['at']:%Y-%m-%d %H:%M:%S}",
        "对方账户": "*模拟(sim***@example.com)",
        "订单金额（元）": amount,
        "商家实收（元）": amount,
        "退款批次号/请求号": move.get("refund", ""),
        "服务费（元）": yuan(-sign * get_fee(move["fen"])),
        "分润（元）": "0.00",
    }
    empty = {name: "0.00" for name in TRADE_COLUMNS if name.endswith("（元）")}
    return [(empty | values).get(name, "") for name in TRADE_COLUMNS]


def _build_summary(moves, day, gateway):
    columns = _names(
        "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,服务费（元）,实收净额（元）"
    )
    paid = sum(move["fen"] for move in moves if move["kind"] == "payment")
    returned = sum(move["fen"] for move in moves if move["kind"] == "refund")
    fees = sum(get_fee(move["fen"]) * (1 if move["kind"] == "payment" else -1) for move in moves)
    counts = [str(sum(move["kind"] == kind for move in moves)) for kind in KINDS]
    net = paid - returned
    row = ["", "合计", *counts, yuan(net), yuan(net), yuan(-fees), yuan(net - fees)]
    return _frame("业务汇总", columns, [_format_row(row)], day, gateway, [])


def _build_account(moves, day, gateway):
    rows, balance = [], 1_000_000
    for number, move in enumerate(moves):
        sign = 1 if move["kind"] == "payment" else -1
        for kind, fen in ((KINDS[move["kind"]], sign * move["fen"]), ("收费", -sign * get_fee(move["fen"]))):
            balance += fen
            rows.append(_format_row(_make_account_row(move, kind, fen, balance, number)))
    return _frame("账务明细", ACCOUNT_COLUMNS, rows, day, gateway, [])


def _make_account_row(move, kind, fen, balance, number):
    flow = f"{move['at']:%Y%m%d}{number:010d}{abs(fen)}"
    amounts = [yuan(fen) if fen > 0 else "", yuan(fen) if fen < 0 else "", yuan(balance)]
    when = f"{move['at']:%Y-%m-%d %H:%M:%S}"
    subject = move["subject"].replace(",", " ")
    return [flow, move["gateway"], move["number"], subject, when, "sim***", *amounts, "支付宝", kind, ""]
