from odoo import api, models


class MeterOverview(models.AbstractModel):
    _name = "meter.overview"
    _description = "Overview"

    @api.model
    def action_get_data(self):
        return {"cards": [], "energy": {}, "alarms": [], "buildings": []}
