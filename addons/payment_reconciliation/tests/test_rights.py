"""Each button and each table as the wrong user."""

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .test_reconciliation import BillCase


@tagged("post_install", "-at_install")
class TestRights(BillCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accountant = new_test_user(cls.env, "accountant", groups="account.group_account_invoice")
        cls.auditor = new_test_user(cls.env, "auditor", groups="account.group_account_readonly")
        cls.employee = new_test_user(cls.env, "employee", groups="base.group_user")
        cls.portal = new_test_user(cls.env, "portal_payer", groups="base.group_portal")
        company = cls.env["res.company"].create({"name": "Other"})
        cls.foreigner = new_test_user(
            cls.env,
            "foreigner",
            groups="account.group_account_invoice",
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )

    def setUp(self):
        super().setUp()
        self.transaction = self._make_transaction()
        self._bill(self.transaction, gateway_reference="42-x")
        self.reconciliation = self._reconcile()
        self.case = self.reconciliation.case_ids
        self.records = (self.reconciliation, self.reconciliation.line_ids, self.case)
        self.env.flush_all()
        self.env.invalidate_all()

    def test_accountants_and_auditors_read(self):
        for user in (self.accountant, self.auditor):
            for record in self.records:
                mine = record.with_user(user)
                self.assertTrue(mine.read())
                self.assertIn(mine, mine.search([]))
                mine.web_read(
                    {name: {} for name in record._fields if name in ("provider_id", "display_name")}
                )

    def test_others_read_nothing(self):
        for user in (self.employee, self.portal, self.foreigner):
            for record in self.records:
                with self.subTest(user=user.login, record=record), self.assertRaises(AccessError):
                    record.with_user(user).read(["company_id"])

    def test_nobody_writes_facts(self):
        rows = [
            (self.reconciliation, {"state": "done"}),
            (self.reconciliation.line_ids, {"result": "matched"}),
            (self.case, {"state": "done"}),
            (self.case, {"kind": "duplicate"}),
            (self.case, {"transaction_id": False}),
            (self.case, {"dedup_key": "x"}),
        ]
        for user in (self.accountant, self.auditor, self.employee):
            for record, values in rows:
                with self.subTest(user=user.login, values=values), self.assertRaises(AccessError):
                    record.with_user(user).write(values)
            for record in self.records:
                with self.subTest(user=user.login, record=record), self.assertRaises(AccessError):
                    record.with_user(user).unlink()
                with self.subTest(user=user.login, record=record), self.assertRaises(AccessError):
                    record.with_user(user).create({})

    def test_buttons_refuse_the_wrong_user(self):
        buttons = [
            (self.case, "action_close"),
            (self.case, "action_reopen"),
            (self.case, "action_query"),
            (self.case, "action_post_process"),
            (self.reconciliation, "action_run"),
        ]
        self.case.resolution = "note"
        for user in (self.auditor, self.employee, self.portal, self.foreigner):
            for record, name in buttons:
                with self.subTest(user=user.login, name=name), self.assertRaises(AccessError):
                    getattr(record.with_user(user), name)()
        self.assertFalse(self.gateway.asked)
        self.assertEqual(self.case.state, "open")

    def test_an_accountant_works_on_cases_without_reading_the_gateways_keys(self):
        with self.assertRaises(AccessError):
            self.provider.with_user(self.accountant).read(["code"])
        case = self.case.with_user(self.accountant)
        case.action_query()
        self.assertEqual(self.gateway.asked, [self.transaction.reference])
        case.resolution = "looked at"
        case.message_post(body="a word")
        case.action_close()
        self.assertEqual((case.state, case.closed_by_id), ("done", self.accountant))
        case.action_reopen()
        self.reconciliation.with_user(self.accountant).action_run()

    def test_the_wizard_knows_only_providers_of_the_users_companies(self):
        runs = self.env["payment.reconciliation.run"]
        run = runs.with_user(self.accountant).create({"provider_key": str(self.provider.id)})
        self.assertEqual(run.action_run()["res_id"], self.reconciliation.id)
        runs = runs.with_user(self.foreigner)
        self.assertNotIn(str(self.provider.id), dict(runs._get_provider_keys()))
        with self.assertRaises(AccessError):
            runs.create({"provider_key": str(self.provider.id)}).action_run()
        with self.assertRaises(AccessError):
            runs.with_user(self.auditor).create({"provider_key": str(self.provider.id)})

    def test_only_administrators_test_a_connection(self):
        with self.assertRaises(AccessError):
            self.provider.with_user(self.accountant).action_gateway_test()
        with self.assertRaises(UserError):
            self.provider.action_gateway_test()

    def test_alarms_reach_accounting_managers_of_the_company(self):
        manager = new_test_user(self.env, "manager", groups="account.group_account_manager")
        self._process(self.transaction, fen=1)
        case = self._get_cases(self.transaction).filtered(lambda case: case.kind == "amount_differs")
        self.assertIn(manager, case.activity_ids.user_id)
        self.assertNotIn(self.foreigner, case.activity_ids.user_id)
        self.assertNotIn(self.accountant, case.activity_ids.user_id)
