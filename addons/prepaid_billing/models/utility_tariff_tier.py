from odoo import api, fields, models
from odoo.exceptions import UserError

from .utility_tariff_version import _to_text


class UtilityTariffTier(models.Model):
    _name = "utility.tariff.tier"
    _description = "Tariff Tier"
    _inherit = ["property.facts.mixin"]
    _order = "version_id, is_last, upto, id"

    version_id = fields.Many2one("utility.tariff.version", required=True, index=True, ondelete="cascade")
    upto = fields.Float(
        "Up To", digits=(12, 2), help="Use of the period up to which this price holds; empty: the rest."
    )
    is_last = fields.Boolean(compute="_compute_is_last", store=True)
    price = fields.Float(
        required=True, digits=(12, 6), help="Price, or surcharge on the rate's price with time of use."
    )

    @api.depends("upto")
    def _compute_is_last(self):
        for tier in self:
            tier.is_last = not tier.upto

    def _prepare_definition(self):
        row = {"price": _to_text(self.price)}
        return row | {"upto": _to_text(self.upto)} if self.upto else row

    def _check_draft(self):
        if any(tier.version_id.state == "confirmed" for tier in self):
            raise UserError(
                self.env._("A confirmed version stays as it is. Make a new version from a later date.")
            )

    @api.model_create_multi
    def create(self, vals_list):
        tiers = super().create(vals_list)
        tiers._check_draft()
        return tiers

    def write(self, vals):
        self._check_draft()
        result = super().write(vals)
        self._check_draft()  # also of the version it was moved to
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_only_draft(self):
        self._check_draft()
