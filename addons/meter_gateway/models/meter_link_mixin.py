from odoo import api, fields, models
from odoo.exceptions import ValidationError


class MeterLinkMixin(models.AbstractModel):
    """How the bytes reach a gateway, or one line of it."""

    _name = "meter.link.mixin"
    _description = "Connection Settings"

    host = fields.Char()
    port = fields.Integer()
    device = fields.Char()
    registration = fields.Char()
    heartbeat = fields.Char()

    @api.constrains("port", "registration", "heartbeat")
    def _check_link_values(self):
        for line in self:
            problem = line._get_value_problem()
            if problem:
                raise ValidationError(
                    self.env._("%(name)s: %(problem)s", name=line.display_name, problem=problem)
                )

    def _get_value_problem(self):
        """What is wrong with a single value, or ''."""
        self.ensure_one()
        if self.port and not 0 < self.port < 65536:
            return self.env._("port %s is not between 1 and 65535.", self.port)
        for packet in (self.registration, self.heartbeat):
            if packet and packet.lower().startswith("hex:") and not _is_hex(packet[4:]):
                return self.env._("%s is not hexadecimal after 'hex:'.", packet)
        return ""


def _is_hex(text):
    try:
        return bool(bytes.fromhex(text))
    except ValueError:
        return False
