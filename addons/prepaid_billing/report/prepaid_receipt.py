from odoo import api, models
from odoo.exceptions import UserError


class ReportPrepaidReceipt(models.AbstractModel):
    _name = "report.prepaid_billing.report_receipt"
    _description = "Deposit Slip"

    @api.model
    def _get_report_values(self, docids, data=None):
        """Every rendering counts as a printing, whichever way it was asked for; the second is marked as a reprint."""
        topups = self.env["prepaid.topup"].browse(docids)
        topups.check_access("read")
        if any(topup.state == "draft" for topup in topups):
            raise UserError(self.env._("There is no receipt before the money is confirmed."))
        topups._count_receipt_sudo()
        return {
            "doc_ids": topups.ids,
            "doc_model": "prepaid.topup",
            "docs": topups.sudo(),  # the slip shows names of units and cashier the reader may not open
            "printed_by": self.env.user.name,
        }
