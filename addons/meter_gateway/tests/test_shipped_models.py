"""The models that come along: one of each kind of meter, the Modbus ones as the connector's register maps say."""

from lxml import etree
from odoo.tests import tagged
from odoo.tools.safe_eval import safe_eval

from .common import MeterCase

try:
    from meter_connector.codecs.modbus.registers import MAPS, load_register, named_map
    from meter_connector.drivers.cjt188 import meter_type
    from meter_connector.model import SiteConfig
except ImportError:  # Odoo without the connector's package
    MAPS = ()

#: code -> utility, circuits, has a switch, type byte of CJ/T 188
SHIPPED = {
    "dds645-1p": ("power", 1, True, None),
    "dts645-3p": ("power", 1, True, None),
    "dts645-3p-shunt": ("power", 1, True, None),
    "dd645-97": ("power", 1, False, None),
    "cjt188-cold": ("water", 1, False, 0x10),
    "cjt188-cold-valve": ("water", 1, True, 0x10),
    "cjt188-hot": ("hot_water", 1, False, 0x11),
    "cjt188-hot-valve": ("hot_water", 1, True, 0x11),
    "cjt188-heat": ("heat", 1, False, 0x20),
    "cjt188-gas": ("gas", 1, False, 0x30),
    "acrel-ddsy1352": ("power", 1, True, None),
    "acrel-dtsy1352": ("power", 1, False, None),
    "acrel-dtsd1352": ("power", 1, False, None),
    "hiking-dds238": ("power", 1, True, None),
    "modbus-circuits-4": ("power", 4, True, None),
}


@tagged("post_install", "-at_install")
class TestShippedModels(MeterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chief = cls.make_user("chief", "supervisor")

    def setUp(self):
        super().setUp()
        if not MAPS:
            self.skipTest("the connector's package is not installed beside Odoo")

    def get_model(self, code):
        return self.env["meter.model"].search([("code", "=", code)])

    def make_one_of_each(self):
        return {
            code: self.make_meter(self.bus, str(100 + number), code) for number, code in enumerate(SHIPPED)
        }

    def test_there_is_one_of_each_kind_with_its_circuits_and_switches(self):
        for code, meter in self.make_one_of_each().items():
            kind, circuits, has_switch, _byte = SHIPPED[code]
            with self.subTest(code):
                self.assertEqual(meter.kind_id.code, kind)
                self.assertEqual(len(meter.circuit_ids), circuits)
                self.assertEqual(len(meter.switch_ids), circuits if has_switch else 0)

    def test_the_connector_takes_them_and_knows_their_type_bytes(self):
        self.make_one_of_each()
        self.env.flush_all()
        config = SiteConfig.from_document(self.face.api_config({"since": 0}), is_strict=True)
        found = {
            meter.model.code: meter
            for gateway in config.gateways
            for bus in gateway.buses
            for meter in bus.meters
        }
        self.assertLessEqual(set(SHIPPED), set(found))
        for code, (kind, _circuits, _switch, byte) in SHIPPED.items():
            with self.subTest(code):
                self.assertEqual(found[code].model.kind, kind)
                if byte is not None:
                    self.assertEqual(meter_type(found[code]), byte)

    def test_another_utility_is_news_for_the_connector(self):
        model = self.meter.model_id
        before = self.connector.config_version
        model.kind_id = self.env.ref("property_utility.utility_kind_heat")
        self.assertGreater(self.connector.config_version, before)
        self.assertEqual(model._prepare_document()["kind"], "heat")

    def test_modbus_models_are_the_connector_s_maps(self):
        models = {
            model.definition["quirks"].get("map"): model
            for model in self.env["meter.model"].search([("protocol", "like", "modbus")])
        }
        for name in MAPS:
            table, model = named_map(name), models.get(name)
            with self.subTest(name):
                self.assertTrue(model, "a person can pick it")
                self.assertEqual(
                    [_plain(row) for row in model.definition["registers"]],
                    [_plain(row) for row in table["registers"] if not row.get("optional")],
                )
                switch = {"kind": "modbus", **table["switch"]} if "switch" in table else None
                self.assertEqual(model.definition.get("switch"), switch)
                self.assertEqual(model.has_switch, bool(switch))

    def test_only_a_command_that_can_be_read_back_is_marked(self):
        for code in SHIPPED:
            self.assertEqual(self.get_model(code).is_switch_unverified, code == "acrel-ddsy1352", code)
        meter = self.make_meter(self.bus, "9", "acrel-ddsy1352")
        [circuit] = meter.action_get_panel()["circuits"]
        self.assertTrue(circuit["switch"]["is_unverified"])
        [circuit] = self.meter.action_get_panel()["circuits"]
        self.assertFalse(circuit["switch"]["is_unverified"])
        self.assertFalse(self.is_hidden(meter, "//div[@role='alert'][contains(., 'not verified')]"))
        self.assertTrue(self.is_hidden(self.meter, "//div[@role='alert'][contains(., 'not verified')]"))

    # -- what pages show ----------------------------------------------------------------------------

    def is_hidden(self, meter, path):
        """Does the form hide what is at this path for this meter?"""
        page = meter.with_user(self.chief).get_view(view_type="form")["arch"]
        [node] = etree.fromstring(page).xpath(path)
        names = [name for name in meter._fields if name in node.get("invisible")]
        return bool(safe_eval(node.get("invisible"), {name: meter[name] for name in names}))

    def test_prepayment_is_shown_where_the_model_says_how(self):
        count = {"count": {"address": 0x3002}, "remaining": {"address": 0x3000, "type": "uint32"}}
        amount = {"amount": {"address": 0x3004, "type": "uint32", "scale": "0.01"}}
        table = [
            ("dds645-1p", None, True, False),
            ("dds645-1p", {"layout": "security-30"}, True, True),
            ("dds645-1p", {"function": "14", "di": "070102FF", "fields": []}, True, True),
            ("dd645-97", None, False, False),
            ("cjt188-cold", None, True, True),
            ("hiking-dds238", None, False, False),
            ("hiking-dds238", count, True, False),
            ("hiking-dds238", count | amount, True, True),
            ("hiking-dds238", amount, False, False),
        ]
        for number, (code, purchase, can_read, can_purchase) in enumerate(table, 1):
            model = self.get_model(code).copy({"code": f"copy-{number}"})
            quirks = model.definition.get("quirks", {}) | ({"purchase": purchase} if purchase else {})
            model.definition = model.definition | {"quirks": quirks}
            meter = self.make_meter(self.bus, str(number), model.code)
            with self.subTest(code, purchase=purchase):
                self.assertEqual((meter.can_read_prepayment, meter.can_purchase), (can_read, can_purchase))
                self.assertEqual(self.is_hidden(meter, "//page[@name='prepayment']"), not can_read)
                self.assertEqual(
                    self.is_hidden(meter, "//button[@name='action_read_prepayment']"), not can_read
                )
                self.assertEqual(self.is_hidden(meter, "//button[@name='action_purchase']"), not can_purchase)


def _plain(row):
    return load_register(row), row.get("on"), row.get("off")
