from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..const import BAUDRATES, OPEN_ORDER_STATES, PROTOCOLS

#: Protocols with addresses to search by; a Modbus bus is tried address by address.
SEARCHED_PROTOCOLS = ("dlt645-2007", "dlt645-1997", "cjt188", "modbus-rtu")
#: "All addresses", as the twelve digits of most protocols write it; those of CJ/T 188 have fourteen.
LAST_OF_ALL = 10**12 - 1
PARAMETERS_GROUP = "property_utility.property_utility_group_function_parameters"


class MeterDiscovery(models.Model):
    """A search for meters on a bus: what answers there, compared with what is configured."""

    _name = "meter.discovery"
    _description = "Search for Meters"
    _inherit = ["property.facts.mixin"]
    _order = "id desc"
    _rec_name = "bus_id"

    bus_id = fields.Many2one("meter.bus", required=True, ondelete="cascade", index=True)
    gateway_id = fields.Many2one(related="bus_id.gateway_id", store=True)
    building_id = fields.Many2one(related="bus_id.building_id", store=True, index=True)
    company_id = fields.Many2one(related="bus_id.company_id", store=True)
    is_645_2007 = fields.Boolean("DL/T 645-2007", default=True)
    is_645_1997 = fields.Boolean("DL/T 645-1997")
    is_cjt188 = fields.Boolean("CJ/T 188")
    is_modbus = fields.Boolean("Modbus RTU")
    first_address = fields.Char("From Address", default="000000000000", required=True)
    last_address = fields.Char("To Address", default="999999999999", required=True)
    all_speeds = fields.Boolean(help="Try every speed, not only the bus's own. Takes much longer.")
    order_id = fields.Many2one("meter.order", readonly=True, copy=False, ondelete="set null")
    state = fields.Selection(
        [
            ("draft", "To Start"),
            ("running", "Searching"),
            ("done", "Finished"),
            ("failed", "Failed"),
            ("cancelled", "Cancelled"),
        ],
        default="draft",
        required=True,
        readonly=True,
        copy=False,
    )
    progress = fields.Float(readonly=True, copy=False)
    started_at = fields.Datetime(readonly=True, copy=False)
    done_at = fields.Datetime(readonly=True, copy=False)
    result = fields.Char(readonly=True, copy=False)
    incomplete_protocols = fields.Char("Protocols Not Searched to the End", readonly=True, copy=False)
    incomplete_text = fields.Char(compute="_compute_incomplete_text")
    line_ids = fields.One2many("meter.discovery.line", "discovery_id", string="Found", copy=False)
    is_speed_fixed = fields.Boolean(
        compute="_compute_is_speed_fixed",
        help="The gateway keeps its own speed; only a serial port can be set from here.",
    )
    known_count = fields.Integer("Known", compute="_compute_counts")
    new_count = fields.Integer("New", compute="_compute_counts")
    missing_count = fields.Integer("Missing", compute="_compute_counts")

    _running_uniq = models.UniqueIndex(
        "(bus_id) WHERE state = 'running'", "This bus is being searched already."
    )

    @api.depends("line_ids.state")
    def _compute_counts(self):
        for discovery in self:
            states = discovery.line_ids.mapped("state")
            discovery.known_count = states.count("known")
            discovery.new_count = states.count("new")
            discovery.missing_count = states.count("missing")

    @api.depends("incomplete_protocols")
    @api.depends_context("lang")
    def _compute_incomplete_text(self):
        labels = dict(PROTOCOLS)
        for discovery in self:
            codes = (discovery.incomplete_protocols or "").split(",")
            names = ", ".join(labels[code] for code in codes if code in labels)
            discovery.incomplete_text = names and self.env._(
                "Not searched to the end: %s. Meters of it may hang here that were not found, and none that is configured is"
                " called silent. Give a narrower range of addresses and search again.",
                names,
            )

    @api.depends("bus_id")
    def _compute_is_speed_fixed(self):
        for discovery in self:
            discovery.is_speed_fixed = (
                bool(discovery.bus_id) and discovery.bus_id.sudo()._get_link()["kind"] != "serial"
            )

    @api.depends("bus_id", "started_at")
    def _compute_display_name(self):
        for discovery in self:
            started = discovery.started_at
            at = f" {fields.Datetime.context_timestamp(discovery, started):%Y-%m-%d %H:%M}" if started else ""
            discovery.display_name = f"{discovery.bus_id.display_name or ''}{at}"

    @api.constrains("first_address", "last_address")
    def _check_range(self):
        for discovery in self:
            first, last = discovery.first_address, discovery.last_address
            if not all(text.isascii() and text.isdigit() and len(text) <= 14 for text in (first, last)):
                raise UserError(self.env._("Addresses are up to fourteen digits."))
            if int(first) > int(last):
                raise UserError(self.env._("The first address is above the last."))

    # -- starting and ending ------------------------------------------------------------------------

    def _check_right(self):
        if not self.env.su and not self.env.user.has_group(PARAMETERS_GROUP):
            raise AccessError(self.env._("You have no right to search buses."))
        self.check_access("write")

    def _get_protocols(self):
        flags = (self.is_645_2007, self.is_645_1997, self.is_cjt188, self.is_modbus)
        return [protocol for protocol, flag in zip(SEARCHED_PROTOCOLS, flags, strict=True) if flag]

    def action_start(self):
        """Order the search. Reads of other meters on the bus go on in between."""
        self.ensure_one()
        self._check_right()
        protocols = self._get_protocols()
        if not protocols:
            raise UserError(self.env._("Choose at least one protocol."))
        if self.search_count([("bus_id", "=", self.bus_id.id), ("state", "=", "running")]):
            raise UserError(self.env._("This bus is being searched already."))
        data = {
            "from": self.first_address.zfill(12),
            "to": self.last_address.zfill(12),
            "protocols": protocols,
            "baudrates": list(BAUDRATES) if self.all_speeds else [],
        }
        search = self.sudo()  # the right was checked; states have no writer of their own
        search.line_ids.unlink()
        order = self.env["meter.order"]._place("discover", self.bus_id, data)
        search.write(
            {
                "order_id": order.id,
                "state": "running",
                "progress": 0,
                "started_at": fields.Datetime.now(),
                "done_at": False,
                "result": False,
                "incomplete_protocols": False,
            }
        )

    def action_cancel(self):
        """Stop waiting; what was found stays."""
        self._check_right()
        for discovery in self.sudo().filtered(lambda discovery: discovery.state == "running"):
            order = discovery.order_id
            if order.state in OPEN_ORDER_STATES:
                order._finish("superseded", self.env._("Cancelled by %s", self.env.user.name))
            discovery._note_end("cancelled", self.env._("Cancelled by %s", self.env.user.name))

    def action_adopt_all(self):
        """Make meters of everything new."""
        self.line_ids.filtered(lambda line: line.state == "new")._adopt()

    def _is_searched(self, meter):
        """Is the meter's address within the range?"""
        last = int(self.last_address)
        if meter.protocol == "cjt188" and last == LAST_OF_ALL:
            last = 10**14 - 1
        return int(self.first_address) <= int(meter.address) <= last

    def _note_complete(self, complete):
        """Configured meters are missing only where the connector has searched to the end; ``complete`` is its list of protocols."""
        asked = self._get_protocols()
        ended = [protocol for protocol in asked if isinstance(complete, list) and protocol in complete]
        self.line_ids._add_missing(self, ended)
        self.incomplete_protocols = ",".join(protocol for protocol in asked if protocol not in ended)

    def _note_end(self, state, result=""):
        self.write(
            {
                "state": state,
                "result": result,
                "done_at": fields.Datetime.now(),
                **({"progress": 100} if state == "done" else {}),
            }
        )


class MeterOrder(models.Model):
    _inherit = "meter.order"

    def _follow_discover(self, state, data, _at):
        """Progress and end of a search."""
        discovery = self.env["meter.discovery"].sudo().search([("order_id", "=", self.id)], limit=1)
        if not discovery or discovery.state != "running":
            return
        if data:
            discovery.line_ids._take_found(discovery, data.get("found"))
            discovery.progress = self.progress
        if state == "confirmed":
            discovery._note_complete(data.get("complete") if data else None)
            discovery._note_end("done", self.result or "")
        elif state in ("failed", "expired", "superseded"):
            discovery._note_end("failed", self.result_text or "")
