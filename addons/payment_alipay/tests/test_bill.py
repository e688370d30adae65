"""The bill file without a database."""

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

from odoo.addons.payment_alipay.alipay.bill import COLUMNS, read_bill
from odoo.addons.payment_alipay.alipay.errors import BillProblem
from odoo.tests import BaseCase, tagged

DAY = date(2026, 11, 20)
HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,"
    "卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)


def make_row(number, reference, kind="交易", amount="100.00", request="", fee="-0.60", subject="水电费"):
    return (
        f"{number}\t,{reference}\t,{kind}\t,{subject}\t,2026-11-20 16:13:11,2026-11-20 16:14:24,\t,\t,\t,\t,"
        f"**佳(yan***@163.com)\t,{amount},{amount},0.00,0.00,0.00,0.00,0.00,\t,0.00,0.00,{request}\t,{fee},0.00,\t"
    )


def make_text(rows, *, header=HEADER, counts=None, day="2026年11月20日"):
    paid = sum(",退款\t," not in row for row in rows)
    paid, refunded = counts or (paid, len(rows) - paid)
    return "\r\n".join(
        [
            "#支付宝业务明细查询",
            "#账号：[20880000000000010156]",
            f"#起始日期：[{day} 00:00:00]   终止日期：[2026年11月21日 00:00:00]",
            "#-----------------------------------------业务明细列表----------------------------------------",
            header,
            *rows,
            "#-----------------------------------------业务明细列表结束------------------------------------",
            f"#交易合计：{paid}笔，商家实收共100.00元，商家优惠共0.00元",
            f"#退款合计：{refunded}笔，商家实收退款共-30.00元，商家优惠退款共0.00元",
            "#导出时间：[2026年11月21日 09:12:13]",
            "",
        ]
    )


def make_zip(
    text, *, encoding="gbk", names=("2088_20261120_业务明细.csv", "2088_20261120_业务明细(汇总).csv")
):
    """As the gateway packs it: file names in GBK without the UTF-8 flag."""
    stream = io.BytesIO()
    names = {name: chr(ord("A") + place) * len(name.encode("gbk")) for place, name in enumerate(names)}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, holder in names.items():
            archive.writestr(holder, ("汇总" if "汇总" in name else text).encode(encoding))
    raw = stream.getvalue()
    for name, holder in names.items():
        raw = raw.replace(holder.encode(), name.encode("gbk"))
    return raw


@tagged("post_install", "-at_install")
class TestBill(BaseCase):
    def setUp(self):
        super().setUp()
        self.rows = [
            make_row("2026112022001", "DB_1"),
            make_row("2026112022002", "DB_2", amount="0.01", fee="0.00"),
            make_row("2026112022001", "DB_1", "退款", "-30.00", "R_DB_1", "0.18"),
        ]

    def test_a_file_is_read(self):
        bill = read_bill(make_zip(make_text(self.rows)), DAY)
        self.assertEqual([row.kind for row in bill.rows], ["payment", "payment", "refund"])
        self.assertEqual([row.fen for row in bill.rows], [10000, 1, 3000])
        self.assertEqual([row.fee for row in bill.rows], [Decimal("0.60"), Decimal("0.00"), Decimal("-0.18")])
        self.assertEqual(bill.rows[2].refund_reference, "R_DB_1")
        self.assertEqual(bill.rows[0].gateway_reference, "2026112022001")
        self.assertEqual(bill.rows[0].at, datetime(2026, 11, 20, 8, 14, 24, tzinfo=UTC))
        self.assertEqual(bill.rows[0].raw["商品名称"], "水电费")
        self.assertEqual(bill.counts, {"payment": 2, "refund": 1})
        self.assertEqual(bill.get_total_fen("payment"), 10001)

    def test_other_ways_to_write_the_same(self):
        text = make_text(self.rows)
        half = text.replace("（", "(").replace("）", ")")
        columns = HEADER.split(",")
        swapped = make_text(self.rows, header=",".join([columns[1], columns[0], *columns[2:]]))
        self.assertEqual(len(read_bill(make_zip(half), DAY).rows), 3)
        self.assertEqual(len(read_bill(make_zip(text, encoding="utf-8"), DAY).rows), 3)
        self.assertEqual(read_bill(make_zip(swapped), DAY).rows[0].reference, "2026112022001")

    def test_a_day_without_business_is_empty(self):
        self.assertEqual(read_bill(make_zip(make_text([])), DAY).rows, [])

    def test_case_41_what_a_bill_must_not_be(self):
        text = make_text(self.rows)
        quoted = make_text([self.rows[0].replace("水电费", '"=cmd|calc, 1"')])
        self.assertEqual(read_bill(make_zip(quoted), DAY).rows[0].raw["商品名称"], "=cmd|calc, 1")
        bad_row = self.rows[0]
        rows = [
            ("no ZIP file", b"hello"),
            ("nothing", b""),
            ("cut off", make_zip(text)[:-30]),
            ("way up", make_zip(text, names=("../业务明细.csv",))),
            ("way up, other slash", make_zip(text, names=("..\\业务明细.csv",))),
            ("root", make_zip(text, names=("/业务明细.csv",))),
            ("drive", make_zip(text, names=("C:业务明细.csv",))),
            ("no details", make_zip(text, names=("账务.csv",))),
            ("two details", make_zip(text, names=("1业务明细.csv", "12业务明细.csv"))),
            ("too many files", make_zip(text, names=tuple(f"{'a' * i}业务明细.csv" for i in range(12)))),
            ("bomb", make_zip("#" + "0" * 30_000_000)),
            ("another day", make_zip(make_text(self.rows, day="2026年11月19日"))),
            ("a row cut out", make_zip(make_text(self.rows[1:], counts=(2, 1)))),
            ("a row put in", make_zip(make_text([*self.rows, make_row("9", "DB_9")], counts=(2, 1)))),
            ("not Chinese", make_zip(text, encoding="utf-16")),
            (
                "a column missing",
                make_zip(make_text(self.rows, header=HEADER.replace("订单金额（元）", "金额"))),
            ),
            ("short row", make_zip(make_text(["1,DB_1,交易"]))),
            *[
                (f"amount {amount}", make_zip(make_text([bad_row.replace("100.00", amount)])))
                for amount in ("-1.00", "1.001", "1e3", "", "abc", "１.00", "99999999999999.00")
            ],
            ("kind", make_zip(make_text([bad_row.replace("交易\t", "转账\t")], counts=(1, 0)))),
            ("time", make_zip(make_text([bad_row.replace("2026-11-20 16:14:24", "soon")]))),
        ]
        for name, raw in rows:
            with self.subTest(name=name), self.assertRaises(BillProblem):
                read_bill(raw, DAY)

    def test_a_file_that_lies_about_its_length_is_not_unpacked_further(self):
        raw = bytearray(make_zip(make_text(self.rows)))
        at = raw.index(b"PK\x01\x02")
        size = int.from_bytes(raw[at + 24 : at + 28], "little")
        raw[at + 24 : at + 28] = (size - 50).to_bytes(4, "little")
        with self.assertRaises(BillProblem):
            read_bill(bytes(raw), DAY)

    def test_the_needed_columns_are_those_of_the_header(self):
        self.assertLessEqual(set(COLUMNS.values()), set(HEADER.split(",")))
