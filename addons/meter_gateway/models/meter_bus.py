from odoo import api, fields, models

from ..const import BAUDRATES, FRAMINGS, LINK_KINDS

MAX_BUSES_PER_GATEWAY = 6


class MeterBus(models.Model):
    """One RS485 or M-Bus line behind a gateway; one request at a time travels on it."""

    _name = "meter.bus"
    _description = "Bus"
    _inherit = ["property.scope.mixin", "meter.config.mixin", "meter.link.mixin"]
    _scope_fields = ("gateway_id",)
    _order = "gateway_id, number"

    gateway_id = fields.Many2one("meter.gateway", required=True, ondelete="cascade", index=True)
    connector_id = fields.Many2one(related="gateway_id.connector_id", store=True, index=True)
    building_id = fields.Many2one(related="gateway_id.building_id", store=True)
    company_id = fields.Many2one(related="gateway_id.company_id", store=True)
    number = fields.Integer(required=True, default=1)
    name = fields.Char(compute="_compute_name")
    baudrate = fields.Selection([(str(rate), str(rate)) for rate in BAUDRATES], required=True, default="2400")
    bytesize = fields.Selection([("7", "7"), ("8", "8")], required=True, default="8")
    parity = fields.Selection([("N", "None"), ("E", "Even"), ("O", "Odd")], required=True, default="E")
    stopbits = fields.Selection([("1", "1"), ("2", "2")], required=True, default="1")
    framing = fields.Selection(FRAMINGS, required=True, default="transparent")
    extra_latency_ms = fields.Integer(
        help="Time the network adds to each answer; a 4G unit needs 1000 to 3000 milliseconds more."
    )
    link_kind = fields.Selection(LINK_KINDS, help="Empty: as on the gateway.")
    is_sleeping = fields.Boolean(
        "Behind a Platform",
        compute="_compute_is_sleeping",
        store=True,
        help="Its meters sleep and report by themselves, through an operator's platform.",
    )
    gateway_link_kind = fields.Selection(related="gateway_id.link_kind", string="Connection of the Gateway")
    host = fields.Char(help="Empty: as on the gateway.")
    port = fields.Integer(help="Empty: as on the gateway.")
    device = fields.Char(help="Empty: as on the gateway.")
    registration = fields.Char(
        help="What the box says first for this line, where it calls once for each of its lines; written as on the gateway."
        " Empty: as on the gateway; such buses share one connection and take turns."
    )
    heartbeat = fields.Char(help="Empty: as on the gateway.")
    meter_ids = fields.One2many("meter.meter", "bus_id", string="Meters")
    meter_count = fields.Integer(compute="_compute_meter_count")
    queue_length = fields.Integer("Requests Waiting", readonly=True, copy=False)
    data_age_s = fields.Float("Age of Data (s)", readonly=True, copy=False)
    reads_ok = fields.Integer("Reads Answered", readonly=True, copy=False)
    reads_failed = fields.Integer("Reads Unanswered", readonly=True, copy=False)
    dropped_bytes = fields.Integer("Bytes Dropped", readonly=True, copy=False)

    _number_uniq = models.UniqueIndex(
        "(gateway_id, number)", "This gateway already has a bus with this number."
    )
    _registration_uniq = models.UniqueIndex(
        "(connector_id, registration_key) WHERE registration_key IS NOT NULL",
        "Another bus of this connector has the same registration packet.",
    )
    _number_range = models.Constraint(
        f"CHECK (number BETWEEN 1 AND {MAX_BUSES_PER_GATEWAY})", "A gateway has buses 1 to 6."
    )
    _latency_positive = models.Constraint(
        "CHECK (extra_latency_ms BETWEEN 0 AND 60000)",
        "Extra latency must be between 0 and 60000 milliseconds.",
    )

    def _get_config_fields(self):
        return frozenset(
            (
                "gateway_id",
                "number",
                "baudrate",
                "bytesize",
                "parity",
                "stopbits",
                "framing",
                "extra_latency_ms",
            )
        ) | {"link_kind", "host", "port", "device", "registration", "heartbeat"}

    def _get_config_connectors(self):
        return self.gateway_id.connector_id

    @api.constrains(
        "gateway_id", "link_kind", "registration", "device", "baudrate", "bytesize", "parity", "stopbits"
    )
    def _check_link(self):
        self.gateway_id._check_link()

    @api.depends("link_kind", "gateway_id.link_kind")
    def _compute_is_sleeping(self):
        for bus in self:
            bus.is_sleeping = (bus.link_kind or bus.gateway_id.link_kind) == "nbiot"

    @api.depends("number", "gateway_id.number")
    def _compute_name(self):
        for bus in self:
            bus.name = f"{bus.gateway_id.number or '?'}/{bus.number}"

    @api.depends("name")
    def _compute_display_name(self):
        for bus in self:
            bus.display_name = bus.name

    @api.depends("meter_ids")
    def _compute_meter_count(self):
        counts = dict(
            self.env["meter.meter"]._read_group([("bus_id", "in", self.ids)], ["bus_id"], ["__count"])
        )
        for bus in self:
            bus.meter_count = counts.get(bus, 0)

    def _get_link(self):
        """Connection settings of this bus: its own where given, else the gateway's."""
        self.ensure_one()
        gateway = self.gateway_id
        kind = self.link_kind or gateway.link_kind
        if kind == "serial":
            return {"kind": kind, "device": self.device or gateway.device or ""}
        if kind == "nbiot":
            return {"kind": kind}
        if kind == "tcp_server":
            return {
                "kind": kind,
                "registration": self.registration or gateway.registration or "",
                "heartbeat": self.heartbeat or gateway.heartbeat or "",
            }
        return {"kind": kind, "host": self.host or gateway.host or "", "port": self.port or gateway.port or 0}

    def _get_port_settings(self):
        """As people write it: 2400 8E1."""
        self.ensure_one()
        return f"{self.baudrate} {self.bytesize}{self.parity}{self.stopbits}"

    def action_discover(self):
        """Find out which meters hang on this bus."""
        self.ensure_one()
        self.check_access("read")
        self.env["meter.discovery"]._check_right()
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.discovery",
            "view_mode": "form",
            "name": self.env._("Find Meters"),
            "context": {"default_bus_id": self.id},
        }
