"""Copies of one notice at the same moment."""

from odoo.addons.payment_reconciliation.tests.together import TogetherMixin
from odoo.tests import TransactionCase, tagged

from ..alipay.notification import Notice

COPIES = 20
TRADE = "2026112122001777777"


@tagged("post_install", "-at_install")
class TestParallelNotices(TogetherMixin, TransactionCase):
    provider_code = "alipay"
    method = "payment.payment_method_alipay"

    def _take_together(self, notices):
        def take(env, notice):
            return env["payment.transaction"].browse(self.ids["transaction"])._alipay_take_notice(notice)

        return self._run_together(take, notices)

    def _make_notice(self, trade_number=TRADE, fen=10000):
        return Notice(self.reference, trade_number, fen, "paid", "TRADE_SUCCESS", None, "", None)

    def test_case_10_twenty_copies_at_once_are_all_taken_and_pay_once(self):
        self.assertEqual(self._take_together([self._make_notice()] * COPIES), [True] * COPIES)
        self.assertEqual(self._read_outcome(), ("done", TRADE, []))

    def test_case_23_two_trades_at_once_pay_once_and_the_other_is_a_case(self):
        answers = self._take_together([self._make_notice("1"), self._make_notice("2")])
        self.assertEqual(sorted(answers), [False, True])
        state, _reference, kinds = self._read_outcome()
        self.assertEqual((state, kinds), ("done", ["paid_twice"]))
