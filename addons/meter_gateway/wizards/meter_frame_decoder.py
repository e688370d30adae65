from odoo import api, fields, models

from ..const import PROTOCOLS
from ..frame_decoder import protocols, read_hex


class MeterFrameDecoder(models.TransientModel):
    """Decode bytes by hand."""

    _name = "meter.frame.decoder"
    _description = "Frame Decoder"

    text = fields.Text("Bytes", help="Hexadecimal; spaces, commas, 0x do no harm.")
    protocol = fields.Selection(
        [*PROTOCOLS, ("acrel", "Acrel 4G (7B 7B)")], help="Empty: every protocol is tried."
    )
    decoded = fields.Html(compute="_compute_decoded", sanitize=False)

    @api.model
    def default_get(self, names):
        values = super().default_get(names)
        if values.get("protocol") not in protocols():
            values["protocol"] = False
        return values

    @api.depends("text", "protocol")
    def _compute_decoded(self):
        frames = self.env["meter.frame"]
        for wizard in self:
            digits = read_hex(wizard.text)
            if digits is None:
                wizard.decoded = self.env["ir.qweb"]._render("meter_gateway.frame_not_hex", {})
            else:
                wizard.decoded = frames._render(digits, wizard.protocol)
