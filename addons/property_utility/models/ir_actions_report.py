from collections import OrderedDict

from odoo import api, models
from odoo.exceptions import UserError

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
