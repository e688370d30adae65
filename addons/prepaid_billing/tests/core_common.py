"""A shop with a meter, read through the connector's own door: what settlement tests start from."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from odoo.addons.meter_gateway.tests.common import MeterFactory
from odoo.tests import TransactionCase

from ..exact import fetch_exact

ZONE = ZoneInfo("Asia/Shanghai")


def utc(local):
    """ "2025-07-01 08:00" at the site -> naive UTC."""
    return datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC).replace(tzinfo=None)


class SettlementCase(MeterFactory, TransactionCase):
    """Building A with shop A-101: power meter installed at 1000 kWh on 2025-07-01, tenant in since then."""

    START = "2025-07-01 00:00"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.building = cls.make_building("PA")
        cls.connector = cls.make_connector("pc1")
        cls.bus = cls.make_bus(cls.connector, cls.building, "PGW01")
        cls.face = cls.env["meter.connector"].with_user(cls.connector.user_id)
        cls.serial = 250700000000
        cls.flat = cls.make_tariff("Flat", structure="flat", price=0.85)
        cls.point = cls.make_shop("A-101", cls.flat)
        cls.contract = cls.make_tenant("Shop One", cls.point)
        cls.wallet = cls.contract.wallet_id

    @classmethod
    def make_tariff(cls, name, kind="power", since="2025-01-01 00:00", tiers=(), **values):
        tariff = cls.env["utility.tariff"].create(
            {"name": name, "kind_id": cls.env.ref(f"property_utility.utility_kind_{kind}").id}
        )
        cls.make_version(tariff, since, tiers, **values)
        return tariff

    @classmethod
    def make_version(cls, tariff, since, tiers=(), **values):
        version = cls.env["utility.tariff.version"].create(
            {
                "tariff_id": tariff.id,
                "valid_from": utc(since),
                "tier_ids": [(0, 0, {"upto": upto, "price": price}) for upto, price in tiers],
                **values,
            }
        )
        version.action_confirm()
        return version

    @classmethod
    def make_shop(
        cls, code, tariff=None, start="1000", model="dds645-1p", building=None, since=None, **meter
    ):
        """A service point with a meter installed at `start`; start may be {total, t1, ...}."""
        building = building or cls.building
        kind = cls.env["meter.model"].search([("code", "=", model)]).kind_id.code
        point = cls.make_point(building, code, kind)
        cls.serial += 1
        device = cls.make_meter(cls.bus, str(cls.serial), model, **meter)
        registers = start if isinstance(start, dict) else {"total": start}
        cls.env["meter.installation"].create(
            {
                "circuit_id": device.circuit_ids[:1].id,
                "service_point_id": point.id,
                "start_at": utc(since or cls.START),
                **{f"start_{key}": float(value) for key, value in registers.items()},
            }
        )
        if tariff:
            cls.assign(point, tariff, cls.START)
        return point

    @classmethod
    def assign(cls, point, tariff, since):
        return cls.env["utility.tariff.assignment"].create(
            {"service_point_id": point.id, "tariff_id": tariff.id, "valid_from": utc(since)}
        )

    @classmethod
    def make_tenant(cls, name, *points, since=None, until=None, lang="en_US"):
        partner = cls.env["res.partner"].create({"name": name, "lang": lang})
        contract = cls.env["contract.contract"].create({"partner_id": partner.id, "is_tenancy": True})
        for unit in {point.unit_id for point in points}:
            cls.env["property.occupancy"].create(
                {
                    "unit_id": unit.id,
                    "contract_id": contract.id,
                    "start_at": utc(since or cls.START),
                    "end_at": utc(until) if until else False,
                }
            )
        return contract

    def get_installation(self, point=None):
        return self.env["meter.installation"].search(
            [("service_point_id", "=", (point or self.point).id)], limit=1
        )

    def ingest(self, rows, waiting_from=None):
        """rows: [(point, local time, total or {total, t1, ...})], as the connector sends them.

        waiting_from: local time of the oldest reading that the connector stored and has not sent.
        """
        payload = {"batch": "t", "circuit_id": [], "at": [], "source": []}
        names = ("total", "t1", "t2", "t3", "t4")
        payload |= {name: [] for name in names}
        for point, at, registers in rows:
            registers = registers if isinstance(registers, dict) else {"total": registers}
            payload["circuit_id"].append(self.get_installation(point).circuit_id.id)
            payload["at"].append(utc(at).replace(tzinfo=UTC).timestamp())
            payload["source"].append("scheduled")
            for name in names:
                payload[name].append(str(registers.get(name, "")))
        if waiting_from:
            payload["waiting_from"] = utc(waiting_from).replace(tzinfo=UTC).timestamp()
        self.env.flush_all()
        answer = self.face.api_ingest(payload)
        self.assertEqual(answer["exceptions"], [])

    def settle(self):
        """What the job does, until nothing is due."""
        settlement = self.env["prepaid.settlement"]
        while settlement._settle_due(limit=100):
            pass
        self.env.invalidate_all()

    def read(self, *rows, point=None):
        """Ingest readings (local time, registers) of one point and settle."""
        self.ingest([(point or self.point, at, registers) for at, registers in rows])
        self.settle()

    def get_charges(self, point=None):
        """[(quantity, amount, contract id)] exact, in order of time."""
        return fetch_exact(
            self.env.cr,
            "SELECT quantity, amount, contract_id FROM prepaid_charge WHERE service_point_id = %s ORDER BY from_reading_at",
            [(point or self.point).id],
        )

    def get_balance(self, contract=None):
        return (contract or self.contract).wallet_id._get_balance_decimal()

    def get_reviews(self, state="open", point=None):
        domain = [("service_point_id", "=", (point or self.point).id), ("state", "=", state)]
        return self.env["prepaid.review"].search(domain, order="id")

    def assert_charged(self, amount, contract=None):
        """The wallet lost exactly this, and every sum says the same."""
        contract = contract or self.contract
        self.assertEqual(self.get_balance(contract), -Decimal(amount))
        charged = fetch_exact(
            self.env.cr,
            """SELECT (SELECT coalesce(sum(amount), 0) FROM prepaid_charge WHERE contract_id = %(id)s),
                      (SELECT coalesce(sum(amount), 0) FROM prepaid_use_daily WHERE contract_id = %(id)s),
                      (SELECT coalesce(sum(charged), 0) FROM prepaid_accumulator WHERE contract_id = %(id)s)""",
            {"id": contract.id},
        )[0]
        self.assertEqual(charged, (Decimal(amount),) * 3)
