from datetime import datetime
from decimal import Decimal

from odoo import Command
from odoo.tests import TransactionCase, new_test_user

from ..money.fen import to_decimal

ROLE = "property_utility.property_utility_group_"


class MoneyCase(TransactionCase):
    """A company with its accounts, one building, and factories for tenancies, charges and users."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        cls.company._prepaid_setup_accounting_sudo()
        cls.company.write(
            {
                "prepaid_reversal_limit": 500,
                "prepaid_refund_limit": 100,
                "prepaid_topup_min": 1,
                "prepaid_topup_max": 5000,
            }
        )
        cls.site = cls.env["property.site"].create(
            {"name": "Star Plaza", "code": "TST", "tz": "Asia/Shanghai"}
        )
        cls.building, cls.other_building = cls.env["property.building"].create(
            [
                {"name": name, "code": code, "site_id": cls.site.id}
                for name, code in (("North", "TN"), ("South", "TS"))
            ]
        )
        cls.cashier = cls._make_user("cashier_t", "cashier")
        cls.accountant = cls._make_user("accountant_t", "accountant")
        cls.operator = cls._make_user("operator_t", "power_operator")
        cls.kind_power = cls.env.ref("property_utility.utility_kind_power")
        cls.kind_fee = cls.env.ref("property_utility.utility_kind_property_fee")
        cls.number = 0

    @classmethod
    def _make_user(cls, login, *roles, buildings=None):
        user = new_test_user(cls.env, login, groups=",".join(f"{ROLE}{role}" for role in roles))
        if buildings is None:
            user.scope_all_buildings = True
        else:
            user.scope_building_ids = [Command.set(buildings.ids)]
        return user

    @classmethod
    def _make_tenancy(cls, name="Shop One", building=None, start="2026-01-01 00:00:00", **values):
        building = building or cls.building
        cls.number += 1
        floor = building.floor_ids[:1] or cls.env["property.floor"].create(
            {"name": "1F", "building_id": building.id}
        )
        unit = cls.env["property.unit"].create(
            {
                "name": f"{building.code}-{cls.number}",
                "code": f"{building.code}-{cls.number}",
                "floor_id": floor.id,
                "kind": "shop",
            }
        )
        partner = cls.env["res.partner"].create({"name": name, "phone": f"1390000{cls.number:04}"})
        contract = cls.env["contract.contract"].create(
            {
                "partner_id": partner.id,
                "is_tenancy": True,
                "site_id": cls.site.id,
                "contract_type": "sale",
                **values,
            }
        )
        cls.env["property.occupancy"].create(
            {"unit_id": unit.id, "contract_id": contract.id, "start_at": start}
        )
        return contract

    @classmethod
    def _make_point(cls, contract, kind=None):
        """(service point, installation) of a meter in the tenancy's unit."""
        unit = contract.occupancy_ids.unit_id[:1]
        kind = kind or cls.kind_power
        point = cls.env["utility.service.point"].create(
            {
                "name": f"{unit.code}-{kind.code}",
                "code": f"{unit.code}-{kind.code}",
                "unit_id": unit.id,
                "kind_id": kind.id,
            }
        )
        return point, cls._make_installation(point)

    @classmethod
    def _make_installation(cls, point, start_total=0):
        """A meter of a switchless model, installed at the point since the beginning of 2026."""
        cls.number += 1
        code = f"test-{point.kind_id.code}"
        model = cls.env["meter.model"].search([("code", "=", code)]) or cls.env["meter.model"].create(
            {
                "name": code,
                "code": code,
                "protocol": "dlt645-2007",
                "kind_id": point.kind_id.id,
                "has_switch": False,
            }
        )
        meter = cls.env["meter.meter"].create(
            {
                "serial": f"TM-{cls.number:06}",
                "model_id": model.id,
                "address": f"{cls.number:012}",
                "building_id": point.building_id.id,
            }
        )
        circuit = meter.circuit_ids or cls.env["meter.circuit"].create({"meter_id": meter.id, "number": 1})
        return cls.env["meter.installation"].create(
            {
                "circuit_id": circuit[0].id,
                "service_point_id": point.id,
                "start_at": "2026-01-01 00:00:00",
                "start_total": start_total,
            }
        )

    @classmethod
    def _charge(cls, contract, point, installation, start, end, registers, amount, explanation=None):
        """A charge and its entry as the settlement writes them; times naive UTC, money as str."""
        cls.env.flush_all()
        cls.env.cr.execute(
            """INSERT INTO prepaid_charge (service_point_id, installation_id, building_id, kind_id, contract_id, wallet_id,
                   company_id, from_reading_at, to_reading_at, from_total, to_total, multiplier, quantity, amount, explanation)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, %s, %s, %s::jsonb) RETURNING id""",
            [
                point.id,
                installation.id,
                point.building_id.id,
                point.kind_id.id,
                contract.id,
                contract.wallet_id.id,
                contract.company_id.id,
                start,
                end,
                *registers,
                Decimal(registers[1]) - Decimal(registers[0]),
                Decimal(amount),
                explanation or "[]",
            ],
        )
        charge_id = cls.env.cr.fetchone()[0]
        cls.env.invalidate_all()
        if Decimal(amount):
            contract.wallet_id._post_entry(
                "charge",
                point.kind_id,
                -Decimal(amount),
                f"prepaid.charge,{charge_id}",
                "use",
                at=datetime.fromisoformat(end),
                charge_id=charge_id,
            )
        return charge_id

    @classmethod
    def _topup(cls, contract, amount, user=None, method="cash", **kwargs):
        topups = cls.env["prepaid.topup"].with_user(user or cls.cashier)
        return topups._take(contract.wallet_id, amount, method, **kwargs)

    def _run_check(self):
        return self.env["prepaid.books.check"]._run(self.company)

    def _get_advance_balance(self, contract):
        """Yuan on the advance account for a tenancy, credit positive, exact."""
        self.env.flush_all()
        self.env.cr.execute(
            """SELECT coalesce(-sum(line.balance), 0) FROM account_move_line line JOIN account_move move ON move.id = line.move_id
               WHERE line.account_id = %s AND move.wallet_id = %s AND line.parent_state = 'posted'""",
            [self.company.prepaid_advance_account_id.id, contract.wallet_id.id],
        )
        return to_decimal(self.env.cr.fetchone()[0])
