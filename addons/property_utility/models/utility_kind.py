from odoo import fields, models


class UtilityKind(models.Model):
    _name = "utility.kind"
    _description = "Utility Kind"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    is_metered = fields.Boolean(string="Metered", default=True)
    uom_name = fields.Char(string="Unit of Measure", help="Unit of the register, e.g. kWh or m³.")
    color = fields.Integer()
    icon = fields.Char(help="Font Awesome class shown with service points of this kind, e.g. fa-bolt.")
    active = fields.Boolean(default=True)

    _code_uniq = models.UniqueIndex("(code)", "A utility kind with this code exists already.")
