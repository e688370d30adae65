from datetime import date, datetime
from decimal import Decimal

from freezegun import freeze_time
from odoo.addons.queue_job.tests.common import trap_jobs
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger
from psycopg2 import IntegrityError

from .money_common import MoneyCase

OCTOBER = date(2026, 10, 1)
FLAT = '[{"line": "flat", "quantity": "%s", "price": "0.85", "amount": "1"}]'


class InvoiceCase(MoneyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.contract = cls._make_tenancy("Bakery")
        cls.wallet = cls.contract.wallet_id
        cls.point, cls.installation = cls._make_point(cls.contract)

    def _charge_october(self, rows, contract=None, point=None, installation=None):
        """rows: [(day, use, yuan)], one charge a day, readings going on from 1000."""
        total = Decimal(1000)
        for day, use, amount in rows:
            before, total = total, total + Decimal(use)
            self._charge(
                contract or self.contract,
                point or self.point,
                installation or self.installation,
                f"2026-10-{day:02} 00:00:00",
                f"2026-10-{day:02} 12:00:00",
                (str(before), str(total)),
                amount,
                FLAT % use,
            )

    def _invoice(self, month=OCTOBER, contract=None):
        return (contract or self.contract)._create_month_invoice_sudo(month)


@tagged("post_install", "-at_install")
@freeze_time("2026-11-05 04:00:00")
class TestInvoicing(InvoiceCase):
    def test_the_invoice_of_a_month_is_its_charges_to_the_fen(self):
        rows = [
            (day, f"{day}.3337", f"{Decimal(day) * Decimal('0.85') + Decimal('0.01'):.2f}")
            for day in range(1, 32)
        ]
        self._charge_october(rows)
        total = sum(Decimal(row[2]) for row in rows)
        invoice = self._invoice()
        self.assertEqual((invoice.state, invoice.move_type), ("posted", "out_invoice"))
        self.assertEqual(Decimal(str(invoice.amount_total)), total)
        self.assertEqual(self.wallet._get_balance_decimal(), -total)
        self.assertEqual(self._get_advance_balance(self.contract), -total)
        self.assertEqual((invoice.invoice_date, invoice.prepaid_month), (date(2026, 10, 31), OCTOBER))
        self.assertEqual(invoice.contract_id, self.contract)
        self.assertEqual(self._run_check().state, "ok")

    def test_the_line_tells_the_readings_the_use_and_the_price(self):
        self._charge_october([(1, "10.5", "8.93"), (2, "20", "17.00")])
        text = self._invoice().invoice_line_ids.name
        for part in (
            self.point.code,
            self.installation.meter_id.serial,
            "1000",
            "1030.5",
            "30.5",
            "0.85",
            "2026-10-01 08:00",
            "2026-10-02 20:00",
        ):
            self.assertIn(part, text)

    def test_it_is_paid_out_of_the_advance_by_itself(self):
        self._topup(self.contract, 100)
        self._charge_october([(1, "50", "42.50")])
        invoice = self._invoice()
        self.assertIn(invoice.payment_state, ("paid", "in_payment"))
        self.assertEqual(invoice.amount_residual, 0)
        self.assertEqual(self._get_advance_balance(self.contract), Decimal("57.50"))
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("57.50"))

    def test_a_later_topup_pays_what_was_open(self):
        self._charge_october([(1, "50", "42.50")])
        invoice = self._invoice()
        self.assertEqual(invoice.payment_state, "not_paid")
        self._topup(self.contract, 40)
        self.assertEqual(invoice.payment_state, "partial")
        self._topup(self.contract, "2.50")
        self.assertIn(invoice.payment_state, ("paid", "in_payment"))

    def test_two_tenancies_of_one_tenant_keep_their_money_apart(self):
        other = self._make_tenancy("Bakery Two")
        other.partner_id = self.contract.partner_id
        self._topup(other, 100)
        self._charge_october([(1, "50", "42.50")])
        self.assertEqual(self._invoice().payment_state, "not_paid")

    def test_twice_is_once(self):
        self._charge_october([(1, "50", "42.50")])
        first = self._invoice()
        self.assertTrue(first)
        self.assertFalse(self._invoice())
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            first.copy({"contract_id": self.contract.id, "prepaid_month": OCTOBER})
            self.env.flush_all()

    def test_a_late_charge_comes_with_the_next_invoice(self):
        self._charge_october([(1, "50", "42.50")])
        self._invoice()
        self._charge_october([(30, "10", "8.50")])
        self.assertFalse(self._invoice())
        with freeze_time("2026-12-03 04:00:00"):
            november = self._invoice(date(2026, 11, 1))
        self.assertEqual(november.amount_total, 8.5)
        self.assertEqual(self._run_check().state, "ok")

    def test_a_charge_after_the_months_end_at_the_site_is_next_months(self):
        args = (self.contract, self.point, self.installation)
        self._charge(*args, "2026-10-31 15:00:00", "2026-10-31 16:00:00", ("1", "2"), "1.00")
        self._charge(*args, "2026-10-31 16:00:00", "2026-10-31 17:00:00", ("2", "3"), "2.00")
        self.assertEqual(self._invoice().amount_total, 1.0, "16:00 UTC is midnight in Shanghai")

    def test_a_tenancy_without_charges_gets_no_invoice(self):
        self.assertFalse(self._invoice())
        self._charge_october([(1, "0.001", "0.00")])
        self.assertFalse(self._invoice())

    def test_a_replaced_meter_shows_both_meters_on_the_points_line(self):
        self.installation.write({"end_at": "2026-10-15 00:00:00", "end_total": 1100})
        new = self._make_installation(self.point)
        args = (self.contract, self.point)
        self._charge(
            *args, self.installation, "2026-10-01 00:00:00", "2026-10-15 00:00:00", ("1000", "1100"), "85.00"
        )
        self._charge(*args, new, "2026-10-15 00:00:00", "2026-10-20 00:00:00", ("0", "10"), "8.50")
        line = self._invoice().invoice_line_ids
        self.assertEqual((len(line), line.price_total), (1, 93.5))
        self.assertIn(self.installation.meter_id.serial, line.name)
        self.assertIn(new.meter_id.serial, line.name)

    def test_taxes_are_inside_the_price(self):
        tax = self.env["account.tax"].create(
            {
                "name": "13% inside",
                "amount": 13,
                "type_tax_use": "sale",
                "price_include_override": "tax_included",
            }
        )
        product = self.kind_power._get_product_sudo(self.company)
        product.taxes_id = tax
        rows = [(day, "1", f"0.{day:02}") for day in range(1, 32)]
        self._charge_october(rows)
        invoice = self._invoice()
        self.assertEqual(Decimal(str(invoice.amount_total)), sum(Decimal(row[2]) for row in rows))
        self.assertGreater(invoice.amount_tax, 0)
        self.assertEqual(self._run_check().state, "ok")

    def test_a_tax_on_top_of_the_price_is_refused_with_the_reason(self):
        tax = self.env["account.tax"].create(
            {
                "name": "13% on top",
                "amount": 13,
                "type_tax_use": "sale",
                "price_include_override": "tax_excluded",
            }
        )
        self.kind_power._get_product_sudo(self.company).taxes_id = tax
        self._charge_october([(1, "50", "42.50")])
        with self.assertRaisesRegex(UserError, "13% on top"):
            self._invoice()

    def test_a_cancelled_or_credited_invoice_sets_its_charges_free(self):
        self._charge_october([(1, "50", "42.50")])
        first = self._invoice()
        first.button_draft()
        self.assertEqual(self._run_check().state, "ok")
        first.button_cancel()
        second = self._invoice()
        self.assertEqual(second.amount_total, 42.5)
        second._reverse_moves(cancel=True)
        self.assertEqual(self._run_check().state, "ok")
        third = self._invoice()
        self.assertEqual(third.amount_total, 42.5)
        check = self._run_check()
        self.assertEqual((check.state, check.difference), ("ok", 0))

    # --- fees -------------------------------------------------------------------------------------------------

    def _add_fee(self, price=300, **values):
        return self.env["contract.line"].create(
            {
                "contract_id": self.contract.id,
                "name": "Property fee",
                "quantity": 1,
                "price_unit": price,
                "is_withheld": True,
                "recurring_rule_type": "monthly",
                "recurring_interval": 1,
                "recurring_invoicing_type": "pre-paid",
                "date_start": "2026-10-01",
                **values,
            }
        )

    def test_a_fee_is_withheld_once_on_its_due_date_and_invoiced_with_the_month(self):
        self._topup(self.contract, 1000)
        line = self._add_fee()
        for _time in range(2):
            self.contract._withhold_fees_sudo(date(2026, 10, 20))
        fee = line.fee_ids
        self.assertEqual(
            (fee.state, fee.entry_id.source), ("withheld", f"contract.line,{line.id},2026-10-01")
        )
        self.assertEqual(fee.entry_id.subaccount_id, self.kind_fee)
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("700.00"))
        self.assertEqual(self._run_check().state, "ok")
        self._charge_october([(1, "50", "42.50")])
        invoice = self._invoice()
        self.assertEqual(invoice.amount_total, 342.5)
        self.assertEqual(invoice.invoice_line_ids.contract_line_id, line)
        self.assertIn(invoice.payment_state, ("paid", "in_payment"))
        self.assertEqual(self._run_check().state, "ok")

    def test_missed_months_are_caught_up(self):
        line = self._add_fee()
        self.contract._withhold_fees_sudo(date(2026, 12, 1))
        self.assertEqual(
            sorted(map(str, line.fee_ids.mapped("period_start"))), ["2026-10-01", "2026-11-01", "2026-12-01"]
        )

    def test_a_broken_last_month_is_charged_by_the_day(self):
        line = self._add_fee(310, date_end="2026-11-10")
        self.contract._withhold_fees_sudo(date(2026, 12, 31))
        self.assertEqual(sorted(line.fee_ids.mapped("amount")), [103.33, 310.0])

    def test_the_same_period_of_a_line_cannot_be_charged_twice(self):
        line = self._add_fee()
        self.contract._withhold_fees_sudo(date(2026, 10, 20))
        line.last_date_invoiced = False
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            self.contract._withhold_fees_sudo(date(2026, 10, 20))

    def test_a_fee_waits_when_supply_would_be_short_and_comes_with_the_next_topup(self):
        self.company.write({"prepaid_fee_rule": "keep_minimum", "prepaid_fee_min_left": 50})
        self._topup(self.contract, "349.99")
        line = self._add_fee()
        self.contract._withhold_fees_sudo(date(2026, 10, 20))
        self.assertEqual(line.fee_ids.state, "waiting")
        self.assertEqual(self.contract._get_fees_waiting(), Decimal("300.00"))
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("349.99"))
        self._topup(self.contract, "0.01")
        self.assertEqual(line.fee_ids.state, "withheld")
        self.assertEqual(self.wallet._get_balance_decimal(), Decimal("50.00"))

    def test_fees_not_withheld_stay_with_the_contracts_own_invoicing(self):
        withheld, plain = self._add_fee(), self._add_fee(100, is_withheld=False)
        lines = self.contract._get_lines_to_invoice(date(2026, 11, 1))
        self.assertIn(plain, lines)
        self.assertNotIn(withheld, lines)

    # --- runs -------------------------------------------------------------------------------------------------

    def test_a_run_invoices_every_tenancy_and_again_adds_nothing(self):
        others = [self._make_tenancy(f"Shop {number}") for number in range(3)]
        self._charge_october([(1, "50", "42.50")])
        for other in others[:2]:
            point, installation = self._make_point(other)
            self._charge_october([(1, "10", "8.50")], other, point, installation)
        batches = self.env["prepaid.invoice.batch"].with_user(self.accountant)
        for count in (3, 0):
            with trap_jobs() as trap:
                batch = batches._start(self.company, date(2026, 10, 17))
                trap.assert_jobs_count(1 if count else 0)
                trap.perform_enqueued_jobs()
            self.assertEqual((batch.invoice_count, batch.state, batch.progress), (count, "done", 100.0))

    def test_one_tenancy_that_fails_does_not_hold_up_the_others(self):
        other = self._make_tenancy("Water Shop")
        water = self.env.ref("property_utility.utility_kind_water")
        point, installation = self._make_point(other, water)
        tax = self.env["account.tax"].create(
            {"name": "on top", "amount": 9, "type_tax_use": "sale", "price_include_override": "tax_excluded"}
        )
        water._get_product_sudo(self.company).taxes_id = tax
        self._charge_october([(1, "50", "42.50")])
        self._charge_october([(1, "10", "8.50")], other, point, installation)
        with trap_jobs() as trap, mute_logger("odoo.addons.contract.models.contract"):
            batch = self.env["prepaid.invoice.batch"].with_user(self.accountant)._start(self.company, OCTOBER)
            trap.perform_enqueued_jobs()
        self.assertEqual((batch.state, batch.failed_contract_ids, batch.invoice_count), ("failed", other, 1))
        self.assertIn("on top", other.invoice_generation_error)
        tax.price_include_override = "tax_included"
        with trap_jobs() as trap:
            batch.action_retry()
            trap.perform_enqueued_jobs()
        self.assertEqual((batch.state, batch.invoice_count), ("done", 2))
        self.assertFalse(other.invoice_generation_error)

    def _set_completeness(self, percent):
        """October of the meter, and the month before, which counts for nothing."""
        rows = [
            {
                "meter_id": self.installation.meter_id.id,
                "day": f"2026-{month}-05",
                "expected": 200,
                "received": got,
            }
            for month, got in (("10", 2 * percent), ("09", 0))
        ]
        self.env["meter.completeness"].search([]).unlink()
        self.env["meter.completeness"].create(rows)

    def _run(self, accepted=False):
        with trap_jobs() as trap, mute_logger("odoo.addons.contract.models.contract"):
            batches = self.env["prepaid.invoice.batch"].with_user(self.accountant)
            batch = batches._start(self.company, OCTOBER, is_incomplete_accepted=accepted)
            trap.perform_enqueued_jobs()
        return batch

    def test_an_invoice_waits_for_the_readings_of_its_month(self):
        self._charge_october([(1, "50", "42.50")])
        self.company.prepaid_invoice_completeness = 90
        self._set_completeness(75)
        batch = self._run()
        self.assertEqual(
            (batch.state, batch.failed_contract_ids, batch.invoice_count), ("failed", self.contract, 0)
        )
        self.assertRegex(self.contract.invoice_generation_error, r"2026-10.*90 %.*75\.0 %")
        self._set_completeness(95)
        with trap_jobs() as trap:
            batch.action_retry()
            trap.perform_enqueued_jobs()
        self.assertEqual((batch.state, batch.invoice_count), ("done", 1))

    def test_nothing_is_asked_for_unless_it_is_set_and_a_person_may_decide(self):
        self._charge_october([(1, "50", "42.50")])
        self._set_completeness(10)
        self.company.prepaid_invoice_completeness = 90
        wizard = self.env["prepaid.invoice.month"].with_user(self.accountant).create({"month": OCTOBER})
        wizard.action_preview()
        self.assertEqual((wizard.line_ids.percent, wizard.incomplete_count), (10.0, 1))
        self.assertEqual(self._run().invoice_count, 0)
        self.company.prepaid_invoice_completeness = 0
        self.assertEqual(wizard.incomplete_count, 0)
        self.company.prepaid_invoice_completeness = 90
        self.assertEqual(self._run(accepted=True).invoice_count, 1)

    def test_the_cron_invoices_the_month_before_once_from_the_invoice_day_on(self):
        self.company.prepaid_invoice_day = 3
        self._charge_october([(1, "50", "42.50")])
        batches = self.env["prepaid.invoice.batch"]
        for now, count in (
            ("2026-11-02 15:59:00", 0),
            ("2026-11-02 16:00:00", 1),
            ("2026-11-04 01:00:00", 1),
        ):
            with self.subTest(now), freeze_time(now), trap_jobs():
                batches._cron_invoice_last_month()
                found = batches.search([("company_id", "=", self.company.id), ("month", "=", OCTOBER)])
                self.assertEqual(len(found), count, "16:00 UTC is the third in Shanghai")

    def test_the_wizard_previews_and_refuses_an_open_month(self):
        self._charge_october([(1, "50", "42.50")])
        with Form(self.env["prepaid.invoice.month"].with_user(self.accountant)) as form:
            self.assertEqual(form.month, OCTOBER)
        wizard = form.record
        wizard.action_preview()
        self.assertEqual((wizard.line_ids.contract_id, wizard.amount_total), (self.contract, 42.5))
        self.assertFalse(self.contract._get_month_invoice(OCTOBER))
        wizard.month = date(2026, 11, 1)
        with self.assertRaisesRegex(UserError, "not over"):
            wizard.action_invoice()

    def test_only_accountants_invoice(self):
        for user in (self.cashier, self.operator):
            with self.subTest(user.login), self.assertRaises(AccessError):
                self.env["prepaid.invoice.month"].with_user(user).create({})


@tagged("post_install", "-at_install")
@freeze_time("2026-11-05 04:00:00")
class TestBooksCheck(InvoiceCase):
    def test_components_add_up_at_every_moment(self):
        self._topup(self.contract, "500.55")
        self._charge_october([(1, "50", "42.50"), (2, "10", "8.51")])
        self.wallet._post_entry(
            "subsidy", self.kind_power, Decimal("20.00"), "test,subsidy,1", "winter subsidy"
        )
        check = self._run_check()
        parts = (
            check.balance,
            check.advance_amount,
            check.charge_amount,
            check.subsidy_amount,
            check.difference,
        )
        self.assertEqual(parts, (469.54, 500.55, -51.01, 20.0, 0.0))
        self._invoice()
        check = self._run_check()
        self.assertEqual((check.advance_amount, check.charge_amount, check.difference), (449.54, 0.0, 0.0))
        self.env["prepaid.entry"]._get_unbooked(self.company)._book_moves_sudo()
        check = self._run_check()
        self.assertEqual((check.advance_amount, check.subsidy_amount, check.state), (469.54, 0.0, "ok"))

    def test_a_planted_difference_is_found_named_and_reported(self):
        self._topup(self.contract, 100)
        self.company.prepaid_books_user_id = self.accountant
        self.env["account.move"].create(
            {
                "move_type": "entry",
                "wallet_id": self.wallet.id,
                "journal_id": self.company.prepaid_misc_journal_id.id,
                "line_ids": [
                    (0, 0, {"account_id": self.company.prepaid_advance_account_id.id, "balance": 0.01}),
                    (0, 0, {"account_id": self.company.prepaid_adjustment_account_id.id, "balance": -0.01}),
                ],
            }
        ).action_post()
        self.env["prepaid.books.check"]._cron_check()
        check = self.env["prepaid.books.check"].search([("company_id", "=", self.company.id)], limit=1)
        self.assertEqual((check.state, check.difference), ("different", 0.01))
        self.assertEqual(check.line_ids.contract_id, self.contract)
        self.assertEqual(check.activity_ids.user_id, self.accountant)
        notice = self.env["mail.message"].search(
            [
                ("model", "=", check._name),
                ("res_id", "=", check.id),
                ("message_type", "=", "user_notification"),
            ]
        )
        self.assertIn(self.accountant.partner_id, notice.notified_partner_ids)
        self.assertIn("Bakery", notice[0].body)

    def test_money_on_the_advance_account_of_no_wallet_is_shown(self):
        account, other = self.company.prepaid_advance_account_id, self.company.prepaid_adjustment_account_id
        self.env["account.move"].create(
            {
                "move_type": "entry",
                "journal_id": self.company.prepaid_misc_journal_id.id,
                "line_ids": [
                    (0, 0, {"account_id": account.id, "balance": -5}),
                    (0, 0, {"account_id": other.id, "balance": 5}),
                ],
            }
        ).action_post()
        check = self._run_check()
        self.assertEqual((check.state, check.unassigned_amount, check.difference), ("different", 5.0, -5.0))

    def test_two_differences_that_cancel_out_are_both_found(self):
        other = self._make_tenancy("Kiosk")
        for contract, amount in ((self.contract, 3), (other, -3)):
            self.env["account.move"].create(
                {
                    "move_type": "entry",
                    "wallet_id": contract.wallet_id.id,
                    "journal_id": self.company.prepaid_misc_journal_id.id,
                    "line_ids": [
                        (0, 0, {"account_id": self.company.prepaid_advance_account_id.id, "balance": amount}),
                        (
                            0,
                            0,
                            {"account_id": self.company.prepaid_adjustment_account_id.id, "balance": -amount},
                        ),
                    ],
                }
            ).action_post()
        check = self._run_check()
        self.assertEqual((check.difference, check.state, len(check.line_ids)), (0.0, "different", 2))

    def test_accountants_and_auditors_see_it_cashiers_do_not(self):
        auditor = self._make_user("auditor_t", "auditor")
        for user in (self.accountant, auditor):
            action = self.env["prepaid.books.check"].with_user(user).action_run()
            self.assertEqual(
                self.env["prepaid.books.check"].with_user(user).browse(action["res_id"]).state, "ok"
            )
        for user in (self.cashier, self.operator):
            with self.assertRaises(AccessError):
                self.env["prepaid.books.check"].with_user(user).action_run()

    def test_opening_movements_and_closing_of_a_month_add_up(self):
        september = datetime(2026, 9, 30, 15, 59, 59)
        self.wallet._post_entry(
            "adjustment", self.kind_power, Decimal("7.01"), "test,opening", "carried over", at=september
        )
        self._charge_october([(1, "50", "42.50"), (31, "10", "8.50")])
        self._topup(self.contract, 100)
        values = {"date_from": "2026-10-01", "date_to": "2026-10-31"}
        report = self.env["prepaid.finance"].with_user(self.accountant).create(values)
        row = next(row for row in report._get_rows() if row["wallet_id"] == self.wallet.id)
        amounts = [str(row[key]) for key in ("opening", "charge", "topup", "closing")]
        self.assertEqual(amounts, ["7.01", "-51.00", "0", "-43.99"], "the top-up is of November")
        report_name = "prepaid_billing.report_finance_xlsx"
        content = (
            self.env["ir.actions.report"]
            .with_user(self.accountant)
            ._render_xlsx(report_name, report.ids, {})[0]
        )
        self.assertEqual(content[:2], b"PK")
        with self.assertRaises(AccessError):
            self.env["prepaid.finance"].with_user(self.cashier).create(values)

    def test_the_balances_workbook_has_a_row_per_wallet(self):
        self._topup(self.contract, 100)
        report = self.env["report.prepaid_billing.report_balances_xlsx"].with_user(self.accountant)
        rows = report._get_rows(self.wallet.with_user(self.accountant))
        self.assertEqual([row[0] for row in rows], [self.contract.account_number])
        self.assertEqual(rows[0][3:5], (100.0, 100.0))
        content, kind = (
            self.env["ir.actions.report"]
            .with_user(self.accountant)
            ._render_xlsx("prepaid_billing.report_balances_xlsx", self.wallet.ids, {})
        )
        self.assertEqual((kind, content[:2]), ("xlsx", b"PK"))
