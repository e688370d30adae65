"""One record of each model, of a power meter in building A, and a user of each kind that ``rights_table`` names."""

import json

from odoo import Command, fields
from odoo.tests import new_test_user

from .common import MeterCase

ALWAYS = Command.create({"from_hour": 0, "to_hour": 24})
#: Refusals are what is asked for; Odoo logs each.
QUIET = (
    "odoo.addons.base.models.ir_model",
    "odoo.addons.base.models.ir_rule",
    "odoo.sql_db",
    "odoo.models.unlink",
)


class RightsCase(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        near, both = cls.building, cls.building | cls.other_building
        other = cls.make_connector("c2")
        cls.spare = cls.make_meter(cls.bus, "202600000009")
        cls.users = {
            "power": cls.make_user("t_power", "power_operator", buildings=near),
            "water": cls.make_user("t_water", "water_operator", buildings=near),
            "far": cls.make_user("t_far", "power_operator", buildings=cls.other_building),
            "cashier": cls.make_user("t_cashier", "cashier", buildings=near),
            "auditor": cls.make_user("t_auditor", "auditor", buildings=near),
            "reader": cls.make_user("t_reader", "field_reader", buildings=near),
            "manager": cls.make_user("t_manager", "property_manager", buildings=near),
            "super": cls.make_user("t_super", "supervisor", buildings=both),
            "tenant": new_test_user(cls.env, "t_tenant", groups="base.group_portal"),
            "nobody": new_test_user(cls.env, "t_nobody", groups="base.group_user"),
            "connector": other.user_id,
        }
        cls.records = {record._name: record for record in cls.make_records()}
        cls.env.flush_all()

    @classmethod
    def make_records(cls):
        env, meter, now = cls.env, cls.meter, fields.Datetime.now()
        place = {"meter_id": meter.id, "building_id": cls.building.id}
        event = {"connector_id": cls.connector.id, "bus_id": cls.bus.id, **place}
        event = env["meter.event"].create(event | {"key": "w", "kind": "frame_unknown", "at": now})
        group = env["meter.read.group"].create({"name": "G", "code": "rights"})
        meter.read_group = group.code
        profile = env["meter.parameter.profile"].create({"name": "P", "model_id": meter.model_id.id})
        kinds = env["meter.parameter.type"].search([("model_id", "=", meter.model_id.id)])
        kind = kinds.filtered(lambda kind: kind.name == "overload_power")
        line = {"profile_id": profile.id, "type_id": kind.id, "value": "8"}
        plan = env["meter.supply.plan"].create({"name": "Hours", "period_ids": [ALWAYS]})
        period = plan.period_ids
        meter.write({"parameter_profile_id": profile.id, "supply_plan_id": plan.id})
        search = env["meter.discovery"].create({"bus_id": cls.bus.id})
        found = {"discovery_id": search.id, "address": "9", "protocol": "dlt645-2007", "state": "new"}
        batch = env["meter.parameter.batch"].create({"name": "B", "kind": "write"})
        order = env["meter.order"]._place("write_parameters", meter, {"values": {}})
        order.batch_id = batch
        order._finish("failed", "x")
        issue = {"connector_id": cls.connector.id, "circuit_id": cls.circuit.id, "verdict": "rejected"}
        cls.ingest(cls, [{"circuit": cls.circuit, "at": cls.now - 7200, "total": "1"}])
        cls.ingest(cls, [{"circuit": cls.circuit, "at": cls.now, "total": "2"}])
        return [
            meter, cls.circuit, cls.switch, cls.bus, cls.bus.gateway_id, cls.connector, meter.model_id,
            cls.circuit.installation_ids, cls.circuit.live_id, event, profile, kind, plan, period, search, batch,
            env["meter.reading"].search([("circuit_id", "=", cls.circuit.id)], limit=1),
            env["meter.energy.hour"].search([("meter_id", "=", meter.id)], limit=1),
            env["meter.energy.day"].search([("meter_id", "=", meter.id)], limit=1),
            group,
            env["meter.parameter.profile.line"].create(line),
            env["meter.discovery.line"].create(found),
            cls.switch._set_desired("off", "x", "system"),
            env["meter.frame"]._keep(event, {"hex": "68"}),
            env["meter.alarm"]._open("meter_offline", meter, "x"),
            env["meter.purchase"].create({"meter_id": meter.id, "amount": 5}),
            env["meter.parameter"].create({"meter_id": meter.id, "type_id": kind.id, "wanted": "8"}),
            env["meter.completeness"].create(place | {"day": "2026-01-02", "expected": 1}),
            env["meter.completeness.due"].create({"day": "2026-01-02"}),
            env["meter.ingest.issue"].create(issue | {"content": json.dumps({}), "digest": "d"}),
        ]  # fmt: skip

    @classmethod
    def prepare_new(cls, model):
        """Values of one more record of building A, where people make them."""
        meter = cls.meter
        kinds = meter.model_id.parameter_type_ids.filtered(lambda kind: not kind.is_readonly)
        kind = kinds.filtered(lambda kind: kind.name != "overload_power")[:1]
        gateway = {"connector_id": cls.connector.id, "building_id": cls.building.id}
        address = {"serial": "77", "address": "77", "model_id": meter.model_id.id, "bus_id": cls.bus.id}
        past = {"start_at": "2020-01-01", "end_at": "2020-02-01", "start_total": 0}
        return {
            "meter.bus": {"gateway_id": cls.bus.gateway_id.id, "number": 5},
            "meter.circuit": {"meter_id": meter.id, "number": 9},
            "meter.connector": {"name": "N", "code": "n1"},
            "meter.discovery": {"bus_id": cls.bus.id},
            "meter.gateway": {"name": "N", "number": "N1", **gateway},
            "meter.installation": past
            | {"circuit_id": cls.spare.circuit_ids.id, "service_point_id": cls.point.id},
            "meter.meter": address,
            "meter.model": {
                "name": "N",
                "code": "n1",
                "protocol": "dlt645-2007",
                "kind_id": meter.kind_id.id,
            },
            "meter.parameter.profile": {"name": "N", "model_id": meter.model_id.id},
            "meter.parameter.profile.line": {
                "profile_id": cls.records["meter.parameter.profile"].id,
                "type_id": kind.id,
            },
            "meter.purchase": {"meter_id": meter.id, "amount": 7},
            "meter.read.group": {"name": "N", "code": "n1"},
            "meter.supply.period": {"plan_id": cls.records["meter.supply.plan"].id},
            "meter.supply.plan": {"name": "N", "period_ids": [ALWAYS]},
        }.get(model, {})
