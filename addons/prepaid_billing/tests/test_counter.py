from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, new_test_user, tagged

from .money_common import MoneyCase


@tagged("post_install", "-at_install")
class TestCounter(MoneyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.contract = cls._make_tenancy("Noodle House")
        cls.wallet = cls.contract.wallet_id

    def test_a_cash_topup_is_payment_entry_and_booking_at_once(self):
        topup = self._topup(self.contract, "120.50")
        entry, payment = topup.sudo().entry_id, topup.sudo().payment_id
        self.assertEqual(topup.state, "posted")
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("120.50"))
        self.assertEqual(entry.source, f"account.payment,{payment.id}")
        self.assertEqual(payment.state, "paid", "cash is in the drawer at once")
        self.assertEqual(payment.journal_id, self.company.prepaid_cash_journal_id)
        self.assertEqual(payment.destination_account_id, self.company.prepaid_advance_account_id)
        self.assertEqual(payment.wallet_id, self.wallet)
        self.assertEqual(entry.booking_ids.move_id, payment.move_id)
        self.assertEqual(self._get_advance_balance(self.contract), Decimal("120.50"))
        self.assertEqual(self._run_check().state, "ok")

    def test_cheque_and_transfer_go_to_the_bank_with_their_number(self):
        for method in ("cheque", "transfer"):
            topup = self._topup(self.contract, 10, method=method, reference="NO-77").sudo()
            self.assertEqual(topup.payment_id.journal_id, self.company.prepaid_bank_journal_id)
            self.assertEqual(topup.payment_id.payment_reference, "NO-77")

    def test_the_supply_is_decided_again_in_the_same_transaction(self):
        with patch.object(type(self.contract), "_evaluate_supply", autospec=True) as evaluate:
            self._topup(self.contract, 10)
        self.assertEqual(
            [(call.args[0], call.args[1]) for call in evaluate.call_args_list], [(self.contract, "topup")]
        )

    def test_two_clicks_are_one_topup(self):
        first = self._topup(self.contract, 10, request_key="click")
        second = self._topup(self.contract, 10, request_key="click")
        self.assertEqual(first, second)
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("10.00"))

    def test_wrong_amounts_are_refused_with_the_rule(self):
        for amount, rule in (
            ("0", "above zero"),
            ("-5", "above zero"),
            ("1.005", "two decimals"),
            ("x", "not an amount"),
            ("5000.01", "largest"),
        ):
            with self.subTest(amount), self.assertRaisesRegex(ValidationError, rule):
                self._topup(self.contract, amount)
        self.assertFalse(self.wallet.topup_ids)

    def test_the_counter_cannot_book_an_online_payment(self):
        with self.assertRaises(ValidationError):
            self._topup(self.contract, 10, method="online")

    def test_a_voucher_waits_until_its_money_is_seen(self):
        topup = self._topup(
            self.contract, 80, method="transfer", reference="V1", voucher=b"aGk=", confirm=False
        )
        self.assertEqual(topup.state, "draft")
        self.assertEqual(self.wallet._get_balance_decimal(), 0)
        with self.assertRaises(UserError):
            topup.action_print_receipt()
        topup.with_user(self.cashier).action_confirm()
        topup.with_user(self.cashier).action_confirm()
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("80.00"))

    # --- wrong users ------------------------------------------------------------------------------------------

    def test_only_who_may_work_the_counter_takes_money(self):
        auditor = self._make_user("auditor_t", "auditor")
        portal = new_test_user(self.env, "portal_t", groups="base.group_portal")
        for user in (self.operator, self.accountant, auditor, portal):
            with self.subTest(user.login), self.assertRaises(AccessError):
                self._topup(self.contract, 10, user=user)
        for user in (self.operator, portal):
            with self.subTest(user.login), self.assertRaises(AccessError):
                self.env["prepaid.counter"].with_user(user).create({"contract_id": self.contract.id})

    def test_a_cashier_of_another_building_neither_takes_nor_sees(self):
        stranger = self._make_user("stranger_t", "cashier", buildings=self.other_building)
        with self.assertRaises(AccessError):
            self._topup(self.contract, 10, user=stranger)
        topup = self._topup(self.contract, 10)
        self.assertFalse(self.env["prepaid.topup"].with_user(stranger).search([("id", "=", topup.id)]))
        with self.assertRaises(AccessError):
            topup.with_user(stranger).action_print_receipt()

    def test_nobody_writes_topups_around_the_counter(self):
        supervisor = self._make_user("supervisor_t", "supervisor")
        topup = self._topup(self.contract, 10)
        for user in (self.cashier, self.accountant, supervisor):
            topups = self.env["prepaid.topup"].with_user(user)
            with self.subTest(user.login):
                with self.assertRaises(AccessError):
                    topups.create({"wallet_id": self.wallet.id, "amount": 5, "method": "cash"})
                with self.assertRaises(AccessError):
                    topups.browse(topup.id).write({"amount": 500})
                with self.assertRaises(AccessError):
                    topups.browse(topup.id).unlink()
        with self.assertRaises(UserError):
            topup.sudo().unlink()

    # --- reversal ---------------------------------------------------------------------------------------------

    def test_a_mistaken_topup_is_reversed_in_wallet_and_books(self):
        topup = self._topup(self.contract, 120)
        topup.with_user(self.cashier)._reverse("wrong tenant")
        topup = topup.sudo()
        self.assertEqual(topup.state, "reversed")
        self.assertEqual(topup.reversal_entry_id.kind, "reversal")
        self.assertEqual(self.wallet._get_balance_decimal(), 0)
        self.assertEqual(self._get_advance_balance(self.contract), 0)
        self.assertEqual(self.wallet.entry_ids.mapped("kind"), ["reversal", "topup"])
        self.assertTrue(topup.payment_id.move_id.line_ids.filtered("reconciled"))
        self.assertEqual(self._run_check().state, "ok")

    def test_a_reversal_happens_once_and_only_today_and_with_a_reason(self):
        topup = self._topup(self.contract, 20)
        with self.assertRaises(ValidationError):
            topup._reverse("  ")
        topup._reverse("typo")
        with self.assertRaises(UserError):
            topup._reverse("typo again")
        old = self._topup(self.contract, 20)
        old.sudo().posted_at = fields.Datetime.now() - timedelta(days=1)
        with self.assertRaisesRegex(UserError, "today"):
            old._reverse("late")

    def test_a_cashier_reverses_own_topups_up_to_the_limit_only(self):
        colleague = self._make_user("cashier_2", "cashier")
        supervisor = self._make_user("supervisor_t", "supervisor")
        large, other = self._topup(self.contract, "500.01"), self._topup(self.contract, 20, user=colleague)
        for topup in (large, other):
            with self.assertRaises(AccessError):
                topup.with_user(self.cashier)._reverse("mistake")
            with self.assertRaises(AccessError):
                topup.with_user(self.operator)._reverse("mistake")
            topup.with_user(supervisor)._reverse("mistake")
        self.assertEqual(self.wallet._get_balance_decimal(), 0)

    def test_accounting_cannot_take_a_topup_out_of_the_books(self):
        payment = self._topup(self.contract, 20).sudo().payment_id.with_user(self.accountant)
        for action in (
            payment.action_draft,
            payment.action_cancel,
            payment.unlink,
            payment.move_id.button_draft,
        ):
            with self.subTest(action.__name__), self.assertRaisesRegex(UserError, "wallet"):
                action()

    # --- screen and slip --------------------------------------------------------------------------------------

    def test_the_counter_finds_a_tenancy_by_number_shop_name_and_phone(self):
        contracts = self.env["contract.contract"].with_user(self.cashier).with_context(counter_search=True)
        unit = self.contract.occupancy_ids.unit_id.code
        for text in (
            self.contract.account_number,
            unit,
            "noodle",
            self.contract.partner_id.phone[-6:],
            f"noodle {unit}",
        ):
            found = contracts.name_search(text)
            with self.subTest(text):
                self.assertIn(self.contract.id, [row[0] for row in found])
        label = dict(contracts.name_search("noodle"))[self.contract.id]
        for part in (self.contract.account_number, "Noodle House", unit):
            self.assertIn(part, label)

    def test_the_counter_screen_takes_money_and_shows_the_new_balance(self):
        with Form(self.env["prepaid.counter"].with_user(self.cashier)) as form:
            form.contract_id = self.contract
            self.assertEqual(form.balance, 0)
            form.amount = 66.6
            self.assertEqual(form.amount_capitals, "陆拾陆元陆角整")
            form.print_receipt = False
        counter = form.record
        counter.action_take()
        counter.action_take()
        self.assertEqual(counter.balance, 66.6)
        self.assertEqual(len(self.wallet.topup_ids), 1)

    def test_the_first_slip_is_the_original_and_later_ones_are_reprints(self):
        topup = self._topup(self.contract, "1680.32")
        report = self.env["ir.actions.report"].with_user(self.cashier).with_context(lang="en_US")
        html = [
            report._render_qweb_html("prepaid_billing.report_receipt", topup.ids)[0].decode()
            for _time in range(2)
        ]
        self.assertIn("壹仟陆佰捌拾元零叁角贰分", html[0])
        self.assertIn(topup.number, html[0])
        self.assertNotIn("Reprint", html[0])
        self.assertIn("Reprint", html[1])
        self.assertEqual(topup.receipt_count, 2)

    def test_the_shift_sums_what_one_cashier_took(self):
        colleague = self._make_user("cashier_2", "cashier")
        self._topup(self.contract, "100.10")
        self._topup(self.contract, 30)._reverse("typo")
        self._topup(self.contract, 7, method="transfer")
        self._topup(self.contract, 900, user=colleague)
        shift = (
            self.env["prepaid.shift"]
            .with_user(self.cashier)
            .create({"end_at": fields.Datetime.now() + timedelta(minutes=1)})
        )
        rows = {row["method"]: row for row in shift._get_rows()}
        self.assertEqual(
            (rows["cash"]["count"], rows["cash"]["reversed_count"], rows["cash"]["net"]),
            (2, 1, Decimal("100.10")),
        )
        self.assertEqual(rows["transfer"]["net"], Decimal("7.00"))
        shift.cashier_id = colleague
        with self.assertRaises(AccessError):
            shift.action_print()


@tagged("post_install", "-at_install")
class TestRefund(MoneyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.contract = cls._make_tenancy("Tea Shop")
        cls.supervisor = cls._make_user("supervisor_t", "supervisor")

    def _refund(self, amount, user=None, **values):
        refunds = self.env["prepaid.refund"].with_user(user or self.accountant)
        return refunds.create(
            {"wallet_id": self.contract.wallet_id.id, "amount": amount, "reason": "moves out", **values}
        )

    def test_a_small_refund_is_paid_at_once(self):
        self._topup(self.contract, 150)
        refund = self._refund(60)
        refund.action_request()
        self.assertEqual(refund.state, "paid")
        self.assertEqual(self.contract.wallet_id._get_balance_decimal(), Decimal("90.00"))
        self.assertEqual(self._get_advance_balance(self.contract), Decimal("90.00"))
        self.assertEqual(refund.payment_id.payment_type, "outbound")
        self.assertEqual(self._run_check().state, "ok")

    def test_above_the_limit_a_second_person_approves(self):
        self._topup(self.contract, 150)
        refund = self._refund("100.01")
        refund.action_request()
        self.assertEqual(refund.state, "to_approve")
        self.assertEqual(self.contract.wallet_id._get_balance_decimal(), Decimal("150.00"))
        with self.assertRaises(AccessError):
            refund.action_approve()
        with self.assertRaises(UserError):
            refund.write({"amount": 1})
        refund.with_user(self.supervisor).action_approve()
        self.assertEqual((refund.state, refund.approved_by_id), ("paid", self.supervisor))
        self.assertEqual(self.contract.wallet_id._get_balance_decimal(), Decimal("49.99"))

    def test_a_refused_refund_moves_nothing(self):
        self._topup(self.contract, 150)
        refund = self._refund(120)
        refund.action_request()
        refund.with_user(self.supervisor).action_refuse()
        self.assertEqual(
            (refund.state, self.contract.wallet_id._get_balance_decimal()), ("refused", Decimal("150.00"))
        )
        with self.assertRaises(UserError):
            refund.with_user(self.supervisor).action_approve()

    def test_nobody_gets_back_more_than_the_wallet_holds(self):
        self._topup(self.contract, 50)
        with self.assertRaisesRegex(UserError, "holds"):
            self._refund("50.01").action_request()

    def test_only_the_right_to_refund_refunds(self):
        self._topup(self.contract, 50)
        refund = self._refund(10)
        for user in (self.cashier, self.operator):
            with self.subTest(user.login), self.assertRaises(AccessError):
                refund.with_user(user).action_request()
            with self.assertRaises(AccessError):
                self._refund(10, user=user)
        self.assertEqual((refund.state, refund.requested_by_id), ("draft", self.accountant))
        forgeries = {
            "state": "to_approve",
            "requested_by_id": self.supervisor.id,
            "approved_by_id": self.supervisor.id,
            "paid_at": "2026-01-01",
            "entry_id": False,
            "payment_id": False,
            "number": "R1",
        }
        for name, value in forgeries.items():
            with self.subTest(field=name):
                with self.assertRaises(AccessError):
                    self._refund(10, **{name: value})
                with self.assertRaises(AccessError):
                    refund.write({name: value})
