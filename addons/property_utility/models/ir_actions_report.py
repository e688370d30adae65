import io
from collections import OrderedDict

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools.barcode import check_barcode_encoding
from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from reportlab.graphics.utils import RenderPMError

from ..tools.barcode_png import render_barcode_png
from ..tools.report_pdf import compute_page, render_pdf


class IrActionsReport(models.Model):
    """All PDF reports by WeasyPrint: Chinese, headers, footers and page numbers, no binary to install."""

    _inherit = "ir.actions.report"

    @api.model
    def _is_weasyprint_used(self):
        engine = self.env["ir.config_parameter"].sudo().get_param("property_utility.pdf_engine")
        return engine != "wkhtmltopdf"

    @api.model
    def get_wkhtmltopdf_state(self):
        if self._is_weasyprint_used():
            return "ok"
        return super().get_wkhtmltopdf_state()

    @api.model
    def barcode(self, barcode_type, value, **kwargs):
        """Barcodes also where reportlab has no back end for pictures (rlPyCairo), as on a plain Debian."""
        try:
            return super().barcode(barcode_type, value, **kwargs)
        except RenderPMError:
            return self._get_barcode_without_back_end(barcode_type, value, **kwargs)

    def _get_barcode_without_back_end(self, barcode_type, value, **kwargs):
        options = {
            "width": int(kwargs.get("width", 600)),
            "height": int(kwargs.get("height", 100)),
            "humanReadable": bool(int(kwargs.get("humanreadable", 0))),
            "barLevel": kwargs.get("barLevel", "L"),
            "barBorder": 4 if bool(int(kwargs.get("quiet", 1))) else 0,
            "quiet": bool(int(kwargs.get("quiet", 1))),
        }
        if barcode_type == "auto":
            barcode_type = {8: "EAN8", 13: "EAN13"}.get(len(value), "Code128")
        if barcode_type in ("EAN8", "EAN13") and not check_barcode_encoding(value, barcode_type):
            barcode_type = "Code128"
        try:
            return render_barcode_png(barcode_type, value, **options)
        except (ValueError, AttributeError) as error:
            raise ValueError(self.env._("%s cannot be written as a barcode.", value)) from error

    @api.model
    def _merge_pdfs(self, streams, handle_error=None):
        """By pypdf: Odoo's own way needs PyPDF2 below 3, of which pip takes the last."""
        if not self._is_weasyprint_used():
            return super()._merge_pdfs(streams, *([handle_error] if handle_error else []))
        writer = PdfWriter()
        for stream in streams:
            try:
                writer.append(PdfReader(stream), import_outline=False)
            except (PyPdfError, TypeError, NotImplementedError, ValueError) as error:
                if handle_error is None:
                    raise UserError(self.env._("The PDF files cannot be put together.")) from error
                handle_error(error=error, error_stream=stream)
        result = io.BytesIO()
        writer.write(result)
        streams.append(result)  # the caller closes what is in this list
        return result

    def _render_qweb_pdf_prepare_streams(self, report_ref, data, res_ids=None):
        """One record at a time: splitting by outlines fits wkhtmltopdf's PDF only."""
        is_single = not res_ids or len(res_ids) == 1 or len(res_ids) != len(set(res_ids))
        if is_single or not self._is_weasyprint_used():
            return super()._render_qweb_pdf_prepare_streams(report_ref, data, res_ids=res_ids)
        streams = OrderedDict()
        for res_id in res_ids:
            streams.update(super()._render_qweb_pdf_prepare_streams(report_ref, data, res_ids=[res_id]))
        return streams

    @api.model
    def _run_wkhtmltopdf(
        self,
        bodies,
        report_ref=False,
        header=None,
        footer=None,
        landscape=False,
        specific_paperformat_args=None,
        set_viewport_size=False,
    ):
        if not self._is_weasyprint_used():
            return super()._run_wkhtmltopdf(
                bodies,
                report_ref=report_ref,
                header=header,
                footer=footer,
                landscape=landscape,
                specific_paperformat_args=specific_paperformat_args,
                set_viewport_size=set_viewport_size,
            )
        if not bodies:
            raise UserError(self.env._("There is nothing to print."))
        paperformat = self._get_report(report_ref).get_paperformat() if report_ref else self.get_paperformat()
        return render_pdf(
            self.env,
            bodies,
            header=header,
            footer=footer,
            page=compute_page(paperformat, landscape, specific_paperformat_args),
            lang=self.env.lang,
            base_url=self._get_report_url(),
        )
