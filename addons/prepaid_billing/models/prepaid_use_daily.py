from odoo import fields, models


class PrepaidUseDaily(models.Model):
    """Use and money per service point, tenancy and day of the site: kept by the settlement, never scanned together."""

    _name = "prepaid.use.daily"
    _description = "Daily Use and Cost"
    _order = "day desc, service_point_id"
    _rec_name = "day"
    _log_access = False

    day = fields.Date(required=True, readonly=True)
    service_point_id = fields.Many2one(
        "utility.service.point", required=True, readonly=True, ondelete="restrict"
    )
    contract_id = fields.Many2one("contract.contract", readonly=True, ondelete="restrict", string="Tenancy")
    kind_id = fields.Many2one("utility.kind", readonly=True, ondelete="restrict")
    building_id = fields.Many2one("property.building", readonly=True, ondelete="restrict")
    company_id = fields.Many2one("res.company", readonly=True, ondelete="restrict")
    currency_id = fields.Many2one(related="company_id.currency_id")
    quantity = fields.Float("Use", digits=(18, 4), readonly=True)
    amount = fields.Monetary(readonly=True)

    _key_uniq = models.UniqueIndex("(service_point_id, coalesce(contract_id, 0), day)")
    _contract_day_idx = models.Index("(contract_id, day)")
    _day_idx = models.Index("(day)")
