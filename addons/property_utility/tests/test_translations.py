"""Every string of our addons has a Chinese translation, and no translation is left over or breaks its markers."""

import re
from io import BytesIO
from pathlib import Path

import polib
from odoo.modules.module import get_manifest, get_module_path
from odoo.tests import TransactionCase, tagged
from odoo.tools.translate import trans_export

AUTHOR = "Prepaid Utility Contributors"
# Terms that are the same in both languages: numbers, units, product names, pure markup.
SAME_IN_BOTH = re.compile(r"^[\W\d_]*$")
MARKER = re.compile(r"%\(\w+\)[sdrf]|%[sdr]|\{\w*\}")


@tagged("post_install", "-at_install")
class TestTranslations(TransactionCase):
    def _get_our_modules(self):
        installed = self.env["ir.module.module"].search([("state", "=", "installed")]).mapped("name")
        return [name for name in installed if get_manifest(name).get("author") == AUTHOR]

    def _export(self, module):
        buffer = BytesIO()
        trans_export(False, [module], buffer, "po", self.env)
        return polib.pofile(buffer.getvalue().decode())

    def _read_chinese(self, module):
        path = Path(get_module_path(module)) / "i18n" / "zh_CN.po"
        self.assertTrue(path.exists(), f"{module}/i18n/zh_CN.po is missing")
        return polib.pofile(str(path))

    def test_every_string_is_translated_to_chinese(self):
        modules = self._get_our_modules()
        self.assertTrue(modules)
        for module in modules:
            chinese = {entry.msgid: entry for entry in self._read_chinese(module) if not entry.obsolete}
            wanted = {entry.msgid for entry in self._export(module) if not SAME_IN_BOTH.match(entry.msgid)}
            missing = sorted(text for text in wanted if text not in chinese or not chinese[text].msgstr)
            with self.subTest(module=module):
                self.assertFalse(
                    missing, f"{module}: {len(missing)} strings without Chinese, such as {missing[:10]}"
                )

    def test_translations_keep_the_markers_of_their_source(self):
        for module in self._get_our_modules():
            broken = [
                entry.msgid
                for entry in self._read_chinese(module)
                if entry.msgstr
                and sorted(MARKER.findall(entry.msgid)) != sorted(MARKER.findall(entry.msgstr))
            ]
            with self.subTest(module=module):
                self.assertFalse(broken, f"{module}: markers differ in {broken[:10]}")
