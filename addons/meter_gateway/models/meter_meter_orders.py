"""Single orders from a meter's page: any value, the clock, the alarm lamp."""

from odoo import models


class MeterMeter(models.Model):
    _inherit = "meter.meter"

    def action_read_items(self):
        """Ask which values."""
        self.ensure_one()
        self.env["meter.order"]._check_read_right()
        self.check_access("read")
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.read.items.wizard",
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Read Values"),
            "context": {"default_meter_id": self.id},
        }

    def action_load_profile(self):
        """Ask from when on."""
        self.ensure_one()
        self.env["meter.order"]._check_read_right()
        self.check_access("read")
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.load.profile.wizard",
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Load Profile"),
            "context": {"default_meter_id": self.id},
        }

    def action_sync_clock(self):
        """Set the clocks of these meters now."""
        return self._order_now("sync_clock")

    def action_alarm_on(self):
        """Lamp or buzzer on, where the meter has one."""
        return self._order_now("alarm_on")

    def action_alarm_off(self):
        return self._order_now("alarm_off")

    def _order_now(self, kind):
        self.env["meter.parameter"]._check_right(self)
        orders = self.env["meter.order"]._place(kind, self)
        for order in orders:
            self.env["audit.entry"]._log(f"meter.{kind}", order.meter_id, after={"order": order.id})
        return self._notify_soon()
