from odoo.tests import TransactionCase, tagged


@tagged("post_install", "-at_install")
class TestAssets(TransactionCase):
    def test_the_pages_have_their_styles(self):
        """One wrong line of SCSS takes the styles of every page of the back end away."""
        bundle = self.env["ir.qweb"]._get_asset_bundle("web.assets_backend", js=False)
        css = bundle.preprocess_css()
        self.assertFalse(bundle.css_errors)
        self.assertIn(".o_meter_cover_table", css)
