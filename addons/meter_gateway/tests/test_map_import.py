import base64
import io

import openpyxl
from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, tagged

from .common import MeterCase

HEAD = ["Name", "Register Address", "Data Type", "Factor", "Unit"]
GOOD = [
    ["total", "0x0000", "uint32", 0.01, "kWh"],
    ["voltage_v", 11, "u16", "0.1", "V"],
    ["power_kw", "000DH", "s16", 0.001, "kW"],
]


def workbook(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return base64.b64encode(stream.getvalue())


@tagged("post_install", "-at_install")
class TestMapImport(MeterCase, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        vals = {
            "name": "Maker's Meter",
            "code": "maker-1",
            "protocol": "modbus-rtu",
            "kind_id": cls.env.ref("property_utility.utility_kind_power").id,
            "definition": {
                "registers": [
                    {"key": "total", "address": 0, "type": "uint32", "scale": "0.01", "unit": "kWh"},
                    {"key": "current_a", "address": 12, "scale": "0.01"},
                ],
                "quirks": {"max_gap": 0},
            },
        }
        cls.model = cls.env["meter.model"].create(vals)
        cls.meter_of_model = cls.make_meter(cls.bus, "77", "maker-1")
        cls.supervisor = cls.make_user("chief", "supervisor")

    def open_wizard(self, rows=None, content=None, user=None):
        action = self.model.with_user(user or self.supervisor).action_import_map()
        wizard = self.env[action["res_model"]].with_user(user or self.supervisor).browse(action["res_id"])
        wizard.write({"file": content or workbook(rows), "file_name": "map.xlsx"})
        return wizard

    def test_a_makers_table_becomes_the_models_registers(self):
        version = self.connector.config_version
        wizard = self.open_wizard([HEAD, *GOOD])
        self.assertEqual((wizard.register_count, wizard.problem_count), (3, 0))
        for text in ("as before", "new", "is taken out", "current_a", "0x000D"):
            self.assertIn(text, wizard.preview)
        wizard.action_apply()
        self.assertEqual(
            self.model.definition,
            {
                "quirks": {"max_gap": 0},
                "registers": [
                    {"key": "total", "address": 0, "type": "uint32", "scale": "0.01", "unit": "kWh"},
                    {"key": "voltage_v", "address": 11, "type": "uint16", "scale": "0.1", "unit": "V"},
                    {"key": "power_kw", "address": 13, "type": "int16", "scale": "0.001", "unit": "kW"},
                ],
            },
        )
        self.assertGreater(self.connector.config_version, version, "its meters are read anew")
        entry = self.env["audit.entry"].search([("action", "=", "meter_model.map_import")], limit=1)
        self.assertEqual(entry.user_id, self.supervisor)

    def test_every_wrong_row_is_named_and_nothing_is_taken(self):
        before = self.model.definition
        rows = [
            HEAD,
            GOOD[0],
            ["a", "40001", "u16", 1, ""],
            ["b", "zz", "u16", 1, ""],
            ["c", 70000, "u16", 1, ""],
            ["d", 1, "u24", 1, ""],
            ["e", 1, "u16", 0, ""],
            ["", 1, "u16", 1, ""],
            ["total", 8, "u16", 1, ""],
        ]
        wizard = self.open_wizard(rows)
        self.assertEqual((wizard.register_count, wizard.problem_count), (1, 7))
        with self.assertRaises(UserError) as caught:
            wizard.action_apply()
        lines = str(caught.exception).splitlines()
        expected = [
            ("Row 3, column B", "0 for 40001"),
            ("Row 4, column B", "not an address"),
            ("Row 5, column B", "not between 0 and 65535"),
            ("Row 6, column C", "“u24” is no type"),
            ("Row 7, column D", "scale"),
            ("Row 8, column A", "is empty"),
            ("Row 9, column A", "already in a row above"),
        ]
        for line, (place, rule) in zip(lines, expected, strict=True):
            self.assertTrue(line.startswith(place), line)
            self.assertIn(rule, line)
        self.assertEqual(self.model.definition, before)

    def test_addresses_of_a_hexadecimal_column_are_asked_about(self):
        rows = [["total", "0000", "u32", "0.01", "kWh"], ["voltage_v", "000B", "u16", "0.1", "V"]]
        rows += [["power_factor", "0010", "s16", "0.001", ""], ["ct_ratio", "0038", "u16", 1, ""]]
        wizard = self.open_wizard([HEAD, *rows])
        with self.assertRaises(UserError) as caught:
            wizard.action_apply()
        lines = str(caught.exception).splitlines()
        self.assertEqual([line[:15] for line in lines], [f"Row {n}, column B" for n in (2, 3, 4, 5)])
        for line in lines:
            self.assertIn("decimal or hexadecimal", line)
        wizard.addresses = "hexadecimal"
        self.assertEqual((wizard.register_count, wizard.problem_count), (4, 0))
        wizard.action_apply()
        addresses = [row["address"] for row in self.model.definition["registers"]]
        self.assertEqual(addresses, [0, 0x0B, 0x10, 0x38])

    def test_the_model_as_a_whole_has_its_say(self):
        wizard = self.open_wizard([HEAD, GOOD[1]])
        with self.assertRaisesRegex(UserError, "'total'"):
            wizard.action_apply()

    def test_the_register_of_the_switch_stays_as_it_is(self):
        switch = {"key": "switch", "address": 88, "on": 0, "off": 1}
        definition = self.model.definition
        kind = {"kind": "modbus", "address": 87, "function": 16, "on": [1, 0], "off": [1, 1]}
        self.model.write(
            {
                "has_switch": True,
                "definition": {"registers": [*definition["registers"], switch], "switch": kind},
            }
        )
        self.open_wizard([HEAD, *GOOD]).action_apply()
        self.assertEqual(self.model.definition["registers"][-1], switch)
        self.assertEqual(self.model.definition["switch"], kind)
        wizard = self.open_wizard([HEAD, *GOOD, ["switch", 88, "u16", 1, ""]])
        with self.assertRaisesRegex(UserError, "Row 5: The register of the switch"):
            wizard.action_apply()
        wizard.file = wizard.template
        self.assertFalse(wizard.problem_count, wizard.preview)
        self.assertNotIn("is taken out", wizard.preview)

    def test_files_that_are_none(self):
        table = [
            (base64.b64encode(b"name;address\n"), "no Excel workbook"),
            (base64.b64encode(b"PK\x03\x04" + b"\x00" * 50), "no Excel workbook"),
            (base64.b64encode(b"x" * 2_000_001), "too big"),
            (workbook([]), "empty"),
            (workbook([["total", 0]]), "column is missing"),
            (workbook([HEAD, *[["x", 1]] * 2000]), "too many rows"),
        ]
        for content, text in table:
            with self.subTest(text=text), self.assertRaisesRegex(UserError, text):
                self.open_wizard(content=content).action_apply()
        wizard = self.open_wizard([HEAD])
        wizard.file = False
        with self.assertRaisesRegex(UserError, "Choose"):
            wizard.action_apply()

    def test_the_workbook_to_fill_in_is_read_back_as_it_is(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        for lang in ("en_US", "zh_CN"):
            with self.subTest(lang=lang):
                self.supervisor.lang = lang
                wizard = self.open_wizard(user=self.supervisor.with_context(lang=lang), rows=[HEAD])
                wizard = wizard.with_context(lang=lang)
                wizard.file = wizard.template
                self.assertFalse(wizard.problem_count, wizard.preview)
                before = self.model.definition
                wizard.action_apply()
                self.assertEqual(
                    [(row["key"], row["address"]) for row in self.model.definition["registers"]],
                    [(row["key"], row["address"]) for row in before["registers"]],
                )

    def test_the_workbook_is_downloaded_by_its_user_only(self):
        wizard = self.open_wizard([HEAD, *GOOD])
        url = wizard.action_template()["url"]
        self.env.flush_all()
        self.authenticate("chief", "chief")
        answer = self.url_open(url)
        self.assertEqual((answer.status_code, answer.content[:2]), (200, b"PK"))
        self.make_user("op", "power_operator")
        self.authenticate("op", "op")
        self.assertNotEqual(self.url_open(url).content[:2], b"PK")

    def test_wrong_users(self):
        wizard = self.open_wizard([HEAD, *GOOD])
        for role in (
            "power_operator",
            "property_manager",
            "cashier",
            "field_reader",
            "auditor",
            "accountant",
        ):
            user = self.make_user(f"w_{role}", role)
            with self.subTest(role=role):
                with self.assertRaises(AccessError):
                    self.model.with_user(user).action_import_map()
                with self.assertRaises(AccessError):
                    wizard.with_user(user).action_apply()
                with self.assertRaises(AccessError):
                    self.env[wizard._name].with_user(user).create({"model_id": self.model.id})
