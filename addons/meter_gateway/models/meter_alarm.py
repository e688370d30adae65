from odoo import api, fields, models

from ..const import ALARM_KINDS, SEVERITIES

#: Where a target is kept; a circuit's alarm also shows on its meter.
TARGET_FIELDS = {
    "meter.connector": "connector_id",
    "meter.gateway": "gateway_id",
    "meter.bus": "bus_id",
    "meter.meter": "meter_id",
    "meter.circuit": "circuit_id",
}


class MeterAlarm(models.Model):
    """Something a person should know. Opened once, acknowledged, resolved."""

    _name = "meter.alarm"
    _description = "Alarm"
    _inherit = ["property.facts.mixin"]
    _order = "severity_rank desc, opened_at desc, id desc"
    _rec_name = "message"

    kind = fields.Selection(
        [(kind, label) for kind, (label, _severity, _target) in ALARM_KINDS.items()],
        required=True,
        readonly=True,
    )
    severity = fields.Selection(SEVERITIES, required=True, readonly=True)
    severity_rank = fields.Integer(readonly=True)
    message = fields.Char(required=True, readonly=True)
    target_key = fields.Char(required=True, readonly=True, default="")
    connector_id = fields.Many2one(
        "meter.connector", ondelete="cascade", readonly=True, index="btree_not_null"
    )
    gateway_id = fields.Many2one("meter.gateway", ondelete="cascade", readonly=True, index="btree_not_null")
    bus_id = fields.Many2one("meter.bus", ondelete="cascade", readonly=True)
    meter_id = fields.Many2one("meter.meter", ondelete="cascade", readonly=True, index="btree_not_null")
    circuit_id = fields.Many2one("meter.circuit", ondelete="cascade", readonly=True)
    building_id = fields.Many2one("property.building", readonly=True, index=True)
    unit_id = fields.Many2one("property.unit", readonly=True)
    opened_at = fields.Datetime(required=True, readonly=True, default=fields.Datetime.now)
    last_at = fields.Datetime("Last Seen", readonly=True)
    times = fields.Integer(default=1, readonly=True)
    state = fields.Selection(
        [("open", "Open"), ("acknowledged", "Acknowledged"), ("resolved", "Resolved")],
        required=True,
        default="open",
        readonly=True,
    )
    acknowledged_at = fields.Datetime(readonly=True)
    acknowledged_by = fields.Many2one("res.users", readonly=True)
    resolved_at = fields.Datetime(readonly=True)
    note = fields.Char()

    _open_uniq = models.UniqueIndex(
        "(kind, target_key) WHERE state <> 'resolved'", "This alarm is already open."
    )
    _state_idx = models.Index("(state, opened_at)")

    @api.model
    def _get_severity(self, kind):
        """Severity of a kind; upper addons extend it for theirs."""
        return ALARM_KINDS[kind][1]

    @api.model
    def _prepare_target(self, target):
        """Fields that say what an alarm is about; ``target`` None = the system as a whole."""
        if target is None or not target:
            return {"target_key": ""}
        target = target.sudo()
        vals = {"target_key": f"{target._name},{target.id}"}
        if target._name in TARGET_FIELDS:
            vals[TARGET_FIELDS[target._name]] = target.id
        if "building_id" in target._fields:
            vals["building_id"] = target.building_id.id
        circuit = (
            target
            if target._name == "meter.circuit"
            else target.circuit_ids[:1]
            if target._name == "meter.meter"
            else None
        )
        if circuit is not None:
            vals |= {
                "meter_id": circuit.meter_id.id or vals.get("meter_id"),
                "unit_id": circuit.service_point_id.unit_id.id,
            }
        return vals

    @api.model
    def _open(self, kind, target, message, at=None):
        """Open an alarm about a record, or count it when it is open already; returns it."""
        at = at or fields.Datetime.now()
        vals = self._prepare_target(target)
        alarms = self.sudo()  # alarms are raised by timers and connectors, whoever they run as
        alarm = alarms.search(
            [("kind", "=", kind), ("target_key", "=", vals["target_key"]), ("state", "!=", "resolved")]
        )
        if alarm:
            alarm.write({"times": alarm.times + 1, "last_at": at, "message": message})
            return alarm
        severity = self._get_severity(kind)
        rank = [key for key, _label in SEVERITIES].index(severity)
        return alarms.create(
            {
                "kind": kind,
                "severity": severity,
                "severity_rank": rank,
                "message": message,
                "opened_at": at,
                "last_at": at,
                **vals,
            }
        )

    @api.model
    def _resolve(self, kind, target, at=None):
        """The reason is gone; returns the alarms that were resolved."""
        key = self._prepare_target(target)["target_key"] if target else ""
        return self._resolve_keys(kind, [key], at)

    @api.model
    def _resolve_many(self, kind, targets, at=None):
        """Same for many records of one model, in one search."""
        return self._resolve_keys(kind, [f"{targets._name},{record_id}" for record_id in targets.ids], at)

    @api.model
    def _resolve_keys(self, kind, keys, at):
        alarms = self.sudo().search(
            [("kind", "=", kind), ("target_key", "in", keys), ("state", "!=", "resolved")]
        )
        alarms.write({"state": "resolved", "resolved_at": at or fields.Datetime.now()})
        return alarms

    def action_acknowledge(self):
        """Somebody has seen it."""
        self.check_access("write")
        self.filtered(lambda alarm: alarm.state == "open").sudo().write(
            {
                "state": "acknowledged",
                "acknowledged_at": fields.Datetime.now(),
                "acknowledged_by": self.env.uid,
            }
        )

    def action_resolve(self):
        """Somebody says it is over; should it not be, it opens again by itself."""
        self.check_access("write")
        self.filtered(lambda alarm: alarm.state != "resolved").sudo().write(
            {"state": "resolved", "resolved_at": fields.Datetime.now()}
        )

    def action_make_partitions(self):
        """Give readings outside the monthly tables their months."""
        self.check_access("write")
        self.env["meter.reading"].sudo()._heal_default_partition()
        self.env["meter.reading"].sudo()._cron_partitions()

    def action_open_target(self):
        """Go where the trouble is."""
        self.ensure_one()
        target = (
            self.meter_id
            or self.circuit_id.meter_id
            or self.gateway_id
            or self.connector_id
            or self.bus_id.gateway_id
        )
        if not target:
            return False
        return {
            "type": "ir.actions.act_window",
            "res_model": target._name,
            "res_id": target.id,
            "view_mode": "form",
        }
