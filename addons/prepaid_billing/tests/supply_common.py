"""A shop that runs out of money, told hour by hour: what the tests of warnings, trips and returns start from."""

from contextlib import contextmanager
from datetime import UTC
from decimal import Decimal

from freezegun import freeze_time

from .core_common import SettlementCase, utc

DAY = "2025-07-10"


class SupplyCase(SettlementCase):
    """Shop A-101 with a power meter at 1000 kWh (0.85 yuan each), a water meter with a valve, and 100 yuan."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.company._prepaid_setup_accounting_sudo()
        cls.env.company.write({"prepaid_topup_min": 1, "prepaid_topup_max": 5000})
        cls.contract.partner_id.email = "shop@example.com"
        # A large connection: what is used here in half an hour is believed.
        cls.env["meter.model"].search([("code", "=", "dds645-1p")]).prepaid_max_per_hour = 100
        water = cls.make_tariff("Water", kind="water", structure="flat", price=5)
        cls.water_point = cls.make_shop("A-101", water, "10", model="cjt188-cold-valve")
        cls.cashier = cls.make_user("supply_cashier", "cashier")
        cls.power_operator = cls.make_user("supply_operator", "power_operator")
        cls.policy = cls.env["prepaid.policy"]._make_default(cls.env.company)
        cls.switch = cls.get_switch(cls.point)
        cls.valve = cls.get_switch(cls.water_point)
        cls.env.flush_all()

    def setUp(self):
        super().setUp()
        with self.clock("00:30", "2025-07-01"):
            self.pay("100")

    @classmethod
    def get_switch(cls, point):
        return cls.env["meter.switch"].search([("service_point_id", "=", point.id)])

    @contextmanager
    def clock(self, local_time, day=DAY):
        """It is this hour at the site."""
        with freeze_time(utc(f"{day} {local_time}")):
            yield

    def pay(self, amount, wallet=None):
        return self.env["prepaid.topup"].with_user(self.cashier)._take(wallet or self.wallet, amount, "cash")

    def use(self, local_time, total, day=DAY, point=None):
        """The meter shows this now; the rest follows as in production."""
        self.read((f"{day} {local_time}", total), point=point)

    def deliver(self):
        """What the cron of messages does, for this tenancy."""
        with self.enter_registry_test_mode():
            self.env.ref("prepaid_billing.prepaid_notice_cron").method_direct_trigger()
        self.env.invalidate_all()

    def run_timer(self):
        with self.enter_registry_test_mode():
            self.env.ref("prepaid_billing.prepaid_supply_cron").method_direct_trigger()
        self.env.invalidate_all()

    def run_out(self):
        """Warned twice, both delivered by 08:30; the money is gone at 10:00."""
        with self.clock("08:00"):
            self.use("08:00", "1080")
            self.deliver()
        with self.clock("08:30"):
            self.use("08:30", "1100")
            self.deliver()
        with self.clock("10:00"):
            self.use("10:00", "1118")
            self.deliver()

    def trip(self, at="12:40"):
        """The money is gone and the warning is old enough."""
        self.run_out()
        with self.clock(at):
            self.use(at, "1119")
            self.deliver()
        self.assertEqual(self.switch.desired, "off")

    def report(self, switch, reported, at, day=DAY):
        """The connector did what was ordered and read it back."""
        order = switch.open_order_id
        result = {
            "order_id": order.id,
            "generation": order.generation,
            "state": "confirmed",
            "reported": reported,
            "at": utc(f"{day} {at}").replace(tzinfo=UTC).timestamp(),
        }
        self.env.flush_all()
        self.assertEqual(self.face.api_report({"results": [result]})["exceptions"], [])
        self.env.invalidate_all()
        return order

    @property
    def case(self):
        return self.env["prepaid.case"].search([("contract_id", "=", self.contract.id)], limit=1)

    def get_decision(self, contract=None):
        contract = contract or self.contract
        return self.env["prepaid.decision"].search([("contract_id", "=", contract.id)], limit=1)

    def get_blocks(self, contract=None):
        return [row["code"] for row in self.get_decision(contract).reasons if row["code"] != "money"]

    def get_states(self):
        """All decisions of the tenancy in order."""
        decisions = self.env["prepaid.decision"].search([("contract_id", "=", self.contract.id)], order="id")
        return decisions.mapped("state")

    def assert_held_back(self, *codes):
        self.assertEqual((self.get_decision().state, self.get_blocks()), ("due", list(codes)))
        self.assertNotEqual(self.switch.desired, "off")

    def assert_balance(self, amount):
        self.assertEqual(self.get_balance(), Decimal(amount))
