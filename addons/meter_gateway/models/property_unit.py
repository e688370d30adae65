from odoo import models

#: Alarm kinds that colour a unit.
UNIT_ALARMS = (
    "switch_disobeyed",
    "switch_by_hand",
    "switch_unexpected",
    "reading_conflict",
    "password_refused",
)


class PropertyUnit(models.Model):
    _inherit = "property.unit"

    def _get_overview_state(self):
        """Units with meters take the colour of their meters; what was known of them stays in the label."""
        states = super()._get_overview_state()
        labels = {
            "alarm": self.env._("Alarm"),
            "tripped": self.env._("Switched off"),
            "offline": self.env._("Meter offline"),
        }
        for unit_id, state in self._get_meter_states().items():
            known = states[unit_id]
            is_used = known["state"] not in ("vacant", "blocked")
            if state == "normal" and is_used:
                states[unit_id] = known | {"state": "normal"}
            elif state == "alarm" or (state in labels and is_used):
                label = " · ".join(part for part in (labels[state], known.get("label")) if part)
                states[unit_id] = {"state": state, "label": label}
        return states

    def _get_meter_states(self):
        """{unit id: alarm/tripped/offline/normal} of units with meters; one query."""
        self.env.flush_all()
        self.env.cr.execute(
            """SELECT p.unit_id, bool_or(a.id IS NOT NULL), bool_or(s.reported = 'off'), bool_or(m.state <> 'online')
                 FROM utility_service_point p
                 JOIN meter_circuit c ON c.service_point_id = p.id
                 JOIN meter_meter m ON m.id = c.meter_id AND m.active
                 LEFT JOIN meter_switch s ON s.circuit_id = c.id
                 LEFT JOIN meter_alarm a ON a.meter_id = m.id AND a.state <> 'resolved' AND a.kind = ANY(%s)
                WHERE p.unit_id = ANY(%s) GROUP BY p.unit_id""",
            [list(UNIT_ALARMS), self.ids],
        )
        return {
            unit_id: "alarm" if is_alarm else "tripped" if is_off else "offline" if is_away else "normal"
            for unit_id, is_alarm, is_off, is_away in self.env.cr.fetchall()
        }
