from datetime import timedelta

from markupsafe import Markup
from odoo import api, fields, models

from ..frame_decoder import MAX_FRAME_BYTES, decode_best, is_available, protocols, read_hex

KEEP_DAYS = 30
KEEP_PER_BUS = 500

#: Messages that meters send as a matter of course: kept with their decoding, no reason for an alarm.
KNOWN_MESSAGES = ("acrel_upload", "acrel_config")

#: Frames too old, and all but the newest of each bus; known messages do not push out strange ones.
TRIM_SQL = """
DELETE FROM meter_frame WHERE id IN (
    SELECT id FROM (SELECT id, state, at, row_number() OVER (PARTITION BY bus_id, connector_id, coalesce(reason, '') = ANY(%(known)s)
                                                             ORDER BY at DESC, id DESC) AS rank
                      FROM meter_frame) ranked
     WHERE rank > %(per_bus)s OR at < %(before)s)
"""


class MeterFrame(models.Model):
    """Bytes on a bus that nobody understood, kept for a person to look at."""

    _name = "meter.frame"
    _description = "Unknown Frame"
    _inherit = ["property.facts.mixin"]
    _order = "at desc, id desc"
    _rec_name = "at"

    at = fields.Datetime("Time", required=True, readonly=True, index=True)
    connector_id = fields.Many2one("meter.connector", required=True, ondelete="cascade", readonly=True)
    bus_id = fields.Many2one("meter.bus", ondelete="cascade", readonly=True, index=True)
    gateway_id = fields.Many2one(related="bus_id.gateway_id", store=True)
    meter_id = fields.Many2one("meter.meter", ondelete="set null", readonly=True)
    building_id = fields.Many2one("property.building", readonly=True, index=True)
    hex = fields.Text("Bytes", readonly=True)
    size = fields.Integer("Size (bytes)", readonly=True)
    is_cut = fields.Boolean("Cut Off", readonly=True, help="Only the first 1024 bytes are kept.")
    protocol = fields.Char(readonly=True, help="Protocol of the meter that was spoken to.")
    reason = fields.Char("Reason Code", readonly=True)
    reason_label = fields.Char("What Is Wrong", compute="_compute_reason_label")
    dropped = fields.Integer(
        "Frames not Kept", readonly=True, help="Further ones of that minute, counted and not kept."
    )
    decoded = fields.Html("Decoder", compute="_compute_decoded", sanitize=False)
    state = fields.Selection([("new", "New"), ("seen", "Seen")], default="new", required=True, readonly=True)
    note = fields.Char()

    @api.depends("hex", "protocol")
    def _compute_decoded(self):
        for frame in self:
            frame.decoded = self._render(frame.hex, frame.protocol)

    @api.depends("reason")
    def _compute_reason_label(self):
        for frame in self:
            frame.reason_label = self._label_reason(frame.reason)

    @api.model
    def _label_reason(self, reason):
        """A connector's word for what is wrong with a frame, as people say it; other words as they are."""
        labels = {
            "bad_checksum": self.env._("wrong checksum: noise, or two meters at once"),
            "bad_end": self.env._("damaged: its end is missing"),
            "bad_length": self.env._("damaged: its length cannot be"),
            "frame_inside": self.env._("damaged: another frame begins within it"),
            "unit": self.env._("its unit does not fit the kind of utility"),
            "unasked": self.env._("nobody asked for it"),
            "other_address": self.env._("from an address that is not configured here"),
            "no_frame": self.env._("no frame in the report"),
            "expired": self.env._("damaged: the rest never came"),
            "truncated": self.env._("the bytes end within a frame"),
            "not_an_answer": self.env._("answers nothing that was asked"),
            "not_in_model": self.env._("an answer about a value that the meter model does not name"),
            "model": self.env._("the meter model is wrong, so that the frame cannot be read"),
            "acrel": self.env._("message of a dial-in meter that nobody can read"),
            "acrel_upload": self.env._(
                "upload of a dial-in meter: known, but not verified; no reading is made of it"
            ),
            "acrel_config": self.env._("configuration message of a dial-in meter"),
            "acrel_alarm": self.env._("alarm message of a dial-in meter; its content is not documented"),
        }
        return labels.get(reason, reason or "")

    @api.depends("bus_id", "at")
    def _compute_display_name(self):
        for frame in self:
            place = frame.bus_id.display_name or frame.connector_id.display_name or ""
            at = fields.Datetime.context_timestamp(frame, frame.at) if frame.at else None
            frame.display_name = f"{place} {at:%Y-%m-%d %H:%M:%S}" if at else place

    @api.model
    def _render(self, digits, protocol=None):
        """What the decoder says, as HTML; every protocol that finds a frame, or the one expected."""
        if not digits:
            return False
        if not is_available():
            return Markup("<p>%s</p>") % self.env._(
                "The connector's package is not installed beside Odoo; only the bytes are shown."
            )
        opinions = decode_best(digits, protocol)
        shown = [one for one in opinions if one.frames] or opinions[:1]
        return self.env["ir.qweb"]._render(
            "meter_gateway.frame_decoded",
            {"opinions": shown, "names": self._get_protocol_names(), "label": self._label_reason},
        )

    @api.model
    def _get_protocol_names(self):
        names = dict(self.env["meter.model"]._fields["protocol"]._description_selection(self.env))
        names["acrel"] = self.env._("Acrel 4G (7B 7B)")
        return {protocol: names.get(protocol, protocol) for protocol in protocols()}

    # -- coming and going ---------------------------------------------------------------------------

    @api.model
    def _keep(self, event, data):
        """Keep what an event ``frame_unknown`` brought. Never raises for what is in ``data``."""
        digits = data.get("hex") if isinstance(data.get("hex"), str) else ""
        known = read_hex(digits)
        size = data.get("size")
        length = len(known or "") // 2
        dropped = data.get("dropped")
        return self.create(
            {
                "at": event.at,
                "connector_id": event.connector_id.id,
                "bus_id": event.bus_id.id,
                "meter_id": (event.meter_id or event.circuit_id.meter_id).id,
                "building_id": event.building_id.id,
                "hex": known if known is not None else digits[: MAX_FRAME_BYTES * 2],
                "size": size if type(size) is int and length <= size < 2**31 else length,
                "is_cut": (type(size) is int and size > length) or len(digits) > MAX_FRAME_BYTES * 2,
                "protocol": _word(data.get("protocol"), 20),
                "reason": _word(data.get("reason") or data.get("fault"), 200),
                "dropped": dropped if type(dropped) is int and 0 <= dropped < 2**31 else 0,
                "state": "seen" if data.get("reason") in KNOWN_MESSAGES else "new",
            }
        )

    def action_seen(self):
        """Somebody has looked at it."""
        self.check_access("write")
        self.sudo().filtered(lambda frame: frame.state == "new").state = "seen"  # read-only for people
        for bus in self.sudo().bus_id:
            if not self.sudo().search_count([("bus_id", "=", bus.id), ("state", "=", "new")], limit=1):
                self.env["meter.alarm"]._resolve("frame_unknown", bus)

    def action_decode(self):
        """The bytes in the decoder, where they can be changed."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_frame_decoder_action")
        return action | {"context": {"default_text": self.hex, "default_protocol": self.protocol}}

    @api.model
    def _cron_trim(self):
        """Old frames go, and all but the newest of each bus."""
        get = self.env["ir.config_parameter"].sudo().get_param
        days = int(get("meter_gateway.frame_keep_days", KEEP_DAYS))
        per_bus = int(get("meter_gateway.frame_keep_per_bus", KEEP_PER_BUS))
        self.env.flush_all()
        before = fields.Datetime.now() - timedelta(days=days)
        self.env.cr.execute(TRIM_SQL, {"per_bus": per_bus, "before": before, "known": list(KNOWN_MESSAGES)})
        self.invalidate_model()


def _word(value, limit):
    return value.replace("\x00", "")[:limit] if isinstance(value, str) else False
