"""What meters of a model can do, as their definition says; pages show only that."""

from odoo import api, fields, models


class MeterModel(models.Model):
    _inherit = "meter.model"

    can_read_prepayment = fields.Boolean(
        "Remaining Amount Readable", compute="_compute_abilities", help="Purchase count and remaining amount."
    )
    can_purchase = fields.Boolean("Takes Purchases", compute="_compute_abilities")
    is_switch_unverified = fields.Boolean(
        "Switch Not Verified",
        compute="_compute_abilities",
        help="What is read back is the command that was given, not what the contactor does.",
    )

    @api.depends("definition", "protocol")
    def _compute_abilities(self):
        for model in self:
            model.can_read_prepayment, model.can_purchase = model._get_prepayment()
            switch = (model.definition or {}).get("switch")
            model.is_switch_unverified = isinstance(switch, dict) and switch.get("read_back") == "command"

    def _get_prepayment(self):
        """(can its purchase count be read, can an amount be put into it), see ``quirks.purchase`` in docs/protocols/meter-models.md."""
        self.ensure_one()
        spec = ((self.definition or {}).get("quirks") or {}).get("purchase")
        keys = spec.keys() if isinstance(spec, dict) else set()
        if self.protocol == "cjt188":
            return True, True
        if self.protocol == "dlt645-2007":
            return True, "layout" in keys or {"function", "di", "fields"} <= keys
        if self.protocol in ("modbus-rtu", "modbus-tcp"):
            return "count" in keys, {"count", "amount"} <= keys
        return False, False


class MeterMeter(models.Model):
    _inherit = "meter.meter"

    can_read_prepayment = fields.Boolean(related="model_id.can_read_prepayment")
    can_purchase = fields.Boolean(related="model_id.can_purchase")
    is_switch_unverified = fields.Boolean(related="model_id.is_switch_unverified")


class MeterSwitch(models.Model):
    _inherit = "meter.switch"

    is_unverified = fields.Boolean(related="meter_id.is_switch_unverified")
