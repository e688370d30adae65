from datetime import timedelta

from odoo import models

#: Readings so long before and after an event or alarm are looked at with it.
AROUND = timedelta(minutes=30)


class MeterMeter(models.Model):
    """Buttons of the meter's page; rights are checked where the work is done."""

    _inherit = "meter.meter"

    def action_read_now(self):
        """Ask the connectors to read these meters now (before the scheduled reads)."""
        self.env["meter.order"]._request_reads(self)
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": self.env._("%s meters will be read in the next seconds.", len(self)),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def action_switch_on(self):
        return self.switch_ids.action_switch_on()

    def action_switch_off(self):
        return self.switch_ids.action_switch_off()

    def action_restore(self):
        return self.switch_ids.action_restore()

    def action_keep_power(self):
        return self.switch_ids.action_keep_power()

    def action_end_keep_power(self):
        return self.switch_ids.action_end_keep_power()

    def action_view_use(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_energy_day_action")
        return action | {"domain": [("meter_id", "=", self.id)], "context": {}}

    def action_view_alarms(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_alarm_action")
        return action | {"domain": [("meter_id", "=", self.id)], "context": {}}

    def action_view_readings(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_reading_action")
        return action | {"domain": [("circuit_id", "in", self.circuit_ids.ids)], "context": {}}

    def action_view_events(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_event_action")
        return action | {"domain": [("meter_id", "=", self.id)], "context": {}}

    def _open_readings_around(self, at):
        """The readings of half an hour before and after; False where no meter is meant."""
        if not self:
            return False
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_reading_action")
        domain = [
            ("circuit_id", "in", self.circuit_ids.ids),
            ("at", ">=", at - AROUND),
            ("at", "<=", at + AROUND),
        ]
        return action | {"name": self.env._("Readings Around"), "domain": domain, "context": {}}

    def action_view_orders(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_order_action")
        return action | {"domain": [("meter_id", "=", self.id)], "context": {}}
