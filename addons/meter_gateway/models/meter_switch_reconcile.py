"""Desired and reported state compared on every contact, every report and by timer."""

from datetime import timedelta

from odoo import api, fields, models

from ..const import MAX_QUICK_TRIES, OPEN_ORDER_STATES, SLOW_RETRY_S, SWITCH_ORDER_KINDS

#: A switch that says "pending" gets this long to follow before it is ordered again.
PENDING_GRACE_S = 300
#: An order the meter accepted must be read back within this time.
READ_BACK_S = 180

CANDIDATES_SQL = """
SELECT s.id, s.circuit_id FROM meter_switch s
 WHERE s.desired IS NOT NULL AND s.reported <> s.desired
   AND (%(connector_id)s IS NULL OR s.connector_id = %(connector_id)s)
   AND (s.next_try_at IS NULL OR s.next_try_at <= %(now)s)
   AND (s.reported <> 'pending' OR s.reported_at < %(pending_since)s)
   AND NOT EXISTS (SELECT 1 FROM meter_order o
                    WHERE o.circuit_id = s.circuit_id AND o.kind = ANY(%(kinds)s) AND o.state = ANY(%(open)s)
                      AND (o.expires_at IS NULL OR o.expires_at > %(now)s))
"""


class MeterSwitch(models.Model):
    _inherit = "meter.switch"

    @api.model
    def _get_candidates(self, connector_id=None, circuit_ids=None):
        """Switches (of a connector, of these circuits) that are not as wanted while nothing is under way."""
        now = fields.Datetime.now()
        self.env.flush_all()
        self.env.cr.execute(
            CANDIDATES_SQL,
            {
                "connector_id": connector_id,
                "now": now,
                "pending_since": now - timedelta(seconds=PENDING_GRACE_S),
                "kinds": list(SWITCH_ORDER_KINDS),
                "open": list(OPEN_ORDER_STATES),
            },
        )
        rows = self.env.cr.fetchall()  # few: the index holds only switches that are not as wanted
        wanted = None if circuit_ids is None else set(circuit_ids)
        ids = [switch_id for switch_id, circuit_id in rows if wanted is None or circuit_id in wanted]
        return self.sudo().browse(ids)  # timers and connectors act for nobody

    @api.model
    def _reconcile_circuits(self, connector_id, circuit_ids):
        """Contact with these circuits: whoever has paid does not stay dark."""
        self._get_candidates(connector_id, circuit_ids)._reconcile()

    def _reconcile(self):
        """Order again what is wanted and not so. Callers pass switches without an open order."""
        for switch in self:
            if switch.desired == "on":
                switch._repeat("on")
            elif switch.reported in ("on", "pending"):  # pending for so long: its contact missed the pulse
                switch._reconcile_trip()

    def _reconcile_trip(self):
        """A trip is only repeated while its reason is still valid."""
        self.ensure_one()
        is_over = self.expires_at and self.expires_at <= fields.Datetime.now()
        if is_over or self._is_kept_on() or not self._is_trip_still_wanted():
            self._set_desired("on", self.env._("The reason for the trip is gone."), "reconcile")
        else:
            self._repeat("off")

    def _repeat(self, state):
        self.ensure_one()
        self._set_desired(
            state, self.desired_reason or "", "reconcile", expires_at=self.expires_at, force=True
        )

    def _is_trip_still_wanted(self):
        """Hook: is what made us trip this switch still true? Upper addons ask their policy."""
        self.ensure_one()
        return True

    # -- results ------------------------------------------------------------------------------------

    def _note_failure(self, detail):
        """A try ended without success: wait longer after some tries, and tell people."""
        for switch in self:
            tries = switch.tries + 1
            is_quick = tries < MAX_QUICK_TRIES
            pause = fields.Datetime.now() + timedelta(seconds=SLOW_RETRY_S)
            switch.write({"tries": tries, "next_try_at": False if is_quick else pause})
            if not is_quick:
                message = self.env._(
                    "%(name)s shall be %(desired)s but reports %(reported)s after %(tries)s tries. %(detail)s",
                    name=switch.display_name,
                    desired=switch._label("desired"),
                    reported=switch._label("reported"),
                    tries=tries,
                    detail=detail or "",
                )
                self.env["meter.alarm"]._open("switch_disobeyed", switch.circuit_id, message)

    def _note_changed(self):
        """The reported state changed: alarms and open orders follow the truth, then the hook of upper addons."""
        for switch in self:
            if not switch.desired or switch.reported == "pending":
                continue
            if switch.reported == switch.desired:
                switch._note_obeyed()
            elif not switch._get_open_order() and not (switch.desired == "on" and switch._is_expected_off()):
                message = self.env._(
                    "%(name)s went %(reported)s without an order.",
                    name=switch.display_name,
                    reported=switch._label("reported"),
                )
                self.env["meter.alarm"]._open(
                    "switch_unexpected", switch.circuit_id, message, at=switch.reported_at
                )
        self._after_report(self)

    def _note_obeyed(self):
        self.ensure_one()
        if self.tries or self.next_try_at:
            self.write({"tries": 0, "next_try_at": False})
        for kind in ("switch_disobeyed", "switch_unexpected"):
            self.env["meter.alarm"]._resolve(kind, self.circuit_id, at=self.reported_at)
        order = self._get_open_order()
        if order and order.created <= self.reported_at:
            order._finish("confirmed", self.env._("Seen in a reading."), self.reported_at)

    def _label(self, name):
        """Selection value as a word in the user's language."""
        return dict(self._fields[name]._description_selection(self.env)).get(self[name], self[name] or "")

    # -- timer --------------------------------------------------------------------------------------

    @api.model
    def _cron_reconcile(self):
        """Every minute: orders that ran out, wishes not fulfilled, keep-power that has ended."""
        now = fields.Datetime.now()
        self.env["meter.order"]._expire(now)
        self.env["meter.order"]._fail_unconfirmed(now - timedelta(seconds=READ_BACK_S))
        ended = self.search([("keep_power", "=", True), ("keep_power_until", "<=", now)])
        ended._clear_keep_power(self.env._("The time is over."))
        self._get_candidates()._reconcile()
