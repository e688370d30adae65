"""Every public method of this addon is called by users who must not: a tenant, a stranger from another building, a cashier."""

import inspect

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .. import rpc_guard
from .common import MeterCase

ADDON = "odoo.addons.meter_gateway."
#: Methods that open a list or a form and change nothing: the rights of what they open decide. They are called all the same.
DOORS = {
    ("meter.alarm", "action_open_target"),
    ("meter.circuit", "action_open_meter"),
    ("meter.completeness", "action_open_readings"),
    ("meter.connector", "action_view_gateways"),
    ("meter.connector", "action_view_meters"),
    ("meter.discovery", "action_refresh"),
    ("meter.discovery.line", "action_open_meter"),
    ("meter.frame", "action_decode"),
    ("meter.gateway", "action_view_meters"),
    ("meter.meter", "action_view_alarms"),
    ("meter.meter", "action_view_events"),
    ("meter.meter", "action_view_orders"),
    ("meter.meter", "action_view_readings"),
    ("meter.meter", "action_view_use"),
    ("meter.model", "action_view_meters"),
    ("meter.parameter.batch", "action_refresh"),
    ("meter.parameter.batch", "action_view_parameters"),
    ("meter.parameter.profile", "action_view_parameters"),
    ("meter.supply.plan", "action_view_meters"),
    ("meter.switch", "action_view_history"),
}
#: What has no building: who may is a matter of the function alone, so the stranger is a cashier.
WITHOUT_BUILDING = {
    "meter.connector",
    "meter.model",
    "meter.parameter.batch",
    "meter.parameter.profile",
    "meter.ingest.issue",
}
#: Pages of the whole estate: each user gets what is theirs; tests of their own compare it.
EVERYBODYS = {("meter.overview", "action_get_data"), ("meter.completeness", "action_get_map")}
ARGUMENTS = {"action_get_curve": lambda test: [test.circuit.id]}


@tagged("post_install", "-at_install")
class TestWrongUsers(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tenant = new_test_user(cls.env, "tenant", groups="base.group_portal")
        cls.stranger = cls.make_user("far", "power_operator", "cashier", buildings=cls.other_building)
        cls.cashier = cls.make_user("cash", "cashier")
        cls.records = cls.make_records()
        cls.env.flush_all()

    @classmethod
    def make_records(cls):
        """One record of each model that has public methods, in the first building."""
        env, meter = cls.env, cls.meter
        search = env["meter.discovery"].create({"bus_id": cls.bus.id})
        order = cls.switch._set_desired("off", "x", "system")
        kind = env["meter.parameter.type"].search([("name", "=", "overload_power")], limit=1)
        profile = env["meter.parameter.profile"].create({"name": "P", "model_id": meter.model_id.id})
        event = {"connector_id": cls.connector.id, "key": "w", "kind": "frame_unknown", "bus_id": cls.bus.id}
        event = env["meter.event"].create(
            event | {"at": fields.Datetime.now(), "building_id": cls.building.id}
        )
        read = env["meter.order"]._place("read", meter)
        parameter = {"meter_id": meter.id, "type_id": kind.id, "wanted": "8"}
        day = {"meter_id": meter.id, "day": "2026-01-02", "expected": 1, "building_id": cls.building.id}
        issue = {"connector_id": cls.connector.id, "verdict": "rejected", "content": "{}", "digest": "d"}
        made = [
            meter, cls.circuit, cls.switch, cls.bus, cls.bus.gateway_id, cls.connector, meter.model_id,
            search, order, read, profile, event,
            env["meter.discovery.line"].create({"discovery_id": search.id, "address": "9", "protocol": "dlt645-2007", "state": "new"}),
            env["meter.frame"]._keep(event, {"hex": "68"}),
            env["meter.alarm"]._open("meter_offline", meter, "x"),
            env["meter.purchase"].create({"meter_id": meter.id, "amount": 5}),
            env["meter.parameter"].create(parameter),
            env["meter.parameter.batch"].create({"name": "B", "kind": "write"}),
            env["meter.completeness"].create(day),
            env["meter.ingest.issue"].create(issue),
            env["meter.supply.plan"].create({"name": "Hours"}),
        ]  # fmt: skip
        return {record._name: record for record in made}

    def public_methods(self):
        """[(model, method)] that this addon makes callable from outside, wizards left out: their tests name them."""
        found = set()
        for name, model in self.env.registry.items():
            if model._transient:
                continue
            for base in model.mro():
                if getattr(base, "__module__", "").startswith(ADDON):
                    is_own = getattr(base, "_name", None) == name or name in _inherited(base)
                    methods = (
                        [key for key in vars(base) if key.startswith(("action_", "api_"))] if is_own else []
                    )
                    found |= {(name, method) for method in methods}
        return found

    def test_only_actions_and_the_face_are_public(self):
        public = set()
        for name, model in self.env.registry.items():
            for base in model.mro():
                if getattr(base, "__module__", "").startswith(ADDON):
                    public |= {
                        (name, key)
                        for key, value in vars(base).items()
                        if inspect.isfunction(value) and not key.startswith(("_", "action_", "api_"))
                    }
        inherited = {(name, key) for name, key in public if key in OVERRIDDEN}
        self.assertEqual(public - inherited, set())

    def test_wrong_users_get_nothing_from_any_method(self):
        methods = self.public_methods()
        self.assertGreater(len(methods), 60)
        for model, method in sorted(methods):
            users = [self.tenant]
            if (model, method) not in EVERYBODYS | DOORS and not method.startswith("api_"):
                users += [self.cashier if model in WITHOUT_BUILDING else self.stranger]
            for user in users:
                with self.subTest(model=model, method=method, user=user.login), self.cr.savepoint() as point:
                    self.call_wrongly(model, method, user)
                    point.rollback()
                    self.env.invalidate_all()

    def call_wrongly(self, model, method, user):
        records = self.records.get(model, self.env[model]).with_user(user)
        arguments = ARGUMENTS[method](self) if method in ARGUMENTS else []
        arguments = [{}] if method.startswith("api_") else arguments
        if (model, method) in DOORS:
            try:
                answer = getattr(records, method)(*arguments)
            except AccessError:
                return
            self.assertIn(
                answer and answer["type"], (None, False, "ir.actions.act_window", "ir.actions.client")
            )
            return
        with self.assertRaises(AccessError):
            getattr(records, method)(*arguments)

    def test_the_face_is_for_connectors_only(self):
        users = [self.env.ref("base.user_admin"), self.make_user("chief", "supervisor"), self.stranger]
        for method in sorted(rpc_guard.FACE_METHODS):
            for user in users:
                with self.subTest(method=method, user=user.login), self.assertRaises(AccessError):
                    getattr(self.env["meter.connector"].with_user(user), method)({})

    def test_no_row_of_another_building_is_seen(self):
        for model, record in self.records.items():
            if model in WITHOUT_BUILDING or model == "meter.supply.plan":
                continue
            with self.subTest(model=model):
                self.assertFalse(self.env[model].with_user(self.stranger).search([("id", "=", record.id)]))
                with self.assertRaises(AccessError):
                    self.env[model].with_user(self.tenant).search([("id", "=", record.id)]).read()


#: Odoo's own methods that this addon extends.
OVERRIDDEN = {"create", "write", "unlink", "copy_data", "default_get", "fields_get", "init", "search_read"}


def _inherited(base):
    names = getattr(base, "_inherit", None) or []
    return [names] if isinstance(names, str) else names
