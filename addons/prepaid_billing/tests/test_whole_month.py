"""The whole way, nothing in between replaced: readings -> settlement -> wallet -> invoice -> books."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from freezegun import freeze_time
from odoo.tests import tagged

from .money_common import MoneyCase

START = datetime(2026, 9, 30, 16)  # 1 October in Shanghai
END = datetime(2026, 10, 31, 16)
FEN = Decimal("0.01")


@tagged("post_install", "-at_install")
@freeze_time("2026-11-05 04:00:00")
class TestWholeMonth(MoneyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.contract = cls._make_tenancy("Bakery")
        cls.point, cls.installation = cls._make_point(cls.contract)
        cls.installation.write({"start_at": START, "start_total": 1000})
        tariff = cls.env["utility.tariff"].create({"name": "Shops", "kind_id": cls.kind_power.id})
        version = cls.env["utility.tariff.version"].create(
            {
                "tariff_id": tariff.id,
                "valid_from": datetime(2026, 1, 1),
                "structure": "tiered",
                "period": "month",
                "tier_ids": [(0, 0, {"upto": 230, "price": 0.5}), (0, 0, {"price": 0.8137})],
            }
        )
        version.action_confirm()
        cls.env["utility.tariff.assignment"].create(
            {"service_point_id": cls.point.id, "tariff_id": tariff.id, "valid_from": datetime(2026, 1, 1)}
        )

    def _read(self, until, seed):
        """A reading every hour with four decimals; settled whenever the site feels like it."""
        random, at, total = Random(seed), START, Decimal(1000)
        circuit = self.installation.circuit_id
        while at < until:
            at += timedelta(hours=1)
            total += Decimal(random.randrange(0, 20000)) / 10000
            self.env.cr.execute(
                "INSERT INTO meter_reading (circuit_id, at, total, source) VALUES (%s, %s, %s, 'scheduled')",
                [circuit.id, at, total],
            )
            if random.random() < 0.05 or at >= until:
                self.env["meter.circuit"]._after_ingest([circuit.id])
                self.env["prepaid.settlement"]._settle_due()
        return total - 1000

    def test_a_month_of_readings_is_invoiced_and_paid_to_the_fen(self):
        self._topup(self.contract, 1000)
        use = self._read(END, seed=20261121)
        price = (230 * Decimal("0.5") + (use - 230) * Decimal("0.8137")).quantize(FEN, rounding=ROUND_HALF_UP)
        self.assertGreater(use, 230)
        wallet = self.contract.wallet_id
        self.assertGreater(len(wallet.entry_ids), 20, "settled in many pieces")
        self.assertEqual(
            wallet._get_balance_decimal(), 1000 - price, "the pieces add up to the price of the whole"
        )
        self.assertEqual(self._run_check().state, "ok")
        invoice = self.contract._create_month_invoice_sudo(date(2026, 10, 1))
        self.assertEqual(Decimal(str(invoice.amount_total)), price)
        self.assertIn(invoice.payment_state, ("paid", "in_payment"))
        self.assertEqual(self._get_advance_balance(self.contract), 1000 - price)
        check = self._run_check()
        self.assertEqual((check.state, check.difference, check.charge_amount), ("ok", 0, 0))
        text = invoice.invoice_line_ids.name
        for part in ("1000 →", "230 kWh × 0.5", f"{(use - 230).normalize()} kWh × 0.8137"):
            self.assertIn(part, text)
