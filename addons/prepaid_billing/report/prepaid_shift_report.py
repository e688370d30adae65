from odoo import api, models


class ReportPrepaidShift(models.AbstractModel):
    _name = "report.prepaid_billing.report_shift"
    _description = "Shift Hand-over"

    @api.model
    def _get_report_values(self, docids, data=None):
        shifts = self.env["prepaid.shift"].browse(docids)
        for shift in shifts:
            shift._check_cashier()
        return {
            "doc_ids": shifts.ids,
            "doc_model": "prepaid.shift",
            "docs": shifts,
            "rows": {shift.id: shift._get_rows() for shift in shifts},
            "topups": {shift.id: shift._get_topups() for shift in shifts},
            "methods": dict(self.env["prepaid.topup"]._fields["method"]._description_selection(self.env)),
        }
