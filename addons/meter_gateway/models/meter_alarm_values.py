"""Alarms that can be told from the newest values: one statement every five minutes."""

from odoo import api, fields, models

from ..const import ALARM_KINDS

#: Flags a meter puts beside its values (``extras``) -> alarm kind. The flag is there, and "1", while it is so.
FLAG_ALARMS = {
    "battery_low": "low_battery",
    "valve_fault": "valve_fault",
    "reader_fault": "reader_fault",
    "cover_open": "cover_open",
    "magnetic_field": "magnetic_field",
    "reverse": "reverse_energy",
}
VALUE_ALARMS = frozenset((*FLAG_ALARMS.values(), "stopped_counting", "reading_jump", "broken_line"))
#: A register may not move in an hour by more than a 100 A three-phase meter (or a DN50 pipe) can carry.
MAX_PER_HOUR = 100
#: With so much power for two hours, a register that counts hundredths must have moved. Both this and the jump are about the meter's own
#: register and go by what the meter shows; voltages go by what flows, as people see them.
COUNTING_KW = 0.1

#: What is wrong now: circuit and alarm kind. Only fresh values: a silent meter has an alarm of its own.
VALUES_SQL = """
WITH live AS (
    SELECT l.circuit_id, l.total, l.power_kw, l.voltage_v, l.at, l.total_at,
           CASE WHEN l.extras LIKE '{%%}' THEN l.extras::jsonb ELSE '{}'::jsonb END AS extras, m.vt_ratio
      FROM meter_live l JOIN meter_circuit c ON c.id = l.circuit_id JOIN meter_meter m ON m.id = c.meter_id
     WHERE c.active AND l.at > %(now)s - interval '2 hours'
), hours AS (
    SELECT l.circuit_id, l.total - h.first_total AS moved, l.total_at - h.first_at AS took,
           l.power_kw, l.total_at
      FROM live l
      JOIN LATERAL (SELECT first_total, first_at FROM meter_energy_hour_data e
                     WHERE e.circuit_id = l.circuit_id AND e.first_at < l.total_at
                       AND e.hour >= %(now)s - interval '4 hours'
                  ORDER BY e.hour DESC OFFSET 1 LIMIT 1) h ON true
)
SELECT circuit_id, kind FROM live
  JOIN unnest(%(flags)s::text[], %(kinds)s::text[]) AS f(flag, kind) ON live.extras ->> f.flag = '1'
 UNION
SELECT circuit_id, 'stopped_counting' FROM hours
 WHERE moved = 0 AND took >= interval '1 hour' AND abs(power_kw) >= %(counting_kw)s
 UNION
SELECT circuit_id, 'reading_jump' FROM hours
 WHERE moved < 0 OR moved > %(max_per_hour)s * GREATEST(extract(epoch FROM took) / 3600, 1)
 UNION
SELECT circuit_id, 'broken_line' FROM live
 WHERE extras ? 'voltage_b_v' AND extras ? 'voltage_c_v'
   AND vt_ratio * GREATEST(voltage_v, (extras ->> 'voltage_b_v')::numeric, (extras ->> 'voltage_c_v')::numeric) > 180
   AND vt_ratio * LEAST(voltage_v, (extras ->> 'voltage_b_v')::numeric, (extras ->> 'voltage_c_v')::numeric) < 60
"""


class MeterAlarm(models.Model):
    _inherit = "meter.alarm"

    is_from_values = fields.Boolean(readonly=True, help="Seen in the values, and over when they say so.")

    @api.model
    def _cron_check_values(self):
        """Open what is wrong and not known, resolve what is right again."""
        found = self._find_wrong_values()
        labels = dict(self._fields["kind"]._description_selection(self.env))
        keys = {kind: set() for kind in VALUE_ALARMS}
        for circuit, kind in found:
            target = circuit.meter_id if ALARM_KINDS[kind][2] == "meter_id" else circuit
            keys[kind].add(self._prepare_target(target)["target_key"])
            self._open_once(kind, target, f"{target.display_name}: {labels[kind]}")
        is_known = [
            ("kind", "in", list(VALUE_ALARMS)),
            ("state", "!=", "resolved"),
            ("is_from_values", "=", True),
        ]
        over = self.search(is_known).filtered(lambda alarm: alarm.target_key not in keys[alarm.kind])
        # a meter that fell silent says nothing; what was wrong may be so still
        over = over.filtered(lambda alarm: alarm.meter_id.state == "online")
        over.write({"state": "resolved", "resolved_at": fields.Datetime.now()})

    @api.model
    def _find_wrong_values(self):
        """[(circuit, alarm kind)] of what the newest values say."""
        self.env.flush_all()
        self.env.cr.execute(
            VALUES_SQL,
            {
                "now": fields.Datetime.now(),
                "flags": list(FLAG_ALARMS),
                "kinds": list(FLAG_ALARMS.values()),
                "counting_kw": COUNTING_KW,
                "max_per_hour": MAX_PER_HOUR,
            },
        )
        rows = self.env.cr.fetchall()
        return [(self.env["meter.circuit"].browse(circuit_id), kind) for circuit_id, kind in rows]

    @api.model
    def _open_once(self, kind, target, message):
        """Open it unless it is open; looking again every five minutes is not news."""
        key = self._prepare_target(target)["target_key"]
        known = [("kind", "=", kind), ("target_key", "=", key), ("state", "!=", "resolved")]
        if not self.search_count(known, limit=1):
            self._open(kind, target, message).is_from_values = True
