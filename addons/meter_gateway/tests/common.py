"""Small factories for tests of metering; each makes one thing with the defaults nobody cares about."""

import time

from odoo import Command, fields
from odoo.tests import TransactionCase, new_test_user

GROUP = "property_utility.property_utility_group_"


class MeterFactory:
    """Mixin for test classes: ``self.env`` must be there."""

    @classmethod
    def make_building(cls, code, site=None):
        site = site or cls.env["property.site"].create({"name": f"Site {code}", "code": f"S{code}"})
        building = cls.env["property.building"].create(
            {"name": f"Building {code}", "code": code, "site_id": site.id}
        )
        cls.env["property.floor"].create({"name": "1F", "building_id": building.id})
        return building

    @classmethod
    def make_point(cls, building, code, kind="power"):
        floor = building.floor_ids[:1]
        unit = cls.env["property.unit"].search([("code", "=", code), ("building_id", "=", building.id)])
        unit = unit or cls.env["property.unit"].create({"name": code, "code": code, "floor_id": floor.id})
        return cls.env["utility.service.point"].create(
            {
                "name": f"{code} {kind}",
                "code": f"{building.code}-{code}-{kind}",
                "unit_id": unit.id,
                "kind_id": cls.env.ref(f"property_utility.utility_kind_{kind}").id,
            }
        )

    @classmethod
    def make_connector(cls, code, with_user=True):
        connector = cls.env["meter.connector"].create({"name": f"Connector {code}", "code": code})
        if with_user:
            connector._create_user()
        return connector

    @classmethod
    def make_bus(cls, connector, building, number="GW01"):
        gateway = cls.env["meter.gateway"].create(
            {
                "name": f"Gateway {number}",
                "number": number,
                "connector_id": connector.id,
                "building_id": building.id,
                "host": "127.0.0.1",
                "port": 4001,
            }
        )
        return cls.env["meter.bus"].create({"gateway_id": gateway.id, "number": 1})

    @classmethod
    def make_meter(cls, bus, serial, model="dds645-1p", point=None, start="0", **vals):
        model = cls.env["meter.model"].search([("code", "=", model)])
        meter = cls.env["meter.meter"].create(
            {"serial": serial, "address": serial, "model_id": model.id, "bus_id": bus.id, **vals}
        )
        if point:
            cls.install(meter.circuit_ids[:1], point, start)
        return meter

    @classmethod
    def install(cls, circuit, point, start="0", start_at="2026-01-01 00:00:00"):
        return cls.env["meter.installation"].create(
            {
                "circuit_id": circuit.id,
                "service_point_id": point.id,
                "start_total": float(start),
                "start_at": start_at,
            }
        )

    @classmethod
    def make_user(cls, login, *roles, buildings=None):
        user = new_test_user(cls.env, login=login, groups=",".join(GROUP + role for role in roles))
        scope = [Command.set(buildings.ids)] if buildings is not None else [Command.clear()]
        user.write({"scope_all_buildings": buildings is None, "scope_building_ids": scope})
        return user


class MeterCase(MeterFactory, TransactionCase):
    """One connector, two buildings, a power meter in each and a water meter with a valve in the first."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.building = cls.make_building("A")
        cls.other_building = cls.make_building("B", cls.building.site_id)
        cls.connector = cls.make_connector("c1")
        cls.bus = cls.make_bus(cls.connector, cls.building)
        cls.other_bus = cls.make_bus(cls.connector, cls.other_building, "GW02")
        cls.point = cls.make_point(cls.building, "A-101")
        cls.meter = cls.make_meter(cls.bus, "202600000001", point=cls.point)
        cls.water_meter = cls.make_meter(
            cls.bus, "202600000002", "cjt188-cold-valve", point=cls.make_point(cls.building, "A-101", "water")
        )
        cls.far_meter = cls.make_meter(
            cls.other_bus, "202600000003", point=cls.make_point(cls.other_building, "B-101")
        )
        cls.circuit = cls.meter.circuit_ids
        cls.switch = cls.circuit.switch_id
        cls.face = cls.env["meter.connector"].with_user(cls.connector.user_id)
        cls.now = float(int(time.time()))
        cls.env.flush_all()

    def ingest(self, rows, face=None, **columns):
        """Rows are dicts with ``circuit`` and ``at``; missing columns are empty."""
        names = {name for row in rows for name in row} - {"circuit"}
        payload = {"batch": "b1", "circuit_id": [row["circuit"].id for row in rows]}
        for name in names:
            payload[name] = [row.get(name, "") for row in rows]
        self.env.flush_all()
        return (self.face if face is None else face).api_ingest(payload | columns)

    def report(self, order, state, reported="", at=None, **vals):
        result = {
            "order_id": order.id,
            "generation": order.generation,
            "state": state,
            "reported": reported,
            "at": self.now + 1 if at is None else at,
            **vals,
        }
        return self.face.api_report({"results": [result]})

    def assert_all_accepted(self, answer, count):
        self.assertEqual(answer, {"accepted": count, "exceptions": []})

    def open_alarms(self, kind=None):
        domain = [("state", "!=", "resolved")] + ([("kind", "=", kind)] if kind else [])
        return self.env["meter.alarm"].search(domain)

    def utc(self, epoch):
        return fields.Datetime.to_datetime(time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(epoch)))
