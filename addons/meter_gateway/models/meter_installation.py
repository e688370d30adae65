from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError


class MeterInstallation(models.Model):
    """A circuit measured a service point from a reading to a reading."""

    _name = "meter.installation"
    _description = "Installation"
    _inherit = ["property.scope.mixin"]
    _scope_fields = ("circuit_id", "service_point_id")
    _order = "start_at desc, id desc"

    circuit_id = fields.Many2one("meter.circuit", required=True, ondelete="restrict", index=True)
    meter_id = fields.Many2one(related="circuit_id.meter_id", store=True, index=True)
    service_point_id = fields.Many2one(
        "utility.service.point", required=True, ondelete="restrict", index=True
    )
    unit_id = fields.Many2one(related="service_point_id.unit_id", store=True)
    building_id = fields.Many2one(related="service_point_id.building_id", store=True, index=True)
    company_id = fields.Many2one(related="service_point_id.company_id", store=True)
    start_at = fields.Datetime(required=True, default=fields.Datetime.now)
    end_at = fields.Datetime(help="Empty while the meter is there.")
    start_total = fields.Float("Opening Reading", digits=(18, 4), required=True)
    start_t1 = fields.Float("Opening Sharp", digits=(18, 4))
    start_t2 = fields.Float("Opening Peak", digits=(18, 4))
    start_t3 = fields.Float("Opening Flat", digits=(18, 4))
    start_t4 = fields.Float("Opening Valley", digits=(18, 4))
    end_total = fields.Float("Closing Reading", digits=(18, 4))
    end_t1 = fields.Float("Closing Sharp", digits=(18, 4))
    end_t2 = fields.Float("Closing Peak", digits=(18, 4))
    end_t3 = fields.Float("Closing Flat", digits=(18, 4))
    end_t4 = fields.Float("Closing Valley", digits=(18, 4))
    multiplier = fields.Float(
        digits=(18, 4),
        compute="_compute_multiplier",
        store=True,
        readonly=False,
        precompute=True,
        help="CT times VT ratio when the meter was installed; each installation keeps its own.",
    )
    reason = fields.Char(help="Why the meter came or went.")

    _period_order = models.Constraint(
        "CHECK (end_at IS NULL OR end_at >= start_at)", "An installation ends after it starts."
    )
    _multiplier_positive = models.Constraint("CHECK (multiplier > 0)", "The multiplier must be above zero.")
    _circuit_overlap = models.Constraint(
        "EXCLUDE USING gist (circuit_id WITH =, tsrange(start_at, end_at, '[)') WITH &&)",
        "A circuit cannot measure two service points at the same time.",
    )

    @api.depends("circuit_id")
    def _compute_multiplier(self):
        for installation in self:
            meter = installation.circuit_id.meter_id
            installation.multiplier = installation.multiplier or (meter.ct_ratio * meter.vt_ratio) or 1.0

    @api.constrains("circuit_id", "service_point_id")
    def _check_kind(self):
        for installation in self:
            if installation.circuit_id.kind_id != installation.service_point_id.kind_id:
                raise ValidationError(
                    self.env._(
                        "%(meter)s measures %(meter_kind)s; %(point)s is a point of %(point_kind)s.",
                        meter=installation.circuit_id.display_name,
                        meter_kind=installation.circuit_id.kind_id.name,
                        point=installation.service_point_id.display_name,
                        point_kind=installation.service_point_id.kind_id.name,
                    )
                )

    @api.depends("circuit_id", "service_point_id", "start_at")
    def _compute_display_name(self):
        for installation in self:
            installation.display_name = (
                f"{installation.circuit_id.display_name} → {installation.service_point_id.display_name}"
            )

    @api.model_create_multi
    def create(self, vals_list):
        self.flush_model()  # an installation ended in this transaction makes room for the new one
        installations = super().create(vals_list)
        for installation in installations:
            self.env["audit.entry"]._log(
                "meter.install", installation, after=installation._prepare_audit(), reason=installation.reason
            )
        return installations

    def write(self, vals):
        before = {installation.id: installation._prepare_audit() for installation in self}
        result = super().write(vals)
        for installation in self:
            self.env["audit.entry"]._log(
                "meter.installation.change",
                installation,
                before=before[installation.id],
                after=installation._prepare_audit(),
                reason=installation.reason,
            )
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_except_read(self):
        for installation in self:
            if installation.circuit_id.live_id.at:
                raise UserError(
                    self.env._(
                        "%s was read; end the installation instead of deleting it.", installation.display_name
                    )
                )

    def _prepare_audit(self):
        self.ensure_one()
        names = ("start_total", "end_total", "multiplier")
        return {
            "circuit": self.circuit_id.display_name,
            "service_point": self.service_point_id.display_name,
            "start_at": fields.Datetime.to_string(self.start_at),
            "end_at": fields.Datetime.to_string(self.end_at) if self.end_at else None,
            **{name: str(self[name]) for name in names},
        }
