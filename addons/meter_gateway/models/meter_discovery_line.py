from odoo import api, fields, models
from odoo.exceptions import UserError

from ..const import BAUDRATES, PROTOCOLS
from .meter_meter import ADDRESS_DIGITS

MAX_FOUND = 512


class MeterDiscoveryLine(models.Model):
    """One address of a search: known here, new, or configured and silent."""

    _name = "meter.discovery.line"
    _description = "Address Found"
    _inherit = ["property.facts.mixin"]
    _order = "state desc, address"
    _rec_name = "address"

    discovery_id = fields.Many2one(
        "meter.discovery", required=True, ondelete="cascade", readonly=True, index=True
    )
    building_id = fields.Many2one(related="discovery_id.building_id", store=True, index=True)
    bus_id = fields.Many2one(related="discovery_id.bus_id")
    address = fields.Char(required=True, readonly=True)
    protocol = fields.Selection(PROTOCOLS, readonly=True)
    baudrate = fields.Integer("Speed", readonly=True)
    state = fields.Selection(
        [("known", "Known"), ("missing", "Configured, Silent"), ("new", "New")], required=True, readonly=True
    )
    meter_id = fields.Many2one("meter.meter", readonly=True, ondelete="set null")
    elsewhere_id = fields.Many2one(
        "meter.meter", string="Same Address Elsewhere", readonly=True, ondelete="set null",
        help="A meter of this address hangs on another bus here: was it moved?",
    )  # fmt: skip
    model_id = fields.Many2one("meter.model", string="Adopt as", domain="[('protocol', '=', protocol)]")
    hint = fields.Char(compute="_compute_hint")

    _address_uniq = models.UniqueIndex("(discovery_id, address, COALESCE(protocol, ''))")

    @api.depends("state", "baudrate", "elsewhere_id", "meter_id.protocol")
    def _compute_hint(self):
        for line in self:
            hints = []
            own = int(line.bus_id.baudrate or 0)
            if line.baudrate and own and line.baudrate != own:
                hints.append(
                    self.env._("answers at %(found)s, the bus runs at %(own)s", found=line.baudrate, own=own)
                )
            if line.elsewhere_id:
                hints.append(
                    self.env._(
                        "configured on bus %(bus)s as %(meter)s",
                        bus=line.elsewhere_id.sudo().bus_id.display_name or "—",
                        meter=line.elsewhere_id.sudo().display_name,
                    )
                )
            if line.state == "known" and line.protocol and line.meter_id.protocol != line.protocol:
                hints.append(self.env._("speaks another protocol than its model"))
            if line.state == "missing":
                hints.append(self.env._("look at its cable, address and speed"))
            line.hint = "; ".join(hints)

    # -- comparing ----------------------------------------------------------------------------------

    @api.model
    def _take_found(self, discovery, found):
        """Lines of what the connector found; what does not fit is left out, what is there already stays."""
        known = {(line.address, line.protocol) for line in discovery.line_ids}
        rows = []
        for item in (found if isinstance(found, list) else [])[:MAX_FOUND]:
            key = self._read_found(item)
            if key and key not in known:
                known.add(key)
                rows.append(self._prepare_found(discovery, *key, item.get("baudrate")))
        self.create(rows)

    @api.model
    def _read_found(self, item):
        """(address, protocol) of one answer, or None."""
        if not isinstance(item, dict):
            return None
        address, protocol = item.get("address"), item.get("protocol")
        if not isinstance(address, str) or not (
            address.isascii() and address.isdigit() and len(address) <= 14
        ):
            return None
        return (address, protocol) if protocol in dict(PROTOCOLS) else None

    @api.model
    def _prepare_found(self, discovery, address, protocol, baudrate):
        meters = (
            self.env["meter.meter"]
            .sudo()
            .search(  # compared with all there is, whoever searches
                [
                    ("address", "in", _spellings(address, protocol)),
                    ("company_id", "=", discovery.company_id.id),
                ]
            )
        )
        here = meters.filtered(lambda meter: meter.bus_id == discovery.bus_id)[:1]
        return {
            "discovery_id": discovery.id,
            "address": address,
            "protocol": protocol,
            "baudrate": baudrate if baudrate in BAUDRATES else False,
            "state": "known" if here else "new",
            "meter_id": here.id,
            "elsewhere_id": False if here else (meters - here)[:1].id,
            "model_id": False if here else self._guess_model(discovery.bus_id, protocol).id,
        }

    @api.model
    def _guess_model(self, bus, protocol):
        """The model most meters of this protocol have on this bus, else on this connector, else the only one there is."""
        for domain in ([("bus_id", "=", bus.id)], [("connector_id", "=", bus.connector_id.id)]):
            counts = self.env["meter.meter"]._read_group(
                [*domain, ("model_id.protocol", "=", protocol)],
                ["model_id"],
                ["__count"],
                order="__count desc",
                limit=1,
            )
            if counts:
                return counts[0][0]
        models_of = self.env["meter.model"].search([("protocol", "=", protocol)], limit=2)
        return models_of if len(models_of) == 1 else models_of.browse()

    @api.model
    def _add_missing(self, discovery, protocols):
        """Configured meters of these protocols, within the searched range, that did not answer."""
        silent = (discovery.bus_id.meter_ids - discovery.line_ids.meter_id).filtered(
            lambda meter: meter.active and meter.protocol in protocols and discovery._is_searched(meter)
        )
        self.create(
            [
                {
                    "discovery_id": discovery.id,
                    "address": meter.address,
                    "protocol": meter.protocol,
                    "state": "missing",
                    "meter_id": meter.id,
                }
                for meter in silent
            ]
        )

    # -- adopting -----------------------------------------------------------------------------------

    def action_adopt(self):
        """A meter of this address on this bus; one click."""
        self._adopt()

    def _adopt(self):
        self.discovery_id._check_right()
        for line in self:
            if line.state != "new":
                raise UserError(self.env._("%s is configured already.", line.address))
            if not line.model_id:
                raise UserError(self.env._("Choose a meter model for %s first.", line.address))
            meter = self.env["meter.meter"].create(
                {
                    "serial": line.address,
                    "address": line.address,
                    "model_id": line.model_id.id,
                    "bus_id": line.bus_id.id,
                    "company_id": line.bus_id.company_id.id or self.env.company.id,
                }
            )
            line.sudo().write(
                {"state": "known", "meter_id": meter.id, "elsewhere_id": False}
            )  # read-only for people
            self.env["audit.entry"]._log("meter.adopt", meter, after={"address": line.address})

    def action_move_here(self):
        """The meter hangs on this bus now: tie it here."""
        self.ensure_one()
        self.discovery_id._check_right()
        meter = self.elsewhere_id
        meter.check_access("write")
        before = meter.bus_id.display_name
        meter.bus_id = self.bus_id
        self.sudo().write(
            {"state": "known", "meter_id": meter.id, "elsewhere_id": False}
        )  # read-only for people
        self.env["audit.entry"]._log(
            "meter.move", meter, before={"bus": before}, after={"bus": self.bus_id.name}
        )

    def action_open_meter(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "meter.meter",
            "res_id": (self.meter_id or self.elsewhere_id).id,
            "view_mode": "form",
        }


def _spellings(address, protocol):
    """An address as it may be written on a meter: with and without leading zeros."""
    bare = address.lstrip("0") or "0"
    return list({address, bare, bare.zfill(ADDRESS_DIGITS.get(protocol, 1))})
