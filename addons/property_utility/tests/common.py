from datetime import datetime, timedelta

from odoo import Command
from odoo.tests import TransactionCase

ROLES = (
    "water_operator",
    "power_operator",
    "joint_operator",
    "field_reader",
    "cashier",
    "accountant",
    "property_manager",
    "supervisor",
    "auditor",
)
NOON = datetime(2024, 3, 1, 4, 0)  # noon in Shanghai


class EstateCase(TransactionCase):
    """Two buildings with two units each; ``user(role, buildings)`` makes a person."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "no_reset_password": True, "tracking_disable": True})
        cls.site = cls.env["property.site"].create({"name": "海星商业广场", "code": "HX-T"})
        cls.building_a, cls.unit_a1, cls.unit_a2 = cls.make_building("A")
        cls.building_b, cls.unit_b1, cls.unit_b2 = cls.make_building("B")
        cls.power = cls.env.ref("property_utility.utility_kind_power")
        cls.water = cls.env.ref("property_utility.utility_kind_water")
        cls.point_a1 = cls.make_point(cls.unit_a1, cls.power)
        cls.point_a2 = cls.make_point(cls.unit_a2, cls.power)
        cls.point_b1 = cls.make_point(cls.unit_b1, cls.power)
        cls.tenancy_a = cls.make_tenancy("示例商户甲")
        cls.tenancy_b = cls.make_tenancy("示例商户乙")

    @classmethod
    def make_building(cls, code):
        building = cls.env["property.building"].create(
            {"name": f"{code}座", "code": code, "site_id": cls.site.id}
        )
        floor = cls.env["property.floor"].create({"name": "1F", "building_id": building.id})
        units = cls.env["property.unit"].create(
            [
                {"name": f"{code}-10{n}", "code": f"{code}-10{n}", "floor_id": floor.id, "area_m2": 30}
                for n in (1, 2)
            ]
        )
        return building, units[0], units[1]

    @classmethod
    def make_point(cls, unit, kind):
        return cls.env["utility.service.point"].create(
            {"name": kind.name, "code": f"T-{unit.code}-{kind.code}", "unit_id": unit.id, "kind_id": kind.id}
        )

    @classmethod
    def make_tenancy(cls, name):
        partner = cls.env["res.partner"].create({"name": name})
        return cls.env["contract.contract"].create({"partner_id": partner.id, "is_tenancy": True})

    @classmethod
    def move_in(cls, unit, tenancy, start_at=NOON, end_at=False):
        return cls.env["property.occupancy"].create(
            {"unit_id": unit.id, "contract_id": tenancy.id, "start_at": start_at, "end_at": end_at}
        )

    @classmethod
    def user(cls, role, buildings=None, everywhere=False):
        return cls.env["res.users"].create(
            {
                "name": f"{role} {buildings.mapped('code') if buildings else everywhere}",
                "login": f"t_{role}_{''.join(buildings.mapped('code')) if buildings else everywhere}",
                "group_ids": [Command.set(cls.group(role).ids)],
                "scope_all_buildings": everywhere,
                "scope_building_ids": [Command.set(buildings.ids if buildings else [])],
            }
        )

    @classmethod
    def group(cls, role):
        return cls.env.ref(f"property_utility.property_utility_group_{role}")

    @classmethod
    def portal_user(cls, tenancy, login):
        return cls.env["res.users"].create(
            {
                "name": tenancy.partner_id.name,
                "login": login,
                "partner_id": tenancy.partner_id.id,
                "group_ids": [Command.set(cls.env.ref("base.group_portal").ids)],
            }
        )


def after(**kwargs):
    return NOON + timedelta(**kwargs)
