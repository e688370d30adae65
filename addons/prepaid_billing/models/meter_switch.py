from odoo import models


class MeterSwitch(models.Model):
    _inherit = "meter.switch"

    def _is_tripped_by_policy(self):
        """Whether money cut it: who asked first, not who repeated the order."""
        self.ensure_one()
        return self.desired == "off" and self.origin == "policy"

    def _is_trip_still_wanted(self):
        """A trip for money is only repeated while the tenancy's case says so."""
        if not self._is_tripped_by_policy():
            return super()._is_trip_still_wanted()
        contract = self.service_point_id._get_tenancy_at(self.env.cr.now()).get(self.service_point_id.id)
        if not contract:
            return super()._is_trip_still_wanted()
        return contract._get_open_case().state == "tripped"
