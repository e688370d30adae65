"""In a real browser of a phone's size."""

from decimal import Decimal
from unittest.mock import patch

from odoo.tests import tagged

from ..models.contract_portal import ContractContract
from .common import PortalCase


@tagged("post_install", "-at_install")
class TestBrowser(PortalCase):
    browser_size = "390x844"
    touch_enabled = True

    def test_topping_up_takes_three_taps(self):
        self.enable_demo_payment()
        self.start_tour("/my/utility", "tenant_portal_topup", login=self.alice.login)
        self.env.invalidate_all()
        self.assertEqual(self.get_balance(), Decimal("100.00"))
        self.assertEqual(self.get_balance(self.contract_b), 0)

    def test_the_overview_follows_the_balance_by_itself(self):
        """The money comes in after the page was rendered, and nobody reloads it."""
        asked, original = [], ContractContract._get_portal_live_values

        def get_values(contract):
            asked.append(contract.id)
            if len(asked) == 2:
                kind = contract.env["utility.kind"]
                contract.wallet_id._post_entry("topup", kind, Decimal("1234.50"), "test,live", "x")
            return original(contract)

        with patch.object(ContractContract, "_get_portal_live_values", get_values):
            self.start_tour("/my/utility", "tenant_portal_live", login=self.alice.login)
        self.assertGreaterEqual(len(asked), 2)
