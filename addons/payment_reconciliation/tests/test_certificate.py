"""A certificate that ends becomes a case for those who can replace it, once, and goes when it is replaced."""

from datetime import timedelta

from odoo import fields
from odoo.tests import TransactionCase, tagged

from ..const import CERTIFICATE_DAYS
from .common import GatewayMixin


@tagged("post_install", "-at_install")
class TestCertificate(GatewayMixin, TransactionCase):
    def setUp(self):
        super().setUp()
        self.end = None
        self.patch(
            self.registry["payment.provider"], "_get_gateway_certificate_end", lambda provider: self.end
        )

    def _watch(self, days):
        self.end = fields.Datetime.now() + timedelta(days=days) if days is not None else None
        with self.enter_registry_test_mode():
            self.env.ref("payment_reconciliation.payment_gateway_certificate_cron").method_direct_trigger()
        self.env.invalidate_all()
        return self.env["payment.gateway.case"].search([("provider_id", "=", self.provider.id)])

    def test_without_a_certificate_or_with_a_long_one_nothing_is_said(self):
        self.assertFalse(self._watch(None))
        self.assertFalse(self._watch(CERTIFICATE_DAYS + 1))

    def test_an_ending_one_is_told_once_to_who_can_replace_it(self):
        case = self._watch(CERTIFICATE_DAYS - 1)
        self.assertEqual((case.kind, case.state), ("certificate_ends", "open"))
        self.assertIn(self.end.date().isoformat(), case.detail)
        told = case.activity_ids.user_id
        self.assertTrue(told)
        self.assertTrue(all(user.has_group("base.group_system") for user in told))
        count = len(case.activity_ids)
        self.provider._watch_gateway_certificate()
        self.assertEqual(len(case.activity_ids), count)

    def test_it_closes_by_itself_and_a_new_end_is_a_new_case(self):
        first = self._watch(5)
        self.assertEqual(self._watch(400), first)
        self.assertEqual((first.state, first.is_closed_by_itself), ("done", True))
        second = self._watch(3) - first
        self.assertEqual(second.state, "open")
        third = self._watch(2) - first - second
        self.assertEqual((second.state, third.state), ("done", "open"))

    def test_disabled_providers_are_left_alone(self):
        self.provider.state = "disabled"
        self.assertFalse(self._watch(1))
