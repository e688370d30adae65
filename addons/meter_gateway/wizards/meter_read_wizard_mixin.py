from odoo import fields, models


class MeterReadWizardMixin(models.AbstractModel):
    """A read that somebody waits for: the page stays open until the answer is there."""

    _name = "meter.read.wizard.mixin"
    _description = "Read and Wait"

    meter_id = fields.Many2one("meter.meter", required=True)
    order_id = fields.Many2one("meter.order", readonly=True)
    state = fields.Selection(related="order_id.state")
    outcome = fields.Char(related="order_id.result_text")

    def _place_read(self, kind, data):
        """Place the order of this read; returns the page."""
        self.ensure_one()
        self.env["meter.order"]._check_read_right()
        self.meter_id.check_access("read")
        self.order_id = self.env["meter.order"]._place(kind, self.meter_id, data)
        return self._reopen()

    def action_refresh(self):
        """Is the answer there?"""
        self.ensure_one()
        return self._reopen()

    def _reopen(self):
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
            "name": self._get_title(),
        }

    def _get_title(self):
        """Of the page."""
        raise NotImplementedError
