"""Nobody sees anything of anybody else's, on any route."""

from odoo.addons.meter_gateway.tests.common import GROUP
from odoo.tests import new_test_user, tagged

from .common import PortalCase

#: Every page of a tenancy. The first test fails when a route is missing here.
PAGES = (
    "/my/utility/<int:contract_id>",
    "/my/utility/<int:contract_id>/use",
    "/my/utility/<int:contract_id>/use.csv",
    "/my/utility/<int:contract_id>/charges",
    "/my/utility/<int:contract_id>/charges/page/<page>",
    "/my/utility/<int:contract_id>/ledger",
    "/my/utility/<int:contract_id>/topups",
    "/my/utility/<int:contract_id>/topups/page/<page>",
    "/my/utility/<int:contract_id>/notices",
    "/my/utility/<int:contract_id>/notices/page/<page>",
    "/my/utility/<int:contract_id>/topup",
    "/my/utility/<int:contract_id>/topup/done",
    "/my/utility/<int:contract_id>/receipt/<int:topup_id>",
)
CALLS = (
    "/my/utility/<int:contract_id>/live",
    "/my/utility/<int:contract_id>/transaction",
    "/my/utility/<int:contract_id>/topup/state",
)
OTHERS = ("/my/utility", "/my/utility/lang")


@tagged("post_install", "-at_install")
class TestAccess(PortalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.enable_demo_payment()
        cls.make_readings()
        cls.topup_a = cls._make_topup(cls.contract)
        cls.topup_b = cls._make_topup(cls.contract_b)

    @classmethod
    def _make_topup(cls, contract):
        """A top-up of 50 paid by phone."""
        prepared = contract._prepare_topup_transaction_values(50)
        transaction = cls.env["payment.transaction"].create(
            {
                "provider_id": cls.provider.id,
                "payment_method_id": cls.method.id,
                "operation": "online_direct",
                "reference": f"test-{contract.id}",
                "amount": prepared["amount"],
                "currency_id": prepared["currency_id"],
                "partner_id": prepared["partner_id"],
                **prepared["custom_create_values"],
            }
        )
        transaction._process("demo", {"reference": transaction.reference, "simulated_state": "done"})
        transaction._post_process()
        return transaction.topup_id

    def fill(self, route, contract, topup=None):
        topup = topup or (self.topup_a if contract == self.contract else self.topup_b)
        path = route.replace("<int:contract_id>", str(contract.id)).replace("<page>", "1")
        path = path.replace("<int:topup_id>", str(topup.id))
        return path + (f"?tx={topup.transaction_id.id}" if path.endswith("/done") else "")

    def assert_not_found(self, path):
        response = self.get(path)
        self.assertEqual(response.status_code, 404, path)
        for secret in (self.contract_b.account_number, "Bob Noodles", "A-102", self.topup_b.number):
            self.assertFalse(secret in response.text, f"{path}: {secret}")

    def assert_all_refused(self, contract):
        for route in PAGES:
            with self.subTest(route):
                self.assert_not_found(self.fill(route, contract))
        for route in CALLS:
            with self.subTest(route):
                result, error = self.call(
                    self.fill(route, contract), amount=50, tx=self.topup_b.transaction_id.id
                )
                self.assertIsNone(result)
                self.assertEqual(error["code"], 404)
                self.assertNotIn("Bob", str(error))

    def test_every_route_of_the_addon_is_in_these_tables(self):
        rules = {rule.rule for rule in self.env["ir.http"].routing_map().iter_rules()}
        ours = {rule for rule in rules if rule.startswith("/my/utility")}
        self.assertEqual(ours, {*PAGES, *CALLS, *OTHERS})

    def test_the_own_tenancy_is_open(self):
        self.sign_in(self.alice)
        for route in PAGES:
            with self.subTest(route):
                response = self.get(self.fill(route, self.contract))
                self.assertEqual(response.status_code, 200)
                self.assertEqual(response.headers["Cache-Control"], "no-store")
        result, error = self.call(self.fill(CALLS[0], self.contract))
        self.assertFalse(error)
        self.assertEqual(set(result["parts"]), {"warnings", "balance", "supply"})

    def test_another_tenants_ids_are_not_found(self):
        self.sign_in(self.alice)
        self.assert_all_refused(self.contract_b)

    def test_ids_that_do_not_exist_are_not_found(self):
        self.sign_in(self.alice)
        for contract_id in (0, self.contract_b.id + 1000, 2**31 - 1, 2**31, 10**30):
            with self.subTest(contract_id):
                self.assert_not_found(f"/my/utility/{contract_id}")
                _result, error = self.call(f"/my/utility/{contract_id}/live")
                self.assertEqual(error["code"], 404)

    def test_a_contract_that_is_no_tenancy_is_not_found(self):
        other = self.env["contract.contract"].create(
            {"name": "Cleaning", "partner_id": self.alice.partner_id.id}
        )
        self.sign_in(self.alice)
        self.assert_not_found(f"/my/utility/{other.id}")

    def test_who_is_not_signed_in_is_sent_to_the_door(self):
        for route in PAGES:
            with self.subTest(route):
                response = self.get(self.fill(route, self.contract_b))
                self.assertIn("/web/login", response.url)
                self.assert_silent(response.text, "Bob")
        for route in CALLS:
            with self.subTest(route):
                result, error = self.call(self.fill(route, self.contract_b))
                self.assertIsNone(result)
                self.assertIn("SessionExpired", error["data"]["name"])

    def test_staff_is_no_tenant(self):
        manager = new_test_user(self.env, "manager_t", groups=f"{GROUP}property_manager")
        manager.scope_all_buildings = True
        for user in (self.clerk, manager):
            with self.subTest(user.login):
                self.sign_in(user)
                self.assert_all_refused(self.contract_b)
                self.assert_silent(self.get_page("/my/utility"), "Bob")

    def test_others_receipts_and_payments_do_not_open_under_the_own_tenancy(self):
        self.sign_in(self.alice)
        base = f"/my/utility/{self.contract.id}"
        self.assert_not_found(f"{base}/receipt/{self.topup_b.id}")
        self.assert_not_found(f"{base}/topup/done?tx={self.topup_b.transaction_id.id}")
        for tx in ("", "abc", "0", "-1", str(10**30), "1e3", "1 or 1=1"):
            with self.subTest(tx):
                self.assert_not_found(f"{base}/topup/done?tx={tx}")
        for tx in (self.topup_b.transaction_id.id, None, [], {}, "x", 10**30):
            with self.subTest(tx):
                _result, error = self.call(f"{base}/topup/state", tx=tx)
                self.assertEqual(error["code"], 404)

    def test_a_receipt_before_the_money_is_confirmed_is_not_found(self):
        draft = self.env["prepaid.topup"].create(
            {"wallet_id": self.contract.wallet_id.id, "amount": 9, "method": "transfer"}
        )
        self.sign_in(self.alice)
        self.assert_not_found(f"/my/utility/{self.contract.id}/receipt/{draft.id}")

    def test_the_receipt_of_an_own_topup_is_given_out(self):
        self.sign_in(self.alice)
        response = self.get(self.fill(PAGES[-1], self.contract))
        self.assertEqual(response.headers["Content-Type"], "application/pdf")
        # Odoo's test mode renders the slip, but does not print it
        self.assertTrue(self.topup_a.number in response.text)

    def test_who_moved_out_sees_the_own_past_and_nothing_of_the_successor(self):
        self.sign_in(self.carol)
        base = f"/my/utility/{self.contract_c.id}"
        self.assert_says(self.get_page(f"{base}/ledger?month=2025-07"), "85.00")
        self.assert_says(self.get_page(f"{base}/charges?day=2025-07-15"), "100.00")
        self.assert_says(self.get_page(f"{base}/charges?day=2025-08-02"), "Nothing was charged")
        home = self.get_page(base)
        self.assert_says(home, "You have moved out")
        self.assert_silent(home, "tp-point")
        self.assert_not_found(f"/my/utility/{self.contract.id}")

    def test_the_successor_sees_nothing_of_who_was_there_before(self):
        self.sign_in(self.alice)
        base = f"/my/utility/{self.contract.id}"
        self.assert_says(self.get_page(f"{base}/charges?day=2025-07-15"), "Nothing was charged")
        self.assert_says(self.get_page(f"{base}/ledger?month=2025-07"), "No entries")

    def test_a_colleague_of_the_same_company_sees_its_tenancies(self):
        partner = self.env["res.partner"].create(
            {"name": "Alice's clerk", "parent_id": self.contract.partner_id.id}
        )
        colleague = new_test_user(
            self.env, "colleague_t", groups="base.group_portal", partner_id=partner.id, lang="en_US"
        )
        self.sign_in(colleague)
        self.assert_says(self.get_page(f"/my/utility/{self.contract.id}"), self.contract.account_number)
        self.assert_all_refused(self.contract_b)

    def test_the_list_shows_own_tenancies_only_and_one_leads_straight_in(self):
        self.sign_in(self.alice)
        self.assertTrue(self.get("/my/utility").url.endswith(f"/my/utility/{self.contract.id}"))
        second = self.make_tenant("Second", self.make_shop("A-103", self.flat))
        second.partner_id = self.contract.partner_id
        page = self.get_page("/my/utility")
        self.assert_says(page, self.contract.account_number)
        self.assert_says(page, second.account_number)
        self.assert_silent(page, self.contract_b.account_number)

    def test_who_has_no_tenancy_is_told_what_to_do(self):
        new_test_user(self.env, "dave_t", groups="base.group_portal", lang="en_US")
        self.authenticate("dave_t", "dave_t")
        self.assert_says(self.get_page("/my/utility"), "tell the property office your account number")

    def test_the_portal_home_counts_own_tenancies(self):
        for user, count in ((self.alice, 1), (self.bob, 1), (self.clerk, 0)):
            with self.subTest(user.login):
                self.sign_in(user)
                result, error = self.call("/my/counters", counters=["utility_count"])
                self.assertFalse(error)
                self.assertEqual(result["utility_count"], count)

    def test_of_the_models_behind_the_pages_a_tenant_reads_none_or_the_own_rows(self):
        models = (
            "prepaid.wallet prepaid.entry prepaid.charge prepaid.topup prepaid.notice prepaid.case prepaid.use.daily"
            " meter.meter meter.switch meter.order meter.live meter.reading utility.service.point property.unit"
        )
        for model in models.split():
            records = self.env[model].with_user(self.alice)
            with self.subTest(model):
                if records.has_access("read"):
                    self.assertLessEqual(records.search([]).sudo().contract_id, self.contract)
                self.assertFalse(records.has_access("write"))
