from odoo.exceptions import ValidationError
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

from ..definition import find_problems

TOTAL = {"key": "total", "di": "00010000"}
MODBUS = {"key": "total", "address": 0, "type": "uint32", "scale": "0.01"}


@tagged("post_install", "-at_install")
class TestDefinition(TransactionCase):
    def test_problems_name_the_key_and_the_rule(self):
        table = [
            ([], "dlt645-2007", "must be an object"),
            ({}, "dlt645-2007", "registers: a list with at least one register"),
            ({"registers": [TOTAL], "swich": {}}, "dlt645-2007", "swich: unknown key"),
            ({"registers": ["total"]}, "dlt645-2007", "registers[0]: must be an object"),
            ({"registers": [TOTAL | {"dl": "1"}]}, "dlt645-2007", "registers[0].dl: unknown key"),
            (
                {"registers": [TOTAL, TOTAL]},
                "dlt645-2007",
                "registers[1].key: 'total' of circuit 1 is there twice",
            ),
            ({"registers": [TOTAL | {"di": "9010"}]}, "dlt645-2007", "is not 8 hexadecimal digits"),
            ({"registers": [TOTAL]}, "dlt645-1997", "is not 4 hexadecimal digits"),
            (
                {"registers": [TOTAL | {"circuit": 2}]},
                "dlt645-2007",
                "registers[0].circuit: 2 is not between",
            ),
            ({"registers": [TOTAL | {"key": "Total"}]}, "dlt645-2007", "lower case"),
            (
                {"registers": [{"key": "voltage_v", "di": "02010100"}]},
                "dlt645-2007",
                "no register has the key 'total'",
            ),
            ({"registers": [TOTAL]}, "modbus-rtu", "registers[0].address: None is not a register number"),
            (
                {"registers": [MODBUS | {"type": "bcd"}]},
                "modbus-rtu",
                "registers[0].type: 'bcd' is not one of",
            ),
            ({"registers": [MODBUS | {"count": 1}]}, "modbus-rtu", "uint32 takes 2 words, not 1"),
            ({"registers": [MODBUS | {"scale": 0.01}]}, "modbus-rtu", "is not a decimal written as text"),
            ({"registers": [MODBUS | {"word_order": "odd"}]}, "modbus-rtu", "is not high or low"),
            ({"registers": [TOTAL], "switch": {"kind": "dlt645"}}, "dlt645-2007", "marked as having none"),
        ]
        for definition, protocol, text in table:
            with self.subTest(text=text):
                self.assertIn(text, "\n".join(find_problems(definition, protocol)))

    def test_problems_of_switches(self):
        modbus = {"kind": "modbus", "address": 1, "on": [1], "off": [0]}
        table = [
            (None, "dlt645-2007", "switch: missing"),
            ({"kind": "modbus"}, "dlt645-2007", "it must be 'dlt645'"),
            ({"kind": "dlt645"}, "dlt645-1997", "has no standard way to switch"),
            (modbus | {"on": [70000]}, "modbus-rtu", "switch.on: [70000] is not a register value"),
            (modbus | {"address": "57"}, "modbus-rtu", "switch.address: '57'"),
        ]
        for switch, protocol, text in table:
            register = (
                MODBUS
                if protocol.startswith("modbus")
                else TOTAL | ({"di": "9010"} if "1997" in protocol else {})
            )
            with self.subTest(text=text):
                problems = find_problems(
                    {"registers": [register], "switch": switch}, protocol, has_switch=True
                )
                self.assertIn(text, "\n".join(problems))

    def test_the_models_that_ship_are_good_and_show_their_registers(self):
        models = self.env["meter.model"].search([])
        codes = {
            "dds645-1p",
            "dts645-3p",
            "dd645-97",
            "cjt188-cold",
            "cjt188-cold-valve",
            "acrel-ddsy1352",
            "hiking-dds238",
        }
        self.assertLessEqual(codes, set(models.mapped("code")))
        for model in models:
            self.assertEqual(
                find_problems(model.definition, model.protocol, model.circuit_count, model.has_switch), []
            )
            self.assertIn("total", model.register_table)
        relay = models.filtered(lambda model: model.code == "hiking-dds238")
        self.assertIn("001A", relay.register_table)

    def test_spellings_of_the_documents_are_known(self):
        registers = [
            MODBUS
            | {
                "address": "0x000B",
                "word_order": "low",
                "function": 4,
                "none": 65535,
                "mask": 255,
                "shift": 8,
            },
            {"key": "switch", "address": 26, "on": 1, "off": 0, "pending": 2},
            {"key": "power_kw", "address": 14, "type": "float32", "offset": "1"},
        ]
        switch = {
            "kind": "modbus",
            "write": {"address": 26, "function": 5, "on": 1, "off": [0]},
            "stride": 1,
            "obey_s": 9,
        }
        self.assertEqual(find_problems({"registers": registers, "switch": switch}, "modbus-tcp", 1, True), [])
        registers = [{"key": "total", "di": "901f", "value": "current", "index": 0, "scale": "0.001"}]
        self.assertEqual(find_problems({"registers": registers, "block": {}}, "cjt188"), [])

    @mute_logger("odoo.sql_db")
    def test_a_wrong_definition_is_refused_with_all_its_problems(self):
        model = self.env.ref("meter_gateway.meter_model_dds645_1p")
        with self.assertRaises(ValidationError) as caught:
            model.definition_text = '{"registers": [{"key": "total", "di": "1"}], "more": 1}'
        self.assertIn("registers[0].di", str(caught.exception))
        self.assertIn("more: unknown key", str(caught.exception))
        with self.assertRaisesRegex(ValidationError, "not JSON"):
            model.definition_text = "{"

    def test_a_good_definition_typed_by_a_person_is_kept(self):
        model = self.env.ref("meter_gateway.meter_model_dd645_97")
        model.definition_text = '{"registers": [{"key": "total", "di": "9010"}]}'
        self.assertEqual(model.definition, {"registers": [{"key": "total", "di": "9010"}]})
        self.assertEqual(model._prepare_document()["protocol"], "dlt645-1997")
