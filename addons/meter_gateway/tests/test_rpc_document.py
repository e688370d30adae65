"""docs/rpc.md and the code name the same methods and keys."""

import ast
import inspect
import re
from pathlib import Path

from odoo.tests import tagged

from .. import rpc_guard
from ..const import EVENT_ALARMS, EVENT_KINDS, INGEST_COLUMNS, ORDER_KINDS
from ..models import meter_connector_api
from ..models.meter_switch_protection import LOCK_EVENTS, PROTECTIVE_TRIPS
from .common import MeterCase

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "rpc.md"
FREE = {"models", "schedules"}  # objects whose keys are codes


def read_document(text):
    """{method: {"request": keys, "answer": keys}} of the tables."""
    found = {}
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        method = section.split(None, 1)[0]
        if not method.startswith("api_"):
            continue
        found[method] = {"request": set(), "answer": set()}
        kind = None
        for line in section.splitlines():
            if heading := re.match(r"\| (request|answer) key \|", line):
                kind = heading[1]
            elif not line.startswith("|"):
                kind = None
            elif kind:
                found[method][kind] |= set(re.findall(r"`([^`]+)`", line.split("|")[1]))
    return found


def flatten(value, path=""):
    """Dotted keys of an answer; lists as [], free keys as *."""
    if isinstance(value, dict) and value:
        keys = set()
        for key, item in value.items():
            if path in FREE:
                keys |= flatten(item, f"{path}.*") if isinstance(item, dict) else {path}
            elif path.endswith(".*") and path.startswith("models"):
                keys.add(f"{path}.{key}")  # the model's own vocabulary is documented elsewhere
            else:
                keys |= flatten(item, f"{path}.{key}" if path else key)
        return keys
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return set().union(*(flatten(item, f"{path}[]") for item in value))
    return {path}


def read_request_keys():
    """{method: keys it asks of its payload}, from the source."""
    tree = ast.parse(inspect.getsource(meter_connector_api))
    found = {}
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or not function.name.startswith("api_"):
            continue
        keys = set()
        for call in ast.walk(function):
            if isinstance(call, ast.Call):
                name = getattr(call.func, "attr", getattr(call.func, "id", ""))
                holder = getattr(getattr(call.func, "value", None), "id", "")
                if name == "get" and holder == "payload":
                    keys.add(call.args[0].value)
                elif name == "_read_list":
                    keys.add(call.args[1].value)
        found[function.name] = keys
    return found


def read_event_rows(text):
    """[(kinds, keys of data, effect, told by)] of the table of events."""
    section = text.split("### Kinds of events")[1].split("\n| answer key")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| `")]
    return [
        (re.findall(r"`(\w+)`", kinds), set(re.findall(r"`(\w+)`", keys)), effect.strip(), teller.strip())
        for kinds, keys, effect, teller in rows
    ]


@tagged("post_install", "-at_install")
class TestRpcDocument(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.document = read_document(DOCUMENT.read_text()) if DOCUMENT.exists() else None

    def setUp(self):
        super().setUp()
        if self.document is None:
            self.skipTest("the addon is installed without the repository's docs folder")

    def test_the_same_methods(self):
        model = type(self.env["meter.connector"])
        methods = {name for name in dir(model) if name.startswith("api_")}
        self.assertEqual(set(self.document), methods)
        self.assertEqual(rpc_guard.FACE_METHODS, methods)

    def test_the_same_request_keys(self):
        asked = read_request_keys()
        asked["api_hello"] |= {"version", "started_at"}  # taken by _note_hello
        asked["api_ingest"] |= {"batch", *INGEST_COLUMNS}
        asked["api_events"].add("batch")  # for people only
        for method, keys in asked.items():
            with self.subTest(method=method):
                self.assertEqual(self.document[method]["request"], keys)

    def test_the_same_kinds_of_orders(self):
        section = DOCUMENT.read_text().split("### Kinds of orders")[1].split("\n## ")[0]
        cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
        named = {kind for cell in cells for kind in re.findall(r"`(\w+)`", cell)}
        self.assertEqual(named, set(dict(ORDER_KINDS)))

    def test_the_same_kinds_of_events_with_the_same_data(self):
        named, sent = {}, {}
        for kinds, keys, _effect, teller in read_event_rows(DOCUMENT.read_text()):
            named |= dict.fromkeys(kinds, keys)
            sent |= dict.fromkeys(kinds, keys) if teller == "connector" else {}
        self.assertEqual(named, {kind: set(keys) for kind, (_label, keys) in EVENT_KINDS.items()})
        try:
            from meter_connector.events import KINDS
        except ImportError:
            self.skipTest("the connector's package is not installed beside Odoo")
        self.assertEqual(sent, {kind: set(keys) for kind, keys in KINDS.items()})

    def test_what_an_event_does_is_said_and_done(self):
        """A kind with an effect has a handler; a kind that is only kept has none."""
        handled = {
            *EVENT_ALARMS,
            *PROTECTIVE_TRIPS,
            *LOCK_EVENTS,
            "plan_switched",
            "auto_recovered",
            "clock_checked",
        }
        effects = {}
        for kinds, _keys, effect, _teller in read_event_rows(DOCUMENT.read_text()):
            effects |= dict.fromkeys(kinds, effect)
        self.assertEqual({kind for kind, effect in effects.items() if effect != "kept"}, handled)
        for kind in set(effects) - handled:
            event = {"key": f"t:{kind}", "kind": kind, "at": self.now, "circuit_id": self.circuit.id}
            before = (self.open_alarms(), self.switch.is_locked, self.switch.plan_off_until)
            self.assert_all_accepted(self.face.api_events({"events": [event]}), 1)
            after = (self.open_alarms(), self.switch.is_locked, self.switch.plan_off_until)
            self.assertEqual(before, after)

    def test_the_override_of_a_person_is_written_as_the_document_says(self):
        text = re.search(r"`switch_off` \| `([^`]+)` of a person", DOCUMENT.read_text())[1]
        order = self.switch._set_desired("on", "asked", "operator")
        self.assertEqual(order.data, text)
        sent = self.face.api_orders({})["orders"]
        self.assertEqual([each["data"] for each in sent if each["id"] == order.id], [text])

    def test_the_same_answer_keys(self):
        gateway = self.bus.gateway_id
        gateway.write({"link_kind": "tcp_server", "registration": "a", "heartbeat": "b"})
        serial = self.env["meter.bus"].create(
            {"gateway_id": gateway.id, "number": 2, "link_kind": "serial", "device": "/dev/x"}
        )
        periods = [(0, 0, {"from_hour": 8, "to_hour": 22})]
        plan = self.env["meter.supply.plan"].create({"name": "Day", "period_ids": periods})
        meter = self.make_meter(serial, "99", "dts645-3p", supply_plan_id=plan.id, imei="123456789012345")
        profile = {"name": "P", "model_id": meter.model_id.id, "is_auto_recovery": True}
        meter.parameter_profile_id = self.env["meter.parameter.profile"].create(profile)
        self.switch._set_desired("off", "x", "system")
        calls = [
            ("api_hello", {"protocol": 1}),
            ("api_config", {"since": 0}),
            ("api_config", {"since": self.connector.config_version}),
            ("api_ingest", {}),
            ("api_events", {}),
            ("api_orders", {}),
            ("api_report", {}),
        ]
        answered = {}
        for method, payload in calls:
            answered.setdefault(method, set()).update(flatten(getattr(self.face, method)(payload)))
        for method, keys in answered.items():
            with self.subTest(method=method):
                self.assertEqual(self.document[method]["answer"], keys)
