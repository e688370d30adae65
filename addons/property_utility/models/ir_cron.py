from odoo import models


class IrCron(models.Model):
    """Jobs speak the company's language: people read what they write into alarms, ledgers and mails.

    Odoo runs them in no language at all, which is English.
    """

    _inherit = "ir.cron"

    def _callback(self, cron_name, server_action_id):
        lang = self.env.company.partner_id.lang or self.env.user.lang
        return super(IrCron, self.with_context(lang=lang))._callback(cron_name, server_action_id)
