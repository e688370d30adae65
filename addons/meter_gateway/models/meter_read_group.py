import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError


class MeterReadGroup(models.Model):
    """When the meters of a group are read (different users may be read at different times)."""

    _name = "meter.read.group"
    _description = "Read Group"
    _inherit = ["meter.shared.mixin", "meter.config.mixin"]
    _order = "code"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(required=True, help="Written on the meters of the group.")
    energy_s = fields.Integer("Energy Every (s)", default=60, help="0 = not by schedule.")
    live_s = fields.Integer("Live Values Every (s)", default=60, help="0 = not by schedule.")
    switch_s = fields.Integer("Switch State Every (s)", default=60, help="0 = not by schedule.")
    clock_at = fields.Char("Set Clocks At", default="03:10", help="Site time HH:MM; empty = never.")

    _code_uniq = models.UniqueIndex("(code)", "Another read group already has this code.")
    _periods_range = models.Constraint(
        "CHECK ((energy_s = 0 OR energy_s BETWEEN 10 AND 86400) AND (live_s = 0 OR live_s BETWEEN 10 AND 86400)"
        " AND (switch_s = 0 OR switch_s BETWEEN 10 AND 86400))",
        "A period is between 10 and 86400 seconds, or 0.",
    )
    _default_is_read = models.Constraint(
        "CHECK (code <> 'default' OR (energy_s > 0 AND switch_s > 0))",
        "The group “default” is read: every meter without another group goes by it.",
    )

    def _get_config_fields(self):
        return frozenset(("code", "energy_s", "live_s", "switch_s", "clock_at"))

    def _get_config_connectors(self):
        return self.env["meter.connector"].sudo().search([])  # read groups belong to no company

    def _get_shared_meters(self):
        return self.env["meter.meter"].sudo().search([("read_group", "in", self.mapped("code"))])

    def _prepare_shared_audit(self):
        return {"code": self.code, **self._prepare_schedule()}

    @api.constrains("clock_at")
    def _check_clock_at(self):
        for group in self:
            if group.clock_at and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", group.clock_at):
                raise ValidationError(
                    self.env._(
                        "Read group %(name)s: %(time)s is not HH:MM.", name=group.name, time=group.clock_at
                    )
                )

    def _prepare_schedule(self):
        self.ensure_one()
        return {
            "energy_s": self.energy_s,
            "live_s": self.live_s,
            "switch_s": self.switch_s,
            "clock_at": self.clock_at or "",
        }
