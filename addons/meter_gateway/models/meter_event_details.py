"""What meters noted by themselves, for people: labelled details, and the readings around."""

from odoo import api, fields, models

from ..const import EVENT_KINDS
from ..value_labels import find_value_label

#: Keys whose values are words of the connector.
WORDS = ("batteries",)


class MeterEvent(models.Model):
    _inherit = "meter.event"

    details = fields.Html(compute="_compute_details", sanitize=False)

    @api.depends("data", "kind")
    @api.depends_context("lang")
    def _compute_details(self):
        for event in self:
            rows = event._get_rows()
            event.details = rows and self.env["ir.qweb"]._render(
                "meter_gateway.read_items_answer", {"rows": rows}
            )

    def _get_rows(self):
        """[(label, text)] of an event's data, the ones of its record in their order."""
        self.ensure_one()
        data = self._read_data()
        values = data.get("values") if isinstance(data.get("values"), dict) else {}
        keys = EVENT_KINDS.get(self.kind, ("", ()))[1] or data
        rows = [
            (find_value_label(self.env, key), self._say(key, data[key]))
            for key in keys
            if key != "values" and data.get(key) not in (None, "", [])
        ]
        return rows + [(find_value_label(self.env, str(key)), str(value)) for key, value in values.items()]

    def _say(self, key, value):
        words = value if isinstance(value, list) else [value]
        if key in WORDS:
            words = [find_value_label(self.env, str(word)) for word in words]
        return ", ".join(map(str, words))

    def _get_details(self):
        """Begin, end and phases say in an alarm's message what exactly is wrong."""
        data = self._read_data()
        told = [key for key in ("begin", "end", "phases", "batteries") if data.get(key)]
        if self.kind not in EVENT_KINDS or not told:
            return super()._get_details()
        return " · ".join(f"{find_value_label(self.env, key)} {self._say(key, data[key])}" for key in told)[
            :300
        ]

    def action_readings_around(self):
        """What the meter showed then."""
        self.ensure_one()
        self.check_access("read")
        return (self.meter_id or self.circuit_id.meter_id)._open_readings_around(self.at)


class MeterAlarm(models.Model):
    _inherit = "meter.alarm"

    def action_readings_around(self):
        """What the meter showed when it began."""
        self.ensure_one()
        self.check_access("read")
        return (self.meter_id or self.circuit_id.meter_id)._open_readings_around(self.opened_at)
