from odoo import api, fields, models


class MeterModel(models.Model):
    _inherit = "meter.model"

    prepaid_capacity = fields.Float(
        "Register Rolls Over At",
        digits=(18, 4),
        default=1000000,
        help="The register shows 0 again at this number.",
    )
    prepaid_max_per_hour = fields.Float(
        "Most per Hour",
        digits=(18, 4),
        help="kWh or m³ of the register that can flow in an hour; more is held back for review. 0: what meters of its kind carry.",
    )
    prepaid_has_rates = fields.Boolean(
        compute="_compute_prepaid_has_rates", store=True, string="Has Rate Registers"
    )

    @api.depends("definition")
    def _compute_prepaid_has_rates(self):
        for model in self:
            keys = {
                row.get("key")
                for row in (model.definition or {}).get("registers", [])
                if isinstance(row, dict)
            }
            model.prepaid_has_rates = {"t1", "t2", "t3", "t4"} <= keys
