import json
import logging
import math
from datetime import UTC, datetime

from odoo import api, fields, models
from psycopg2 import OperationalError

from ..const import CLOCK_RIGHT_S, EVENT_ALARMS, EVENT_DETAILS, EVENT_KINDS
from .meter_report import STUMBLED
from .meter_switch_protection import LOCK_EVENTS, PROTECTIVE_TRIPS

TARGETS = {
    "gateway_id": "meter.gateway",
    "bus_id": "meter.bus",
    "meter_id": "meter.meter",
    "circuit_id": "meter.circuit",
}
MAX_KEY, MAX_KIND, MAX_DATA = 200, 60, 8000
#: Characters of a frame's bytes; with separators a little more than what ``meter.frame`` keeps.
MAX_HEX = 6000

_logger = logging.getLogger(__name__)


class MeterEvent(models.Model):
    """Something a connector noticed once. The key makes a repeated report count once."""

    _name = "meter.event"
    _description = "Event"
    _inherit = ["property.facts.mixin"]
    _order = "at desc, id desc"
    _rec_name = "kind"

    connector_id = fields.Many2one("meter.connector", required=True, ondelete="cascade", readonly=True)
    key = fields.Char("Event Key", required=True, readonly=True)
    kind = fields.Char(required=True, readonly=True, index=True)
    at = fields.Datetime("Time", required=True, readonly=True, index=True)
    gateway_id = fields.Many2one("meter.gateway", ondelete="cascade", readonly=True)
    bus_id = fields.Many2one("meter.bus", ondelete="cascade", readonly=True)
    meter_id = fields.Many2one("meter.meter", ondelete="cascade", readonly=True, index=True)
    circuit_id = fields.Many2one("meter.circuit", ondelete="cascade", readonly=True)
    building_id = fields.Many2one("property.building", readonly=True, index=True)
    data = fields.Text("Details", readonly=True)
    known_kind = fields.Selection(
        [(kind, label) for kind, (label, _keys) in EVENT_KINDS.items()],
        string="Event",
        compute="_compute_known_kind",
    )
    summary = fields.Char(compute="_compute_summary")

    _key_uniq = models.UniqueIndex("(connector_id, key)", "A connector reports an event once.")

    @api.depends("kind")
    def _compute_known_kind(self):
        for event in self:
            event.known_kind = event.kind if event.kind in EVENT_KINDS else False

    @api.depends("kind", "data")
    def _compute_summary(self):
        for event in self:
            event.summary = event._get_details()

    @api.depends("kind", "known_kind")
    def _compute_display_name(self):
        labels = dict(self._fields["known_kind"]._description_selection(self.env))
        for event in self:
            event.display_name = labels.get(event.kind, event.kind)

    @api.model
    def _record(self, connector, events):
        """Store events of a connector; answers as ``meter.connector.api_events``. Nothing in an event raises."""
        exceptions, rows, seen = [], {}, self._get_known_keys(connector, events)
        for index, event in enumerate(events):
            problem, row = self._read_event(connector, event)
            if problem:
                exceptions.append([index, "rejected", problem])
            elif row["key"] in seen:
                exceptions.append([index, "duplicate", ""])
            else:
                seen.add(row["key"])
                rows[index] = row
        failed = [] if self._try_keep(list(rows.values())) else self._keep_each(rows)
        exceptions += [[index, *STUMBLED] for index in failed]
        return {"accepted": len(rows) - len(failed), "exceptions": sorted(exceptions)}

    @api.model
    def _keep_each(self, rows):
        """One by one, where the batch failed; returns the indexes of those that fail alone."""
        return [index for index, row in rows.items() if not self._try_keep([row])]

    @api.model
    def _try_keep(self, rows):
        """Store events and what follows from them; False, with a log line and nothing stored, when that failed."""
        try:
            with self.env.cr.savepoint():
                for event in self.create(rows):
                    event._follow()
        except OperationalError:
            raise  # another writer: the whole call is tried again
        except Exception:
            _logger.exception("Events could not be taken: %.300r", rows)
            return False
        return True

    @api.model
    def _get_known_keys(self, connector, events):
        keys = [
            event["key"] for event in events if isinstance(event, dict) and isinstance(event.get("key"), str)
        ]
        self.env.cr.execute(
            "SELECT key FROM meter_event WHERE connector_id = %s AND key = ANY(%s)",
            [connector.id, [key.replace("\x00", "") for key in keys]],
        )
        return {row[0] for row in self.env.cr.fetchall()}

    @api.model
    def _read_event(self, connector, event):
        """(what is wrong, values) of one event as it came."""
        if not isinstance(event, dict):
            return "the event is not an object", None
        key, kind, at = event.get("key"), event.get("kind"), event.get("at")
        if not _is_word(key, MAX_KEY):
            return f"key: missing, or not a text of at most {MAX_KEY} characters", None
        if not _is_word(kind, MAX_KIND):
            return f"kind: missing, or not a text of at most {MAX_KIND} characters", None
        if type(at) not in (int, float) or not math.isfinite(at) or not 0 < at < 1e11:
            return "at: not a time in seconds", None
        data = event.get("data") or {}
        if kind == "frame_unknown" and isinstance(data, dict) and isinstance(data.get("hex"), str):
            data = data | {"hex": data["hex"][:MAX_HEX]}
        row = {
            "connector_id": connector.id,
            "key": key,
            "kind": kind,
            "at": datetime.fromtimestamp(at, UTC).replace(tzinfo=None, microsecond=0),
            "data": json.dumps(data, ensure_ascii=False, default=str).replace("\\u0000", "")[:MAX_DATA],
        }
        for name, model in TARGETS.items():
            value = event.get(name)
            if not value:
                continue
            target = (
                self.env[model].browse(value).exists()
                if type(value) is int and value < 2**31
                else self.env[model]
            )
            if not target or target.connector_id != connector:
                return f"{name}: {value!r:.40} is not of this connector", None
            row[name] = target.id
            row["building_id"] = target.building_id.id
        return "", row

    def _read_data(self):
        """The details as a dict; {} when they were none, or too long to be kept whole."""
        self.ensure_one()
        try:
            data = json.loads(self.data or "{}")
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}

    def _get_details(self):
        """What exactly is wrong, as one short text for an alarm."""
        data = self._read_data()
        if self.kind == "frame_unknown":
            return self.env["meter.frame"]._label_reason(data.get("reason"))
        found = [data[key] for key in EVENT_DETAILS if data.get(key) not in (None, "", [])]
        words = [", ".join(map(str, one[:3])) if isinstance(one, list) else str(one) for one in found]
        return " · ".join(words)[:300]

    def _get_target(self):
        """The most exact thing the event is about."""
        self.ensure_one()
        return (
            self.meter_id or self.circuit_id.meter_id or self.bus_id or self.gateway_id or self.connector_id
        )

    def _follow(self):
        """States and alarms that follow from an event."""
        self.ensure_one()
        if self.kind == "frame_unknown":
            frame = self.env["meter.frame"]._keep(self, self._read_data())
            if frame.state == "seen":  # a message that is known: nobody has to look
                return
        if self.gateway_id and self.kind in ("gateway_online", "gateway_offline"):
            if not self.gateway_id.state_since or self.at >= self.gateway_id.state_since:
                self.gateway_id._set_state(self.kind.removeprefix("gateway_"), self.at)
            return
        meter = self.meter_id or self.circuit_id.meter_id
        if meter and self.kind in ("meter_silent", "meter_back"):
            if meter.state_since and self.at < meter.state_since:
                return
            meter._set_offline(self.at) if self.kind == "meter_silent" else meter._set_online(self.at)
            return
        if self.kind == "plan_switched":
            self.circuit_id.switch_ids._note_plan(self.at, self._read_data())
            return
        if self.kind in PROTECTIVE_TRIPS or self.kind in LOCK_EVENTS or self.kind == "auto_recovered":
            self._follow_protection()
            return
        action, alarm_kind = EVENT_ALARMS.get(self.kind, (None, None))
        if self.kind == "clock_checked" and self._is_clock_right():
            action, alarm_kind = EVENT_ALARMS["clock_ok"]
        alarms = self.env["meter.alarm"]
        if action == "open":
            label = dict(alarms._fields["kind"]._description_selection(self.env))[alarm_kind]
            details = self._get_details()
            message = f"{self._get_target().display_name}: {label}{f' ({details})' if details else ''}"
            alarms._open(alarm_kind, self._get_target(), message, at=self.at)
        elif action == "resolve":
            alarms._resolve(alarm_kind, self._get_target(), at=self.at)

    def _is_clock_right(self):
        """The connector compares every day, also when it has forgotten that it once called the clock wrong."""
        drift_s = self._read_data().get("drift_s")
        return type(drift_s) in (int, float) and abs(drift_s) <= CLOCK_RIGHT_S

    def _follow_protection(self):
        """The meter cut the supply to protect wiring and people."""
        self.ensure_one()
        circuit = self.circuit_id or self.meter_id.circuit_ids[:1]
        if not circuit:
            return
        alarms = self.env["meter.alarm"]
        if self.kind in LOCK_EVENTS:
            circuit.switch_ids._lock_supply(self.at)
            return
        if self.kind == "auto_recovered":
            if self._read_data().get("reported") == "on":
                for kind in PROTECTIVE_TRIPS.values():
                    alarms._resolve(kind, circuit, at=self.at)
            return
        kind = PROTECTIVE_TRIPS[self.kind]
        label = dict(alarms._fields["kind"]._description_selection(self.env))[kind]
        alarms._open(kind, circuit, f"{circuit.display_name}: {label}", at=self.at)
        for switch in circuit.switch_ids[:1]:
            switch._note_protective_trip(self.kind, self.at, is_kept="tries" in self._read_data())


def _is_word(value, limit):
    return isinstance(value, str) and 0 < len(value) <= limit and "\x00" not in value
