from datetime import date

from odoo.tests import BaseCase, tagged

from ..wechatpay import bill, errors

DAY = date(2026, 11, 20)
TRADE_HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
TRADE_SUMMARY = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
FUND_HEADER = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,资金变更提交申请人,备注,业务凭证号"
FUND_SUMMARY = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"


def to_line(values):
    return "".join(f",`{value}" for value in values)[1:]


def make_trade_line(status="SUCCESS", at="2026-11-20 10:00:00", **changes):
    """A detail line; keys of `changes` are column names."""
    values = dict.fromkeys(TRADE_HEADER.split(","), "") | {
        "交易时间": at,
        "微信订单号": "4200001",
        "商户订单号": "REF1",
        "交易状态": status,
        "货币种类": "CNY",
        "应结订单金额": "80.00",
        "退款金额": "0.00",
        "手续费": "0.52800",
        "费率": "0.60%",
        "订单金额": "88.00",
        "申请退款金额": "0.00",
    }
    return to_line((values | changes).values())


def make_bill(header, lines, summary_header, summary, newline="\r\n", mark="\ufeff"):
    return (mark + newline.join([header, *lines, summary_header, to_line(summary), ""])).encode()


REFUND = {
    "订单金额": "0.00",
    "应结订单金额": "0.00",
    "微信退款单号": "5030001",
    "商户退款单号": "R-REF1",
    "退款金额": "1.00",
    "申请退款金额": "1.23",
    "退款状态": "SUCCESS",
    "手续费": "-0.00738",
}


@tagged("post_install", "-at_install")
class TestTradeBill(BaseCase):
    def _parse(self, lines, summary, **form):
        return bill.parse_trade_bill(make_bill(TRADE_HEADER, lines, TRADE_SUMMARY, summary, **form), DAY)

    def test_payments_and_refunds_with_exact_fees(self):
        for form in ({}, {"newline": "\n"}, {"mark": ""}):
            result = self._parse(
                [make_trade_line(), make_trade_line("REFUND", "2026-11-20 23:59:59", **REFUND)],
                ["2", "80.00", "1.00", "0.00", "0.52062", "88.00", "1.23"],
                **form,
            )
            keys = (
                "kind",
                "reference",
                "gateway_reference",
                "refund_reference",
                "fen",
                "fee_fen_text",
                "state",
                "at",
            )
            self.assertEqual(
                [tuple(line[key] for key in keys) for line in result["lines"]],
                [
                    ("payment", "REF1", "4200001", "", 8800, "52.8", "paid", "2026-11-20T02:00:00Z"),
                    (
                        "refund",
                        "REF1",
                        "5030001",
                        "R-REF1",
                        123,
                        "-0.738",
                        "refunded",
                        "2026-11-20T15:59:59Z",
                    ),
                ],
            )
            self.assertEqual(
                result["totals"],
                {"count": 2, "payment_fen": 8800, "refund_fen": 123, "fee_fen_text": "52.062", "differs": []},
            )

    def test_commas_in_texts_do_not_shift_columns(self):
        line = make_trade_line(商品名称="水费,电费\\ 充值", 商户数据包="=cmd|' /C calc'!A0")
        result = self._parse([line], ["1", "80.00", "0.00", "0.00", "0.52800", "88.00", "0.00"])
        self.assertEqual(result["lines"][0]["raw"]["商品名称"], "水费,电费\\ 充值")
        self.assertEqual(result["lines"][0]["fen"], 8800)

    def test_older_bills_lack_columns(self):
        header = TRADE_HEADER.replace(",订单金额,申请退款金额,费率备注", "")
        summary = TRADE_SUMMARY.replace(",订单总金额,申请退款总金额", "")
        line = ",`".join(make_trade_line().split(",`")[:-3])
        content = make_bill(header, [line], summary, ["1", "80.00", "0.00", "0.00", "0.52800"])
        self.assertEqual(bill.parse_trade_bill(content, DAY)["lines"][0]["fen"], 8000)

    def test_totals_that_do_not_add_up_are_told(self):
        result = self._parse([make_trade_line()], ["1", "80.00", "0.00", "0.00", "0.52800", "99.00", "0.00"])
        self.assertEqual(result["totals"]["differs"], ["payment_fen"])

    def test_bills_that_are_refused_whole(self):
        good = ["1", "80.00", "0.00", "0.00", "0.52800", "88.00", "0.00"]
        rows = {
            "a line is missing": ([make_trade_line()], ["2", *good[1:]]),
            "another date": ([make_trade_line(at="2026-11-21 00:00:00")], good),
            "no time": ([make_trade_line(at="noon")], good),
            "unknown kind": ([make_trade_line("SOMETHING")], good),
            "amount is text": ([make_trade_line(订单金额="88,00")], good),
            "part of a fen": ([make_trade_line(订单金额="88.005")], good),
            "exponent": ([make_trade_line(订单金额="1E9")], good),
            "a column too many": ([make_trade_line() + ",`x"], good),
            "count is no number": ([make_trade_line()], ["one", *good[1:]]),
        }
        for name, (lines, summary) in rows.items():
            with self.subTest(name), self.assertRaises(errors.MessageError):
                self._parse(lines, summary)

    def test_files_that_are_no_bill(self):
        whole = make_bill(
            TRADE_HEADER, [make_trade_line()], TRADE_SUMMARY, ["1", "80", "0", "0", "0", "88", "0"]
        )
        rows = [
            b"",
            b"\x1f\x8b\x08\x00",
            b"PK\x03\x04",
            "交易时间".encode("gbk"),
            b'{"code":"NO_STATEMENT_EXIST"}',
            whole[: len(whole) // 2],
            whole + whole,
            whole.replace(b"\xe8\xae\xa2\xe5\x8d\x95", b"\x00"),
        ]
        for content in rows:
            with self.subTest(content=content[:20]), self.assertRaises(errors.MessageError):
                bill.parse_trade_bill(content, DAY)


@tagged("post_install", "-at_install")
class TestFundBill(BaseCase):
    def test_movements_with_their_directions(self):
        lines = [
            to_line(
                [
                    "2026-11-20 10:00:00",
                    "4200001",
                    "F1",
                    "交易",
                    "交易",
                    "收入",
                    "88.00",
                    "100.00",
                    "system",
                    "",
                    "V1",
                ]
            ),
            to_line(
                [
                    "2026-11-20 10:00:01",
                    "4200001",
                    "F2",
                    "扣除交易手续费",
                    "扣除交易手续费",
                    "支出",
                    "0.53",
                    "99.47",
                    "system",
                    "手续费",
                    "V1",
                ]
            ),
        ]
        content = make_bill(FUND_HEADER, lines, FUND_SUMMARY, ["2", "1", "88.00", "1", "0.53"])
        result = bill.parse_fund_bill(content, DAY)
        self.assertEqual(
            [(line["direction"], line["fen_text"], line["kind"]) for line in result["lines"]],
            [("in", "8800", "交易"), ("out", "53", "扣除交易手续费")],
        )
        self.assertEqual(
            result["totals"], {"count": 2, "in_fen_text": "8800", "out_fen_text": "53", "differs": []}
        )
