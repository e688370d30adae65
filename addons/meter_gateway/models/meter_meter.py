from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..const import LIVE_COLUMNS, SLEEPING_SILENT_S
from ..ratios import ratio_of

ADDRESS_DIGITS = {"dlt645-2007": 12, "dlt645-1997": 12, "cjt188": 14}
MAX_METERS_PER_BUS = 128


SILENT_SQL = """
SELECT m.id FROM meter_meter m
  JOIN meter_circuit c ON c.meter_id = m.id
  JOIN meter_live l ON l.circuit_id = c.id
  LEFT JOIN meter_read_group g ON g.code = m.read_group
 WHERE m.active AND m.state = 'online'
   AND (g.id IS NULL OR m.is_sleeping OR LEAST(NULLIF(g.energy_s, 0), NULLIF(g.live_s, 0), NULLIF(g.switch_s, 0)) IS NOT NULL)
 GROUP BY m.id, g.id
HAVING max(l.at) < %(now)s - make_interval(secs => CASE WHEN m.is_sleeping THEN %(sleeping_s)s ELSE GREATEST(
       %(allowed_s)s, 3 * LEAST(NULLIF(g.energy_s, 0), NULLIF(g.live_s, 0), NULLIF(g.switch_s, 0))) END)
"""


class MeterMeter(models.Model):
    """A meter on a bus. What it measures is in its circuits."""

    _name = "meter.meter"
    _description = "Meter"
    _inherit = ["mail.thread", "property.scope.mixin", "meter.config.mixin"]
    _scope_fields = ("building_id", "bus_id", "model_id")
    _order = "name, id"
    _rec_names_search = ["name", "serial", "address"]

    name = fields.Char(compute="_compute_name", store=True, readonly=False, precompute=True, required=True)
    serial = fields.Char(
        "Meter Number", required=True, copy=False, tracking=True, help="The number on the plate."
    )
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company)
    model_id = fields.Many2one("meter.model", required=True, ondelete="restrict", index=True, tracking=True)
    kind_id = fields.Many2one(related="model_id.kind_id", store=True, index=True)
    kind_code = fields.Char(related="kind_id.code")
    protocol = fields.Selection(related="model_id.protocol")
    phases = fields.Selection(related="model_id.phases")
    has_switch = fields.Boolean(related="model_id.has_switch", store=True)
    bus_id = fields.Many2one("meter.bus", ondelete="restrict", index=True, tracking=True)
    gateway_id = fields.Many2one(related="bus_id.gateway_id", store=True, index=True)
    connector_id = fields.Many2one(related="bus_id.connector_id", store=True, index=True)
    is_sleeping = fields.Boolean(related="bus_id.is_sleeping", store=True)
    building_id = fields.Many2one(
        "property.building",
        compute="_compute_building_id",
        store=True,
        readonly=False,
        precompute=True,
        index=True,
        ondelete="restrict",
    )
    address = fields.Char(
        required=True,
        tracking=True,
        help="Communication address as printed: 645 twelve digits, 188 fourteen, Modbus 1..247.",
    )
    imei = fields.Char(
        "IMEI", copy=False, help="Fifteen digits of an NB-IoT meter; the platform knows it by them."
    )
    password = fields.Char(
        copy=False, groups="base.group_system", help="Password for switching, as in the meter's manual."
    )
    operator_code = fields.Char(
        groups="base.group_system", help="Operator code noted by the meter with each command."
    )
    ct_ratio = fields.Float(
        "CT Ratio",
        digits=(18, 4),
        default=1.0,
        required=True,
        tracking=True,
        help="Of the current transformers, 200/5 = 40. Current, power and use are shown multiplied; the register as on the meter.",
    )
    vt_ratio = fields.Float(
        "VT Ratio",
        digits=(18, 4),
        default=1.0,
        required=True,
        tracking=True,
        help="Of the voltage transformers, 10000/100 = 100. Voltage, power and use are shown multiplied; the register as on the meter.",
    )
    multiplier = fields.Float(digits=(18, 4), compute="_compute_multiplier", store=True)
    read_group = fields.Char(
        default="default", required=True, help="Meters of a group are read at the same times."
    )
    place = fields.Char(help="Where the meter hangs.")
    circuit_ids = fields.One2many("meter.circuit", "meter_id", string="Circuits")
    service_point_ids = fields.Many2many("utility.service.point", compute="_compute_service_point_ids")
    unit_names = fields.Char("Unit", compute="_compute_service_point_ids")
    state = fields.Selection(
        [("new", "Never Read"), ("online", "Online"), ("offline", "Offline")],
        default="new",
        readonly=True,
        copy=False,
        index=True,
    )
    state_since = fields.Datetime(readonly=True, copy=False)
    last_read_at = fields.Datetime("Last Reading", compute="_compute_live")
    live_total = fields.Float("Total", digits=(18, 2), compute="_compute_live")
    live_voltage_v = fields.Float("Voltage (V)", digits=(18, 1), compute="_compute_live")
    live_current_a = fields.Float("Current (A)", digits=(18, 3), compute="_compute_live")
    live_power_kw = fields.Float("Power (kW)", digits=(18, 3), compute="_compute_live")
    live_power_factor = fields.Float("Power Factor", digits=(18, 3), compute="_compute_live")
    switch_state = fields.Selection(
        [("on", "On"), ("off", "Off"), ("pending", "Pending"), ("unknown", "Unknown"), ("none", "No Switch")],
        compute="_compute_switch_state",
        search="_search_switch_state",
    )
    is_mismatch = fields.Boolean(
        "Not as Ordered", compute="_compute_switch_state", search="_search_is_mismatch"
    )
    is_kept_on = fields.Boolean("Keep Power", compute="_compute_switch_state")
    is_locked = fields.Boolean("Locked", compute="_compute_switch_state")
    is_read_only = fields.Boolean("Can Only Be Read", compute="_compute_switch_state")
    hand_reason = fields.Char("By Hand", compute="_compute_switch_state")
    switch_ids = fields.One2many("meter.switch", "meter_id", string="Switches")
    order_ids = fields.One2many("meter.order", "meter_id", string="Orders")
    alarm_ids = fields.One2many("meter.alarm", "meter_id", string="Alarms")
    open_alarm_count = fields.Integer(compute="_compute_open_alarm_count")
    installation_ids = fields.One2many("meter.installation", "meter_id", string="Installations")

    _serial_uniq = models.UniqueIndex(
        "(company_id, serial)", "Another meter of this company has this number."
    )
    _imei_uniq = models.UniqueIndex("(imei) WHERE imei IS NOT NULL", "Another meter has this IMEI.")
    _address_uniq = models.UniqueIndex(
        "(bus_id, address, model_id) WHERE active", "Another meter on this bus has the same address."
    )
    _ratios_positive = models.Constraint(
        "CHECK (ct_ratio > 0 AND vt_ratio > 0)", "Ratios must be above zero."
    )

    def _get_config_fields(self):
        return frozenset(
            (
                "serial",
                "active",
                "model_id",
                "bus_id",
                "address",
                "password",
                "operator_code",
                "read_group",
                "imei",
            )
        )

    def _get_config_connectors(self):
        return self.bus_id.gateway_id.connector_id

    @api.depends("serial")
    def _compute_name(self):
        for meter in self:
            meter.name = meter.name or meter.serial

    @api.depends("bus_id.gateway_id.building_id")
    def _compute_building_id(self):
        for meter in self:
            meter.building_id = meter.building_id or meter.bus_id.gateway_id.building_id

    @api.depends("ct_ratio", "vt_ratio")
    def _compute_multiplier(self):
        for meter in self:
            meter.multiplier = meter.ct_ratio * meter.vt_ratio

    @api.depends("circuit_ids.service_point_id")
    def _compute_service_point_ids(self):
        for meter in self:
            points = meter.circuit_ids.service_point_id
            meter.service_point_ids = points
            meter.unit_names = ", ".join(
                points.mapped(lambda point: point.unit_id.display_name or point.name)
            )

    def _to_primary(self, key, value):
        """A value of a reading as it flows behind the transformers (``ratios.py``); None stays None."""
        return None if value is None else value * ratio_of(key, self.ct_ratio, self.vt_ratio)

    @api.depends("ct_ratio", "vt_ratio")
    @api.depends_context("uid")
    def _compute_live(self):
        """Newest values of the first circuit, primary side; other circuits are shown in their own lines."""
        rows = self.circuit_ids._get_live_rows()
        for meter in self:
            circuit = meter.circuit_ids[:1]
            row = rows.get(circuit.id, {})
            meter.last_read_at = max(
                (rows[c.id]["at"] for c in meter.circuit_ids if rows.get(c.id, {}).get("at")), default=False
            )
            meter.live_total = float(row.get("total") or 0)
            for name in LIVE_COLUMNS:
                meter[f"live_{name}"] = float(meter._to_primary(name, row.get(name)) or 0)

    @api.depends(
        "circuit_ids.switch_id.reported", "circuit_ids.switch_id.desired", "circuit_ids.switch_id.hand_reason"
    )
    def _compute_switch_state(self):
        for meter in self:
            states = set(meter.circuit_ids.switch_id.mapped("reported"))
            meter.is_mismatch = any(meter.circuit_ids.switch_id.mapped("is_mismatch"))
            meter.is_kept_on = any(meter.circuit_ids.switch_id.mapped("keep_power"))
            meter.is_locked = any(meter.circuit_ids.switch_id.mapped("is_locked"))
            meter.is_read_only = any(meter.circuit_ids.switch_id.mapped("is_read_only"))
            meter.hand_reason = meter.circuit_ids.switch_id[:1].hand_reason
            if not states:
                meter.switch_state = "none"
            else:
                meter.switch_state = next(key for key in ("pending", "off", "unknown", "on") if key in states)

    def _search_switch_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        wanted = [state for state in value if state != "none"]
        domain = [("circuit_ids.switch_id.reported", "in", wanted)]
        return ["|", ("has_switch", "=", False), *domain] if "none" in value else domain

    def _search_is_mismatch(self, operator, value):
        if operator != "in":
            return NotImplemented
        return [("circuit_ids.switch_id.is_mismatch", "=", True)]

    @api.depends("alarm_ids.state")
    def _compute_open_alarm_count(self):
        counts = dict(
            self.env["meter.alarm"]._read_group(
                [("meter_id", "in", self.ids), ("state", "!=", "resolved")], ["meter_id"], ["__count"]
            )
        )
        for meter in self:
            meter.open_alarm_count = counts.get(meter, 0)

    @api.depends("name", "serial")
    def _compute_display_name(self):
        for meter in self:
            name = meter.name or ""
            meter.display_name = name if name == meter.serial else f"{name} ({meter.serial})"

    @api.constrains("address", "model_id")
    def _check_address(self):
        for meter in self:
            problem = meter._get_address_problem()
            if problem:
                raise ValidationError(
                    self.env._("Meter %(name)s: %(problem)s", name=meter.name, problem=problem)
                )

    @api.constrains("imei")
    def _check_imei(self):
        for meter in self.filtered("imei"):
            if not (meter.imei.isascii() and meter.imei.isdigit() and len(meter.imei) == 15):
                raise ValidationError(
                    self.env._(
                        "Meter %(name)s: the IMEI %(imei)s is not fifteen digits.",
                        name=meter.name,
                        imei=meter.imei,
                    )
                )

    @api.constrains("bus_id", "active")
    def _check_bus_is_not_full(self):
        for bus in self.bus_id:
            if bus.meter_count > MAX_METERS_PER_BUS:
                raise ValidationError(
                    self.env._(
                        "Bus %(bus)s has %(count)s meters; a bus carries at most %(limit)s.",
                        bus=bus.name,
                        count=bus.meter_count,
                        limit=MAX_METERS_PER_BUS,
                    )
                )

    def _get_address_problem(self):
        self.ensure_one()
        address, protocol = self.address or "", self.model_id.protocol
        digits = ADDRESS_DIGITS.get(protocol)
        if digits and not (address.isascii() and address.isdigit() and len(address) <= digits):
            return self.env._(
                "address %(address)s is not up to %(digits)s digits, as %(protocol)s needs.",
                address=address,
                digits=digits,
                protocol=self.model_id._fields["protocol"].convert_to_export(protocol, self.model_id),
            )
        if not digits and not (address.isascii() and address.isdigit() and 1 <= int(address) <= 247):
            return self.env._("address %s is not a Modbus address 1..247.", address)
        return ""

    @api.model_create_multi
    def create(self, vals_list):
        meters = super().create(vals_list)
        for meter in meters.filtered(lambda meter: not meter.circuit_ids):
            self.env["meter.circuit"].create(
                [
                    {"meter_id": meter.id, "number": number + 1}
                    for number in range(meter.model_id.circuit_count)
                ]
            )
        return meters

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        """Readings and installations are history; a meter that has any is archived, not deleted."""
        for meter in self:
            if meter.installation_ids or any(
                row["at"] for row in meter.circuit_ids._get_live_rows().values()
            ):
                raise UserError(
                    self.env._(
                        "Meter %s was installed or read; archive it instead of deleting it.",
                        meter.display_name,
                    )
                )

    def _set_online(self, at):
        """Readings came: the meter is there again."""
        self.filtered(lambda meter: meter.state != "online").write({"state": "online", "state_since": at})
        self.circuit_ids.live_ids.sudo().is_silent = False  # live values have no writer of their own
        self.env["meter.alarm"]._resolve_many("meter_offline", self, at=at)

    def _set_offline(self, at, message=None):
        """The meter does not answer. An alarm only where the way to the meter is open: a dead gateway or connector has its own."""
        self.filtered(lambda meter: meter.state == "online").write({"state": "offline", "state_since": at})
        self.circuit_ids.live_ids.sudo().is_silent = True  # live values have no writer of their own
        reachable = self.filtered(
            lambda meter: meter.gateway_id.state != "offline" and meter.connector_id.state != "offline"
        )
        for meter in reachable:
            text = message or self.env._("Meter %s has not been read for a while.", meter.display_name)
            self.env["meter.alarm"]._open("meter_offline", meter, text, at=at)

    @api.model
    def _cron_find_silent(self):
        """Meters without a reading for longer than allowed are offline, whoever is to blame.

        Allowed are some minutes, and three times the period of the meter's read group; none without a schedule. Meters
        that sleep report once a day, whatever their group says.
        """
        minutes = self.env["ir.config_parameter"].sudo().get_param("meter_gateway.meter_offline_minutes", 10)
        now = fields.Datetime.now()
        self.env.flush_all()
        limits = {"allowed_s": int(minutes) * 60, "sleeping_s": SLEEPING_SILENT_S}
        self.env.cr.execute(SILENT_SQL, {"now": now, **limits})
        self.browse(row[0] for row in self.env.cr.fetchall())._set_offline(now)
