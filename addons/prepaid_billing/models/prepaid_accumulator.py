from odoo import fields, models


class PrepaidAccumulator(models.Model):
    """Use and charges so far of one payer, price version and period at a service point: every charge is the price of
    this use less what was charged before. Written by the settlement, in SQL."""

    _name = "prepaid.accumulator"
    _description = "Charged So Far"
    _order = "period_start desc, service_point_id"
    _rec_name = "service_point_id"
    _log_access = False

    service_point_id = fields.Many2one(
        "utility.service.point", required=True, readonly=True, ondelete="restrict"
    )
    contract_id = fields.Many2one("contract.contract", readonly=True, ondelete="restrict", string="Tenancy")
    tariff_version_id = fields.Many2one(
        "utility.tariff.version", required=True, readonly=True, ondelete="restrict"
    )
    period_start = fields.Date(required=True, readonly=True)
    opening = fields.Float(
        digits=(18, 4), readonly=True, help="Use of the period priced by an earlier version."
    )
    total = fields.Float(digits=(18, 4), readonly=True)
    t1 = fields.Float(digits=(18, 4), readonly=True)
    t2 = fields.Float(digits=(18, 4), readonly=True)
    t3 = fields.Float(digits=(18, 4), readonly=True)
    t4 = fields.Float(digits=(18, 4), readonly=True)
    charged = fields.Float(digits=(18, 2), readonly=True)

    _key_uniq = models.UniqueIndex(
        "(service_point_id, coalesce(contract_id, 0), tariff_version_id, period_start)"
    )
