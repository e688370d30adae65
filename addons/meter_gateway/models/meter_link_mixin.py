import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError

MAX_ACREL_SERIAL = 20
_SAID_IMEI = re.compile(rb"(?:imei[:=])?([0-9]{15})", re.IGNORECASE)
_PACKED_IMEI = re.compile(rb"0([0-9]{15})")


class MeterLinkMixin(models.AbstractModel):
    """How the bytes reach a gateway, or one line of it."""

    _name = "meter.link.mixin"
    _description = "Connection Settings"

    host = fields.Char()
    port = fields.Integer()
    device = fields.Char()
    registration = fields.Char()
    registration_key = fields.Char(compute="_compute_registration_key", store=True)
    heartbeat = fields.Char()

    @api.depends("registration")
    def _compute_registration_key(self):
        for line in self:
            line.registration_key = get_packet_key(line.registration)

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
            if packet and not _read_packet(packet):
                return self.env._("%s is not hexadecimal after 'hex:'.", packet)
        packet = _read_packet(self.registration or "")
        if packet.lower().startswith(b"imei:") and not _SAID_IMEI.fullmatch(packet):
            return self.env._("%s is not fifteen digits after 'imei:'.", self.registration)
        if packet.lower().startswith(b"acrel:") and not 0 < len(packet) - len(b"acrel:") <= MAX_ACREL_SERIAL:
            return self.env._(
                "%s is not the serial number of an Acrel meter after 'acrel:'.", self.registration
            )
        return ""


def get_packet_key(text):
    """Equal for registration packets that one caller could mean by the same bytes, False for none.

    A name is the same as text and as ``hex:``, and an IMEI in each form in which boxes say it. The connector keeps gateways apart by
    the same key (``key_of`` in its ``transports/registration.py``).
    """
    packet = _read_packet(text or "")
    if not packet:
        return False
    imei = _SAID_IMEI.fullmatch(packet) or _PACKED_IMEI.fullmatch(packet.hex().encode())
    if imei:
        return f"imei:{imei[1].decode()}"
    if packet.lower().startswith(b"acrel:"):
        packet = b"acrel:" + packet[len(b"acrel:") :]
    return f"hex:{packet.hex()}"


def _read_packet(text):
    """The bytes of ``text`` or ``hex:AABB``; empty when it is not hexadecimal."""
    if not text.lower().startswith("hex:"):
        return text.encode()
    try:
        return bytes.fromhex(text[4:])
    except ValueError:
        return b""
