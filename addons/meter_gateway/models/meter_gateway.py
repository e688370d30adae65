from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..const import LINK_KINDS


class MeterGateway(models.Model):
    """A box between a network and its RS485 or M-Bus lines (数据网关)."""

    _name = "meter.gateway"
    _description = "Gateway"
    _inherit = ["mail.thread", "property.scope.mixin", "meter.config.mixin", "meter.link.mixin"]
    _order = "number, id"

    name = fields.Char(required=True, tracking=True)
    number = fields.Char(required=True, copy=False, tracking=True, help="The number on the box.")
    active = fields.Boolean(default=True)
    connector_id = fields.Many2one(
        "meter.connector", required=True, ondelete="restrict", index=True, tracking=True
    )
    company_id = fields.Many2one(related="connector_id.company_id", store=True)
    building_id = fields.Many2one("property.building", ondelete="restrict", index=True, tracking=True)
    place = fields.Char(help="Where the box hangs, for the one who must find it.")
    link_kind = fields.Selection(LINK_KINDS, required=True, default="tcp_client")
    device = fields.Char(help="Serial device on the connector's machine, such as /dev/ttyS0.")
    registration = fields.Char(
        help="What a gateway that dials in says first, and is known by: text as it says it, hex:AABB, imei: and its"
        " fifteen digits (in whatever form it says them), or acrel: and the serial number of an Acrel 4G meter."
    )
    heartbeat = fields.Char(help="Packet repeated by the gateway to keep the line: text, or hex:AABB.")
    state = fields.Selection(
        [("online", "Online"), ("offline", "Offline"), ("unknown", "Unknown")],
        default="unknown",
        readonly=True,
        copy=False,
    )
    last_seen_at = fields.Datetime(readonly=True, copy=False)
    state_since = fields.Datetime(readonly=True, copy=False)
    takeover_count = fields.Integer(
        "Connections Taken Over",
        readonly=True,
        copy=False,
        help="How often, since the connector started, the gateway dialled in while its former connection still stood."
        " Many in an hour: its line is bad, or two boxes call by one name; Events say from where.",
    )
    bus_ids = fields.One2many("meter.bus", "gateway_id", string="Buses", copy=True)
    meter_ids = fields.One2many("meter.meter", "gateway_id", string="Meters")
    meter_count = fields.Integer(compute="_compute_meter_count")
    alarm_ids = fields.One2many("meter.alarm", "gateway_id", string="Alarms")

    _number_uniq = models.UniqueIndex(
        "(company_id, number)", "Another gateway of this company has this number."
    )
    _registration_uniq = models.UniqueIndex(
        "(connector_id, registration_key) WHERE registration_key IS NOT NULL AND link_kind = 'tcp_server'",
        "Another gateway of this connector dials in with the same registration packet.",
    )

    def _get_config_fields(self):
        return frozenset(
            (
                "name",
                "active",
                "connector_id",
                "link_kind",
                "host",
                "port",
                "device",
                "registration",
                "heartbeat",
            )
        )

    def _get_config_connectors(self):
        return self.connector_id

    @api.depends("meter_ids")
    def _compute_meter_count(self):
        counts = dict(
            self.env["meter.meter"]._read_group([("gateway_id", "in", self.ids)], ["gateway_id"], ["__count"])
        )
        for gateway in self:
            gateway.meter_count = counts.get(gateway, 0)

    @api.constrains("connector_id", "active", "link_kind", "registration", "device")
    def _check_link(self):
        for gateway in self.filtered("active"):
            problem = gateway._get_link_problem()
            if problem:
                raise ValidationError(
                    self.env._("Gateway %(name)s: %(problem)s", name=gateway.name, problem=problem)
                )

    def _get_link_problem(self):
        """What does not fit together of the gateway and its buses, or ''."""
        self.ensure_one()
        links = [bus._get_link() for bus in self.bus_ids]
        if self.link_kind == "tcp_server" and not (self.registration or links):
            return self.env._("a gateway that dials in needs its registration packet.")
        if any(link["kind"] == "tcp_server" and not link["registration"] for link in links):
            return self.env._(
                "a gateway that dials in needs its registration packet, or each of its buses one."
            )
        return self._get_namesake_problem() or self._get_port_problem()

    def _get_namesake_problem(self):
        """Two boxes that call by one name would take each other's place for ever."""
        names = self.bus_ids.filtered("registration_key").mapped("registration_key")
        if self.link_kind == "tcp_server" and self.registration_key:
            names.append(self.registration_key)
        same_name = [("connector_id", "=", self.connector_id.id), ("registration_key", "in", names)]
        gateways = self.sudo().with_context(active_test=False)
        others = gateways.search_fetch(
            [("id", "!=", self.id), ("link_kind", "=", "tcp_server"), *same_name], ["number"], limit=1
        )
        buses = self.env["meter.bus"].sudo()
        others = others or buses.search([("gateway_id", "!=", self.id), *same_name], limit=1).gateway_id
        if not others:
            return ""
        return self.env._("gateway %s dials in with the same registration packet.", others.number)

    def _get_port_problem(self):
        """A serial port is set in one way at a time: of two buses that want it otherwise one would stay closed for ever."""
        domain = [("connector_id", "=", self.connector_id.id), ("gateway_id.active", "=", True)]
        buses = self.env["meter.bus"].sudo().search(domain)
        first_of = {}
        for bus in buses.filtered(lambda bus: bus._get_link()["kind"] == "serial"):
            device = bus._get_link()["device"]
            first = first_of.setdefault(device, bus)
            is_mine = self in (bus.gateway_id, first.gateway_id)
            if device and is_mine and bus._get_port_settings() != first._get_port_settings():
                return self.env._(
                    "%(device)s is set to %(one)s for bus %(first)s and to %(other)s for bus %(second)s; buses on one"
                    " serial port run at one speed.",
                    device=device,
                    one=first._get_port_settings(),
                    first=first.display_name,
                    other=bus._get_port_settings(),
                    second=bus.display_name,
                )
        return ""

    @api.depends("name", "number")
    def _compute_display_name(self):
        for gateway in self:
            gateway.display_name = f"[{gateway.number}] {gateway.name}" if gateway.number else gateway.name

    def _set_state(self, state, since):
        """Note a change of the connection and open or resolve the alarm. Unchanged gateways cost nothing."""
        changed = self.filtered(lambda gateway: gateway.state != state)
        changed.write({"state": state, "state_since": since})
        for gateway in changed:
            if state == "offline":
                message = self.env._("Gateway %s does not answer.", gateway.display_name)
                self.env["meter.alarm"]._open("gateway_offline", gateway, message, at=since)
            elif state == "online":
                self.env["meter.alarm"]._resolve("gateway_offline", gateway, at=since)

    def action_view_meters(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_meter_action")
        return action | {"domain": [("gateway_id", "=", self.id)], "context": {}}

    def action_read_now(self):
        """Ask for a reading of every meter on these gateways."""
        return self.meter_ids.action_read_now()
