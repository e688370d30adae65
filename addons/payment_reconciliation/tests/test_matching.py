"""A bill's lines against our transactions, without a database."""

from decimal import Decimal

from odoo.tests import BaseCase, tagged

from ..matching import add_up, match, read_fee_fen

LINE = {
    "kind": "payment",
    "reference": "A",
    "gateway_reference": "4200",
    "refund_reference": "",
    "fen": 100,
    "fee_fen_text": "0.6",
    "state": "paid",
}
OURS = {
    "id": 1,
    "kind": "payment",
    "reference": "A",
    "fen": 100,
    "state": "done",
    "gateway_references": {"4200"},
    "is_due": True,
}
REFUND_LINE = LINE | {
    "kind": "refund",
    "refund_reference": "R-A",
    "gateway_reference": "5000",
    "state": "refunded",
}
OUR_REFUND = OURS | {"id": 2, "kind": "refund", "reference": "R-A", "gateway_references": {"5000", "4200"}}

ROWS = [
    ("matched", LINE, OURS),
    ("missing_here", LINE, None),
    ("missing_here", LINE, OURS | {"reference": "B", "is_due": False}),
    ("missing_there", None, OURS),
    ("amount_differs", LINE | {"fen": 101}, OURS),
    ("amount_differs", LINE | {"fen": 100.0}, OURS),
    ("amount_differs", LINE | {"fen": 101}, OURS | {"state": "pending"}),
    ("state_differs", LINE, OURS | {"state": "pending"}),
    ("state_differs", LINE, OURS | {"state": "cancel"}),
    ("state_differs", LINE | {"state": "closed"}, OURS),
    ("state_differs", LINE | {"state": "SOMETHING"}, OURS),
    ("state_differs", LINE | {"gateway_reference": "4201"}, OURS),
    ("matched", REFUND_LINE, OUR_REFUND),
    ("matched", REFUND_LINE | {"gateway_reference": "4200"}, OUR_REFUND),
    ("missing_here", REFUND_LINE, OURS | {"is_due": False}),
    ("missing_here", LINE, OUR_REFUND | {"reference": "A", "is_due": False}),
    ("state_differs", REFUND_LINE, OUR_REFUND | {"state": "error"}),
    ("matched", REFUND_LINE | {"state": "refund_failed"}, OUR_REFUND | {"state": "error"}),
    ("matched", REFUND_LINE | {"state": "refunding"}, OUR_REFUND | {"state": "pending"}),
    ("state_differs", REFUND_LINE | {"state": "refund_failed"}, OUR_REFUND),
]


@tagged("post_install", "-at_install")
class TestMatching(BaseCase):
    def test_each_result(self):
        for expected, line, ours in ROWS:
            with self.subTest(expected, line=line, ours=ours):
                rows = match([line] if line else [], [ours] if ours else [])
                self.assertEqual([row["result"] for row in rows], [expected])

    def test_twice_in_the_bill(self):
        rows = match([LINE, LINE | {"gateway_reference": "4201"}, LINE], [OURS])
        self.assertEqual([row["result"] for row in rows], ["matched", "duplicate", "duplicate"])

    def test_transactions_of_other_days_need_no_line(self):
        self.assertEqual(match([], [OURS | {"is_due": False}]), [])

    def test_a_whole_day_keeps_its_order(self):
        lines = [LINE | {"reference": name} for name in ("B", "A", "C")]
        ours = [OURS | {"id": number, "reference": name} for number, name in enumerate("ADB")]
        results = [
            (row["result"], (row["line"] or row["transaction"])["reference"]) for row in match(lines, ours)
        ]
        self.assertEqual(
            results, [("matched", "B"), ("matched", "A"), ("missing_here", "C"), ("missing_there", "D")]
        )

    def test_totals_are_exact_and_count_what_moved(self):
        lines = [LINE | {"fee_fen_text": "0.333"}] * 3 + [
            REFUND_LINE | {"fee_fen_text": "-0.099"},
            REFUND_LINE | {"state": "refunding", "fee_fen_text": "0"},
        ]
        totals = add_up(lines)
        self.assertEqual(totals["fee_fen"], Decimal("0.9"))
        self.assertEqual((totals["payment_count"], totals["payment_fen"]), (3, 300))
        self.assertEqual((totals["refund_count"], totals["refund_fen"]), (1, 100))

    def test_fees_that_are_none_count_nothing(self):
        for text in ("", None, "NaN", "Infinity", "=1+1"):
            self.assertEqual(read_fee_fen({"fee_fen_text": text}), 0)
