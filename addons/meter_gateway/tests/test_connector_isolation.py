"""A connector's key over real HTTP: the face works, everything else is refused."""

import json
import time
import xmlrpc.client

from odoo.exceptions import AccessDenied, AccessError
from odoo.service import model as service_model
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from .. import rpc_guard
from .common import MeterFactory

#: Public methods that need no record or no rule in plain Odoo, and would answer a user without any group.
TEMPTING_CALLS = [
    ("res.users", "context_get", [], {}),
    ("res.users", "action_get", [], {}),
    ("res.users", "read", [[]], {"fields": ["login"]}),
    ("res.users", "has_group", [[], "base.group_user"], {}),
    ("res.users", "change_password", ["a", "b"], {}),
    ("res.users.apikeys.description", "create", [{"name": "x", "duration": "0"}], {}),
    ("res.partner", "search_read", [[]], {}),
    ("res.lang", "get_installed", [], {}),
    ("res.currency", "search_read", [[]], {}),
    ("res.country", "search_read", [[]], {}),
    ("ir.config_parameter", "get_param", ["database.uuid"], {}),
    ("ir.attachment", "search_read", [[]], {}),
    ("ir.model", "search_read", [[]], {}),
    ("ir.model", "get_available_models", [], {}),
    ("ir.ui.menu", "load_menus", [False], {}),
    ("ir.ui.view", "search_read", [[]], {}),
    ("ir.actions.report", "get_available_action_reports", ["res.partner"], {}),
    ("ir.qweb", "render", ["web.login"], {}),
    ("base", "fields_get", [], {}),
    ("mail.message", "search_read", [[]], {}),
    ("account.move", "search_read", [[]], {}),
    ("contract.contract", "search_read", [[]], {}),
    ("property.unit", "search_read", [[]], {}),
    ("audit.entry", "search_read", [[]], {}),
    ("meter.connector", "search_read", [[]], {}),
    ("meter.connector", "fields_get", [], {}),
    ("meter.connector", "action_create_key", [[1]], {}),
    ("meter.connector", "write", [[1], {"name": "x"}], {}),
    ("meter.meter", "search_read", [[]], {}),
    ("meter.meter", "action_read_now", [[1]], {}),
    ("meter.switch", "action_switch_off", [[1]], {}),
    ("meter.switch.wizard", "create", [{"state": "off", "reason": "x"}], {}),
    ("meter.order", "search_read", [[]], {}),
    ("meter.reading", "search_read", [[]], {}),
    ("meter.alarm", "search_read", [[]], {}),
    ("meter.overview", "action_get_data", [], {}),
    ("meter.frame", "search_read", [[]], {}),
    ("meter.frame.decoder", "create", [{"text": "68"}], {}),
    ("meter.completeness", "action_get_map", [], {}),
    ("meter.completeness", "search_read", [[]], {}),
    ("meter.discovery", "create", [{"bus_id": 1}], {}),
    ("meter.discovery", "action_start", [[1]], {}),
    ("meter.discovery.line", "action_adopt", [[1]], {}),
    ("meter.parameter", "search_read", [[]], {}),
    ("meter.parameter", "action_send_again", [[1]], {}),
    ("meter.parameter.profile", "action_send", [[1]], {}),
    ("meter.parameter.batch", "search_read", [[]], {}),
    ("meter.supply.plan", "search_read", [[]], {}),
    ("meter.purchase", "search_read", [[]], {}),
    ("meter.purchase", "action_send", [[1]], {}),
    ("meter.switch", "action_restore", [[1]], {}),
    ("meter.meter", "action_set_parameters", [[1]], {}),
    ("meter.connector", "action_create_nbiot_token", [[1]], {}),
]


@tagged("post_install", "-at_install")
class TestConnectorIsolation(MeterFactory, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.building = cls.make_building("ISO")
        cls.connector = cls.make_connector("iso")
        cls.bus = cls.make_bus(cls.connector, cls.building, "GWISO")
        cls.meter = cls.make_meter(cls.bus, "4711")
        cls.stranger = cls.make_connector("stranger")
        cls.key = cls.connector._create_key()
        cls.user = cls.connector.user_id
        cls.now = float(int(time.time()))

    def execute(self, model, method, args, kwargs=None, key=None):
        """XML-RPC as the connector; a fault is returned, not raised."""
        try:
            return self.xmlrpc_object.execute_kw(
                self.env.cr.dbname, self.user.id, key or self.key, model, method, args, kwargs or {}
            )
        except xmlrpc.client.Fault as fault:
            return fault

    def post(self, path, payload, key=None):
        headers = {"Content-Type": "application/json", "X-Odoo-Database": self.env.cr.dbname}
        if key is not False:
            headers["Authorization"] = f"bearer {key or self.key}"
        return self.url_open(path, data=json.dumps(payload), headers=headers)

    def json2(self, model, method, payload, key=None):
        return self.post(f"/json/2/{model}/{method}", payload, key)

    def assert_refused(self, answer):
        self.assertIsInstance(answer, xmlrpc.client.Fault)
        self.assertIn(answer.faultCode, (3, 4), answer.faultString)  # access denied, access error

    # -- what works ---------------------------------------------------------------------------------

    def test_the_face_answers_over_xml_rpc(self):
        uid = self.xmlrpc_common.authenticate(self.env.cr.dbname, self.user.login, self.key, {})
        self.assertEqual(uid, self.user.id)
        self.assertEqual(
            self.execute("meter.connector", "api_hello", [{"protocol": 1}])["connector"]["code"], "iso"
        )
        self.assertEqual(len(self.execute("meter.connector", "api_config", [{"since": 0}])["gateways"]), 1)
        batch = {"batch": "b", "circuit_id": self.meter.circuit_ids.ids, "at": [self.now], "total": ["1.00"]}
        self.assertEqual(
            self.execute("meter.connector", "api_ingest", [batch]), {"accepted": 1, "exceptions": []}
        )
        events = {"events": [{"key": "k", "kind": "meter_back", "at": self.now, "meter_id": self.meter.id}]}
        self.assertEqual(self.execute("meter.connector", "api_events", [events])["accepted"], 1)
        self.assertEqual(self.execute("meter.connector", "api_orders", [{"known": []}])["orders"], [])
        self.assertEqual(self.execute("meter.connector", "api_report", [{"results": []}])["accepted"], 0)

    def test_the_face_answers_over_json_2(self):
        for method in sorted(rpc_guard.FACE_METHODS):
            payload = {"protocol": 1} if method == "api_hello" else {}
            with self.subTest(method=method):
                answer = self.json2("meter.connector", method, {"payload": payload})
                self.assertEqual(answer.status_code, 200, answer.text)
                self.assertIsInstance(answer.json(), dict)

    @mute_logger("odoo.http")
    def test_a_payload_of_another_shape_is_an_error_of_the_caller(self):
        broken = {"circuit_id": [1], "at": []}
        fault = self.execute("meter.connector", "api_ingest", [broken])
        self.assertEqual((fault.faultCode, "column at" in fault.faultString), (2, True))
        answer = self.json2("meter.connector", "api_ingest", {"payload": broken})
        self.assertEqual((answer.status_code, "column at" in answer.text), (422, True))
        self.assertEqual(self.execute("meter.connector", "api_hello", [[]]).faultCode, 2)

    # -- what does not ------------------------------------------------------------------------------

    @mute_logger("odoo.addons.meter_gateway.rpc_guard", "odoo.http")
    def test_tempting_methods_are_refused_over_xml_rpc(self):
        for model, method, args, kwargs in TEMPTING_CALLS:
            with self.subTest(call=f"{model}.{method}"):
                self.assert_refused(self.execute(model, method, args, kwargs))

    @mute_logger("odoo.addons.meter_gateway.rpc_guard", "odoo.http")
    def test_tempting_methods_are_refused_over_json_2(self):
        for model, method, _args, kwargs in TEMPTING_CALLS:
            with self.subTest(call=f"{model}.{method}"):
                self.assertEqual(self.json2(model, method, kwargs).status_code, 403)

    @mute_logger("odoo.addons.meter_gateway.rpc_guard", "odoo.http")
    def test_no_model_can_be_read_written_or_searched(self):
        """Every model there is, not only those we thought of."""
        for model in sorted(self.env.registry):
            for method, args in (("search_read", [[]]), ("create", [{}]), ("fields_get", [])):
                with self.subTest(call=f"{model}.{method}"):
                    self.assert_refused(self.execute(model, method, args))

    @mute_logger("odoo.addons.meter_gateway.rpc_guard", "odoo.http", "odoo.addons.rpc.controllers.jsonrpc")
    def test_the_older_doors_are_shut_too(self):
        name, uid = self.env.cr.dbname, self.user.id
        call = [name, uid, self.key, "res.partner", "search_read", [[]]]
        for path, service in (
            ("/xmlrpc/2/object", "execute_kw"),
            ("/xmlrpc/object", "execute_kw"),
            ("/xmlrpc/2/object", "execute"),
        ):
            body = xmlrpc.client.dumps(tuple(call), service)
            with self.subTest(path=path, service=service):
                answer = self.url_open(path, data=body, headers={"Content-Type": "text/xml"})
                with self.assertRaises(xmlrpc.client.Fault):
                    xmlrpc.client.loads(answer.content)
        answer = self.url_open(
            "/jsonrpc",
            data=json.dumps(
                {"method": "call", "params": {"service": "object", "method": "execute_kw", "args": call}}
            ),
            headers={"Content-Type": "application/json"},
        )
        self.assertIn("AccessError", answer.text)

    @mute_logger("odoo.addons.meter_gateway.rpc_guard", "odoo.http")
    def test_a_context_cannot_widen_anything(self):
        answer = self.execute(
            "meter.connector",
            "api_hello",
            [{"protocol": 1}],
            {"context": {"allowed_company_ids": [99], "uid": 1}},
        )
        self.assertEqual(answer["connector"]["code"], "iso")
        self.assert_refused(self.execute("meter.meter", "search_read", [[]], {"context": {"su": True}}))

    @mute_logger("odoo.addons.meter_gateway.rpc_guard", "odoo.http")
    def test_on_pages_and_reports_the_key_is_worth_nothing(self):
        """With the key there is nothing to see that anybody without a key could not see."""
        paths = (
            "/odoo",
            "/web",
            "/my",
            "/report/html/web.report_layout/1",
            "/report/pdf/account.report_invoice/1",
            "/web/content/1",
            "/web/image/res.partner/1/image_128",
            "/json/1/res.partner",
            "/web/webclient/load_menus",
        )
        name = {"X-Odoo-Database": self.env.cr.dbname}
        for path in paths:
            with self.subTest(path=path):
                bare = self.url_open(path, headers=name, allow_redirects=False)
                answer = self.url_open(
                    path, headers=name | {"Authorization": f"bearer {self.key}"}, allow_redirects=False
                )
                if bare.status_code == 200:
                    self.assertEqual((answer.status_code, answer.content), (200, bare.content))
                else:
                    self.assertIn(answer.status_code, (bare.status_code, 403))

    @mute_logger("odoo.addons.base.models.res_users", "odoo.http")
    def test_there_is_no_web_session_for_a_connector(self):
        self.user.password = "known-password"
        for password in (self.key, "known-password"):
            with self.subTest(password=password):
                credential = {"type": "password", "login": self.user.login, "password": password}
                with self.assertRaises(AccessDenied):
                    self.env["res.users"].authenticate(credential, {"interactive": True})
                answer = self.url_open(
                    "/web/session/authenticate",
                    data=json.dumps(
                        {"params": {"db": self.env.cr.dbname, "login": self.user.login, "password": password}}
                    ),
                    headers={"Content-Type": "application/json"},
                )
                self.assertIn("error", answer.json())

    @mute_logger("odoo.addons.base.models.res_users", "odoo.http")
    def test_a_password_is_not_a_key(self):
        self.user.password = "known-password"
        self.assertFalse(
            self.xmlrpc_common.authenticate(self.env.cr.dbname, self.user.login, "known-password", {})
        )
        self.assert_refused(
            self.execute("meter.connector", "api_hello", [{"protocol": 1}], key="known-password")
        )
        self.assertEqual(
            self.json2("meter.connector", "api_hello", {"payload": {}}, "known-password").status_code, 401
        )

    @mute_logger("odoo.addons.base.models.res_users", "odoo.http")
    def test_a_new_key_ends_the_old_one_and_revoking_ends_all(self):
        new = self.connector._create_key()
        self.assertEqual(self.json2("meter.connector", "api_orders", {"payload": {}}).status_code, 401)
        self.assertEqual(self.json2("meter.connector", "api_orders", {"payload": {}}, new).status_code, 200)
        self.assertEqual(self.execute("meter.connector", "api_orders", [{}], key=new)["orders"], [])
        self.connector.action_revoke_key()
        self.assertEqual(self.json2("meter.connector", "api_orders", {"payload": {}}, new).status_code, 401)
        self.assert_refused(self.execute("meter.connector", "api_orders", [{}], key=new))
        entries = self.env["audit.entry"].search(
            [("model", "=", "meter.connector"), ("res_id", "=", self.connector.id)]
        )
        self.assertLessEqual({"connector.key", "connector.key_revoked"}, set(entries.mapped("action")))
        self.assertNotIn(new, "".join(entry.after or "" for entry in entries))

    def test_the_user_has_one_group_and_is_of_no_type(self):
        group = self.env.ref("property_utility.property_utility_group_connector")
        self.assertEqual(self.user.all_group_ids, group)
        self.assertTrue(self.user.share)
        self.assertFalse(self.user._is_internal() or self.user._is_portal() or self.user._is_public())

    def test_the_gate_is_in_place_once(self):
        gate = service_model.call_kw
        self.assertTrue(gate.is_connector_gate)
        rpc_guard.install()
        self.assertIs(service_model.call_kw, gate)

    @mute_logger("odoo.addons.meter_gateway.rpc_guard", "odoo.http")
    def test_what_belongs_to_another_connector_does_not_exist(self):
        foreign_bus = self.make_bus(self.stranger, self.building, "GWFOREIGN")
        foreign = self.make_meter(foreign_bus, "4712")
        order = foreign.switch_ids._set_desired("off", "x", "system")
        self.env.flush_all()
        config = self.execute("meter.connector", "api_config", [{"since": 0}])
        self.assertNotIn(foreign_bus.gateway_id.id, [gateway["id"] for gateway in config["gateways"]])
        self.assertEqual(self.execute("meter.connector", "api_orders", [{}])["orders"], [])
        batch = {"circuit_id": foreign.circuit_ids.ids, "at": [self.now], "total": ["1.00"]}
        self.assertEqual(self.execute("meter.connector", "api_ingest", [batch])["accepted"], 0)
        result = {
            "order_id": order.id,
            "generation": 1,
            "state": "confirmed",
            "reported": "off",
            "at": self.now,
        }
        answer = self.execute("meter.connector", "api_report", [{"results": [result]}])
        self.assertEqual(answer["exceptions"], [[0, "rejected", "unknown order"]])
        event = {"key": "x", "kind": "meter_silent", "at": self.now, "meter_id": foreign.id}
        self.assertEqual(self.execute("meter.connector", "api_events", [{"events": [event]}])["accepted"], 0)
        self.assertEqual(foreign.switch_ids.reported, "unknown")

    @mute_logger("odoo.http")
    def test_a_connector_without_a_record_gets_nothing(self):
        self.connector.user_id = False
        self.env.flush_all()
        self.assert_refused(self.execute("meter.connector", "api_orders", [{}]))

    def test_other_users_cannot_use_the_face(self):
        with self.assertRaises(AccessError):
            self.env["meter.connector"].with_user(self.env.ref("base.user_admin")).api_orders({})
