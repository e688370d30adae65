from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.meter_switch_protection import LOCK_EVENTS, PROTECTIVE_TRIPS

AROUND = timedelta(minutes=15)


class MeterRestoreWizard(models.TransientModel):
    """Restore supplies that were locked after protective trips: look first, then switch on."""

    _name = "meter.restore.wizard"
    _description = "Restore Supply"

    switch_ids = fields.Many2many("meter.switch", required=True)
    event_ids = fields.Many2many("meter.event", compute="_compute_around")
    reading_ids = fields.Many2many("meter.reading", string="Readings Around", compute="_compute_around")
    is_load_removed = fields.Boolean("The load that tripped it is disconnected")
    is_wiring_checked = fields.Boolean("Wiring and terminals were looked at")
    is_tenant_informed = fields.Boolean("The tenant knows that supply returns")
    reason = fields.Char("What Was Found", required=True)

    @api.depends("switch_ids")
    def _compute_around(self):
        """The protective trips of the last days, and what the meter showed around them."""
        for wizard in self:
            circuits = wizard.switch_ids.circuit_id
            since = fields.Datetime.now() - timedelta(days=3)
            wizard.event_ids = self.env["meter.event"].search(
                [
                    ("at", ">=", since),
                    ("kind", "in", [*PROTECTIVE_TRIPS, *LOCK_EVENTS]),
                    "|",
                    ("circuit_id", "in", circuits.ids),
                    ("meter_id", "in", circuits.meter_id.ids),
                ],
                limit=12,
            )
            last = max(
                wizard.switch_ids.filtered("last_protective_trip_at").mapped("last_protective_trip_at"),
                default=None,
            )
            wizard.reading_ids = last and self.env["meter.reading"].search(
                [
                    ("circuit_id", "in", circuits.ids),
                    ("at", ">=", last - AROUND),
                    ("at", "<=", last + AROUND),
                ],
                limit=60,
            )

    def action_apply(self):
        """The server checks function, utility and building again."""
        self.ensure_one()
        self.switch_ids._check_right()
        if not (self.is_load_removed and self.is_wiring_checked and self.is_tenant_informed):
            raise UserError(self.env._("Tick what was done first; each line protects somebody."))
        if not (self.reason or "").strip():
            raise UserError(self.env._("Say what was found."))
        self.switch_ids._restore(self.reason.strip())
        return {"type": "ir.actions.act_window_close"}
