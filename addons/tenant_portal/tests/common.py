"""Two tenants with meters and charges, one who moved out, and people who have no business here."""

import json
from unittest import SkipTest

from odoo.addons.prepaid_billing.tests.core_common import SettlementCase
from odoo.tests import HttpCase, new_test_user


class PortalData(SettlementCase):
    """Alice has A-101 (since carol moved out of it in July), Bob has A-102. Readings are of August 2025."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        cls.company._prepaid_setup_accounting_sudo()
        cls.company.write({"prepaid_topup_min": 1, "prepaid_topup_max": 5000})
        cls.carol = cls.make_login("carol", cls._move_out())
        cls.alice = cls.make_login("alice", cls.contract)
        cls.point_b = cls.make_shop("A-102", cls.flat)
        cls.contract_b = cls.make_tenant("Bob Noodles", cls.point_b)
        cls.bob = cls.make_login("bob", cls.contract_b)
        cls.clerk = new_test_user(cls.env, "clerk_t", groups="base.group_user")

    @classmethod
    def _move_out(cls):
        """Carol's tenancy of A-101 until the end of July; Alice's begins then."""
        cls.contract.occupancy_ids.start_at = "2025-07-31 16:00:00"
        cls.contract_c = cls.make_tenant(
            "Carol Tea", cls.point, since="2025-07-01 00:00", until="2025-08-01 00:00"
        )
        return cls.contract_c

    @classmethod
    def make_login(cls, login, contract):
        return new_test_user(
            cls.env, f"{login}_t", groups="base.group_portal", partner_id=contract.partner_id.id, lang="en_US"
        )

    @classmethod
    def make_readings(cls):
        """Carol: 100 kWh in July. Alice: 40 kWh on 2 August, 20 on the 3rd. Bob: 7 on the 2nd."""
        case = cls("run")
        case.env = cls.env
        rows = (
            ("2025-07-31 10:00", "1100"),
            ("2025-08-02 00:00", "1100"),
            ("2025-08-02 12:00", "1130"),
            ("2025-08-03 00:00", "1140"),
            ("2025-08-03 20:00", "1160"),
        )
        for row in rows:  # one settlement each, as it is in life
            case.read(row)
        case.read(("2025-08-02 00:00", "1000"), ("2025-08-02 20:00", "1007"), point=cls.point_b)

    @classmethod
    def enable_demo_payment(cls):
        """The pretended payment provider; comes with payment_demo, which bin/test installs."""
        cls.provider = cls.env["payment.provider"].search(
            [("code", "=", "demo"), ("company_id", "=", cls.company.id)], limit=1
        )
        if not cls.provider:
            raise SkipTest("payment_demo is not installed: nothing to pay with")
        cls.provider.write({"state": "test", "is_published": True})
        cls.method = cls.env["payment.method"].with_context(active_test=False).search([("code", "=", "demo")])
        cls.method.active = True

    @classmethod
    def get_topup_count(cls):
        wallets = (cls.contract | cls.contract_b | cls.contract_c).wallet_id
        return cls.env["payment.transaction"].search_count([("wallet_id", "in", wallets.ids)])

    @classmethod
    def set_switch(cls, point, desired, reported, source="policy"):
        """The switch of a point as it would be after orders were carried out or not."""
        switch = cls.env["meter.switch"].search([("service_point_id", "=", point.id)])
        if desired:
            switch._set_desired(desired, "test", source)
        switch._note_reported(reported, cls.env.cr.now())
        return switch


class PortalCase(PortalData, HttpCase):
    def sign_in(self, user):
        self.authenticate(user.login, user.login)

    def get(self, path, **kwargs):
        return self.url_open(path, **kwargs)

    def get_page(self, path):
        response = self.get(path)
        self.assertEqual(response.status_code, 200, path)
        return response.text

    def assert_says(self, text, *words):
        """Each of `words` is in `text`; a failure names the words, not the whole page."""
        for word in words:
            self.assertTrue(word in text, f"not on the page: {word!r}")

    def assert_silent(self, text, *words):
        for word in words:
            self.assertFalse(word in text, f"on the page: {word!r}")

    def call(self, path, **params):
        """(result, error name or None) of a jsonrpc route."""
        body = json.dumps(
            {"jsonrpc": "2.0", "method": "call", "params": params}
        )  # infinities too, as an attacker would
        answer = self.url_open(path, data=body, headers={"Content-Type": "application/json"}).json()
        return answer.get("result"), answer.get("error")
