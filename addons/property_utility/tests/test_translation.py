from odoo.tests import TransactionCase, tagged
from odoo.tools import file_open
from odoo.tools.translate import PoFileReader, TranslationModuleReader


@tagged("post_install", "-at_install")
class TestTranslation(TransactionCase):
    def test_every_string_of_this_addon_has_a_chinese_translation(self):
        module = "property_utility"
        with file_open(f"{module}/i18n/zh_CN.po", "rb") as po_file:
            translated = {row["src"] for row in PoFileReader(po_file) if row["value"]}
        exported = TranslationModuleReader(self.env.cr, modules=[module], lang=None)
        missing = sorted({source for _module, _type, _name, _id, source, *_rest in exported} - translated)
        self.assertEqual(missing, [])
