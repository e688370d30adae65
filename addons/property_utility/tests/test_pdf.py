import io

import pypdf
from odoo import Command
from odoo.exceptions import AccessError
from odoo.tests import tagged
from PIL import Image

from ..tools.report_fetcher import LOCAL_HOST, RefusedUrlError, ReportFetcher
from .common import EstateCase


@tagged("post_install", "-at_install")
class TestPdf(EstateCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("zh_CN")
        cls.env.company.write({"report_footer": "<p>海星物业 · 服务热线</p>", "name": "海星物业管理有限公司"})
        cls.partner = cls.env["res.partner"].create({"name": "示例餐饮有限公司", "lang": "zh_CN"})

    def make_invoice(self, lines=1):
        invoice = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.partner.id,
                "invoice_date": "2026-03-31",
                "invoice_line_ids": [
                    Command.create(
                        {"name": f"电费 {n} 尖峰平谷", "quantity": 1, "price_unit": 12.34, "tax_ids": False}
                    )
                    for n in range(lines)
                ],
            }
        )
        invoice.action_post()
        return invoice

    def print(self, invoices):
        reports = self.env["ir.actions.report"].with_context(force_report_rendering=True, lang="zh_CN")
        content, kind = reports._render_qweb_pdf("account.account_invoices", invoices.ids)
        self.assertEqual(kind, "pdf")
        return pypdf.PdfReader(io.BytesIO(content))

    def test_an_invoice_prints_chinese_with_header_footer_and_page_numbers(self):
        reader = self.print(self.make_invoice(60))
        self.assertGreater(len(reader.pages), 1)
        for number, page in enumerate(reader.pages, start=1):
            text = page.extract_text().replace(" ", "")
            self.assertIn("服务热线", text, "the footer is on every page")
            self.assertIn(f"{number}/{len(reader.pages)}", text)
        text = "".join(page.extract_text() for page in reader.pages)
        self.assertIn("示例餐饮有限公司", text)
        self.assertIn("电费 59 尖峰平谷", text)
        fonts = " ".join(
            str(font.get_object()["/BaseFont"])
            for page in reader.pages
            for font in page["/Resources"]["/Font"].values()
        )
        self.assertIn("CJK-SC", fonts, fonts)

    def test_several_invoices_count_their_pages_apart_and_are_kept_apart(self):
        invoices = self.make_invoice(1) | self.make_invoice(60) | self.make_invoice(1)
        reader = self.print(invoices)
        texts = [page.extract_text().replace(" ", "") for page in reader.pages]
        self.assertIn("1/1", texts[0])
        self.assertIn("1/1", texts[-1])
        self.assertIn(f"1/{len(reader.pages) - 2}", texts[1])

    def test_the_reports_page_says_that_pdfs_can_be_made(self):
        reports = self.env["ir.actions.report"]
        self.assertEqual(reports.get_wkhtmltopdf_state(), "ok")
        self.assertTrue(reports._is_weasyprint_used())
        self.env["ir.config_parameter"].set_param("property_utility.pdf_engine", "wkhtmltopdf")
        self.assertFalse(reports._is_weasyprint_used())


@tagged("post_install", "-at_install")
class TestFetcher(EstateCase):
    def setUp(self):
        super().setUp()
        self.fetcher = ReportFetcher(self.env, "http://odoo.example.com")

    def test_nothing_from_outside_and_no_other_file_is_loaded(self):
        refused = (
            "http://example.com/logo.png",
            "https://fonts.example.com/a.woff2",
            "file:///etc/passwd",
            "ftp://odoo.example.com/x",
            f"http://{LOCAL_HOST}/etc/passwd",
            f"http://{LOCAL_HOST}/web/static/../../../../../etc/passwd",
            f"http://{LOCAL_HOST}/base/static/../models/res_users.py",
            f"http://{LOCAL_HOST}/base/static/x.py",
            f"http://{LOCAL_HOST}/web/database/manager",
            f"http://{LOCAL_HOST}/web/content/1",
            "http://odoo.example.com@example.com/web/static/img/logo.png",
        )
        for url in refused:
            with self.subTest(url=url), self.assertRaises(RefusedUrlError):
                self.fetcher.fetch(url)

    def test_assets_of_the_database_and_of_addons_are_loaded(self):
        for host in (LOCAL_HOST, "odoo.example.com"):
            logo = self.fetcher.fetch(f"http://{host}/web/static/img/logo.png")
            self.assertEqual(Image.open(io.BytesIO(logo.read())).format, "PNG")
        css = self.fetcher.fetch(f"http://{LOCAL_HOST}/web/assets/any/web.report_assets_common.min.css")
        self.assertIn(b".o_company_logo", css.read())
        code = self.fetcher.fetch(
            f"http://{LOCAL_HOST}/report/barcode/?barcode_type=QR&value=100001&width=80&height=80"
        )
        self.assertEqual(Image.open(io.BytesIO(code.read())).format, "PNG")
        self.assertEqual(self.fetcher.fetch("data:text/plain,hello").read(), b"hello")

    def test_a_qr_code_and_a_barcode_are_drawn_where_reportlab_has_no_picture_back_end(self):
        rows = [
            ("QR", "100001", 200, 200),
            ("Code128", "ABC-123", 300, 60),
            ("EAN13", "6901234567892", 300, 60),
        ]
        for kind, value, width, height in rows:
            with self.subTest(kind=kind):
                content = self.env["ir.actions.report"].barcode(kind, value, width=width, height=height)
                picture = Image.open(io.BytesIO(content)).convert("L")
                self.assertEqual(picture.size, (width, height))
                black = sum(picture.histogram()[:64]) / (width * height)
                self.assertTrue(0.1 < black < 0.7, black)
        with self.assertRaises(ValueError):
            self.env["ir.actions.report"].barcode("Code128", "中文")

    def test_an_image_is_loaded_with_the_rights_of_who_prints(self):
        attachment = self.env["ir.attachment"].create(
            {
                "name": "a.png",
                "raw": self.read_logo(),
                "res_model": "property.building",
                "res_id": self.building_b.id,
            }
        )
        url = f"http://{LOCAL_HOST}/web/image/{attachment.id}"
        self.assertTrue(self.fetcher.fetch(url).read())
        stranger = self.user("cashier", self.building_a)
        with self.assertRaises(AccessError):
            ReportFetcher(self.env(user=stranger), "").fetch(url)

    def read_logo(self):
        return self.fetcher.fetch(f"http://{LOCAL_HOST}/web/static/img/logo.png").read()
