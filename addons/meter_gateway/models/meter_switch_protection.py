"""Protective trips of meters (overload, malignant load, temperature): recovery by itself, after three in a row only by a person."""

from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

#: Event kinds of protective trips -> alarm kinds.
PROTECTIVE_TRIPS = {
    "overload_trip": "overload",
    "malignant_load_trip": "malignant_load",
    "temperature_trip": "over_temperature",
    "meter_tripped": "meter_tripped",
}
LOCK_EVENTS = ("protection_locked", "recovery_locked")
#: Trips closer than this to the one before are in a row.
IN_A_ROW = timedelta(hours=1)
TRIPS_BEFORE_LOCK = 3
RECOVERY_DELAY_S = 300
#: For the connector to switch and read back.
MARGIN_S = 120


class MeterSwitch(models.Model):
    _inherit = "meter.switch"

    protective_trips = fields.Integer("Protective Trips in a Row", readonly=True)
    last_protective_trip_at = fields.Datetime("Last Protective Trip", readonly=True)
    last_protective_kind = fields.Char(readonly=True)
    is_locked = fields.Boolean(
        readonly=True, help="Tripped too often to protect wiring and people; only a person restores it."
    )
    locked_at = fields.Datetime(readonly=True)
    obeyed_generation = fields.Integer(
        readonly=True,
        help="The newest wish that the switch was seen to follow; off after that it went by itself.",
    )

    def _note_desired(self, state, reason, source, expires_at):
        result = super()._note_desired(state, reason, source, expires_at)
        self._note_followed()
        return result

    def _note_reported(self, reported, at, generation=None):
        is_news = super()._note_reported(reported, at, generation)
        self._note_followed()
        return is_news

    def _note_changed(self):
        """A supply that went off by itself rests before it is ordered on again: perhaps it protects somebody."""
        self._note_followed()
        for switch in self.filtered(lambda switch: switch._has_gone_off()):
            wait = timedelta(
                seconds=switch._get_recovery_wait_s(switch.meter_id.parameter_profile_id.is_auto_recovery)
            )
            at = fields.Datetime.now() + wait
            switch.next_try_at = max(switch.next_try_at or at, at)
        return super()._note_changed()

    def _note_followed(self):
        for switch in self:
            if switch.reported == switch.desired and switch.obeyed_generation != switch.generation:
                switch.obeyed_generation = switch.generation

    def _has_gone_off(self):
        """Off without an order, after it was on as wanted."""
        self.ensure_one()
        is_off = self.desired == "on" and self.reported == "off"
        return bool(
            is_off
            and self.generation
            and self.obeyed_generation == self.generation
            and not (self.is_locked or self._get_open_order() or self._is_off_by_plan())
        )

    def _get_recovery_wait_s(self, is_kept):
        """Seconds until Odoo orders on again; ``is_kept``: first the connector's turn, then ours."""
        wait = self._get_setting("meter_gateway.recovery_delay_s", RECOVERY_DELAY_S)
        kept = 2 * self.meter_id.parameter_profile_id.recovery_delay_s + MARGIN_S
        return max(wait, kept) if is_kept else wait

    def _note_protective_trip(self, kind, at, is_kept=False):
        """The meter cut the supply by itself. It comes back after a while; after three in a row it is locked.

        ``is_kept``: the connector closes it again, counts, and says when it locks it.
        """
        self.ensure_one()
        last = self.last_protective_trip_at
        if last and at <= last:
            return
        trips = self.protective_trips + 1 if last and at - last <= IN_A_ROW else 1
        wait = self._get_recovery_wait_s(is_kept)
        self.write(
            {
                "protective_trips": trips,
                "last_protective_trip_at": at,
                "last_protective_kind": kind,
                "next_try_at": fields.Datetime.now() + timedelta(seconds=wait),
            }
        )
        if not is_kept and trips >= self._get_setting("meter_gateway.trips_before_lock", TRIPS_BEFORE_LOCK):
            self._lock_supply(at)

    @api.model
    def _get_setting(self, key, default):
        return int(self.env["ir.config_parameter"].sudo().get_param(key, default))  # a setting, not a secret

    def _lock_supply(self, at):
        """No timer and no payment switches it on again."""
        for switch in self.filtered(lambda switch: not switch.is_locked):
            switch.write({"is_locked": True, "locked_at": at})
            orders = self.env["meter.order"].search(
                [("switch_id", "=", switch.id), ("kind", "=", "switch_on"), ("state", "=", "pending")]
            )
            for order in orders:
                order._finish("superseded", self.env._("Locked after protective trips."))
            message = self.env._(
                "%(name)s is locked after %(count)s protective trips; somebody must look and restore it.",
                name=switch.display_name,
                count=switch.protective_trips,
            )
            self.env["meter.alarm"]._open("protection_locked", switch.circuit_id, message, at=at)
            self.env["audit.entry"]._log("switch.locked", switch, after={"trips": switch.protective_trips})

    def _restore(self, reason):
        """A person has looked: unlock and switch on what is wanted on."""
        for switch in self:
            before = {"locked": switch.is_locked, "trips": switch.protective_trips}
            switch.sudo().write(
                {
                    "is_locked": False,
                    "locked_at": False,
                    "protective_trips": 0,
                    "next_try_at": False,
                    "tries": 0,
                }
            )
            self.env["audit.entry"]._log(
                "switch.restored", switch, before=before, after={"locked": False, "trips": 0}, reason=reason
            )
            for kind in (*PROTECTIVE_TRIPS.values(), "protection_locked"):
                self.env["meter.alarm"]._resolve(kind, switch.circuit_id)
            if switch.desired != "off":
                switch._set_desired("on", reason, "operator", force=True)

    def _place_order(self, state, reason, source, expires_at):
        """A locked supply keeps the wish and gets no order until it is restored."""
        if state == "on" and self.is_locked:
            if source == "operator":
                raise UserError(
                    self.env._(
                        "%s is locked after protective trips. Look at it, then use Restore.",
                        self.display_name,
                    )
                )
            return self.env["meter.order"]
        return super()._place_order(state, reason, source, expires_at)

    @api.model
    def _get_candidates(self, connector_id=None, circuit_ids=None):
        """Neither locked supplies nor those that are off by their hours are ordered on again."""
        candidates = super()._get_candidates(connector_id, circuit_ids)
        return candidates.filtered(
            lambda switch: switch.desired != "on" or not (switch.is_locked or switch._is_off_by_plan())
        )

    def _is_expected_off(self):
        """Is an open switch that shall be closed explained by its hours, or by a protective trip?"""
        self.ensure_one()
        recent = self.last_protective_trip_at and (
            fields.Datetime.now() - self.last_protective_trip_at <= IN_A_ROW
        )
        return bool(self.is_locked or recent or self._is_off_by_plan())

    def action_restore(self):
        """Ask what was found, then switch on."""
        self._check_right()
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.restore.wizard",
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Restore Supply"),
            "context": {"default_switch_ids": self.filtered("is_locked").ids or self.ids},
        }
