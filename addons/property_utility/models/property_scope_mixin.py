from odoo import models


class PropertyScopeMixin(models.AbstractModel):
    """Keeps a record from being moved out of the reach of who moves it.

    Record rules are checked before a write only. Without this, an operator of building A could move a unit
    to building B, or tie a point of A to a unit of B.
    """

    _name = "property.scope.mixin"
    _description = "Checks the building scope again after a move"
    _inherit = ["property.facts.mixin"]

    _scope_fields = ("site_id", "building_id", "floor_id", "unit_id", "contract_id")

    def write(self, vals):
        result = super().write(vals)
        if not self.env.su and not vals.keys().isdisjoint(self._scope_fields):
            self.flush_recordset()
            self.check_access("write")
        return result
