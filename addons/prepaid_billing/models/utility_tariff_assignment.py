from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError


class UtilityTariffAssignment(models.Model):
    """Which tariff a service point has from an instant on, until the next one begins."""

    _name = "utility.tariff.assignment"
    _description = "Tariff of a Service Point"
    _inherit = ["property.scope.mixin"]
    _scope_fields = ("service_point_id",)
    _order = "service_point_id, valid_from desc, id desc"

    service_point_id = fields.Many2one(
        "utility.service.point", required=True, index=True, ondelete="restrict"
    )
    tariff_id = fields.Many2one("utility.tariff", required=True, index=True, ondelete="restrict")
    valid_from = fields.Datetime(required=True, default=fields.Datetime.now)
    company_id = fields.Many2one(related="service_point_id.company_id", store=True, index=True)
    building_id = fields.Many2one(related="service_point_id.building_id", store=True, index=True)
    kind_id = fields.Many2one(related="service_point_id.kind_id", store=True)
    contract_id = fields.Many2one(related="service_point_id.contract_id", string="Tenancy")
    is_current = fields.Boolean(compute="_compute_is_current", search="_search_is_current")

    _valid_uniq = models.UniqueIndex(
        "(service_point_id, valid_from)", "This service point gets a tariff at this moment already."
    )

    def _compute_is_current(self):
        current = self._get_current(self.service_point_id)
        for assignment in self:
            assignment.is_current = assignment in current

    def _search_is_current(self, operator, value):
        if operator != "in":
            return NotImplemented
        ids = self._get_current().ids
        return [("id", "in" if True in value else "not in", ids)]

    @api.model
    def _get_current(self, points=None):
        """Assignments in force now (of `points`, or of all)."""
        self.env.flush_all()
        self.env.cr.execute(
            """SELECT DISTINCT ON (service_point_id) id FROM utility_tariff_assignment
                WHERE valid_from <= (now() AT TIME ZONE 'utc') AND (%(all)s OR service_point_id = ANY(%(ids)s))
                ORDER BY service_point_id, valid_from DESC""",
            {"all": points is None, "ids": points.ids if points is not None else []},
        )
        return self.browse([row[0] for row in self.env.cr.fetchall()])

    @api.constrains("service_point_id", "tariff_id")
    def _check_kind(self):
        for assignment in self:
            point, tariff = assignment.service_point_id, assignment.tariff_id
            if point.kind_id != tariff.kind_id:
                raise ValidationError(
                    self.env._(
                        "Tariff %(tariff)s is for %(kind)s, service point %(point)s is not.",
                        tariff=tariff.name,
                        kind=tariff.kind_id.name,
                        point=point.display_name,
                    )
                )

    def _check_not_behind_charges(self, at=None):
        """Use already charged keeps its price: assignments neither begin nor end before it."""
        self.env.flush_all()
        for assignment in self:
            begin = min(filter(None, (at, assignment.valid_from)))
            self.env.cr.execute(
                "SELECT max(to_reading_at) FROM prepaid_charge WHERE service_point_id = %s AND tariff_version_id IS NOT NULL",
                [assignment.service_point_id.id],
            )
            charged_to = self.env.cr.fetchone()[0]
            if charged_to and charged_to > begin:
                raise UserError(
                    self.env._(
                        "%(point)s is charged up to %(charged)s already. A change of tariff begins after that.",
                        point=assignment.service_point_id.display_name,
                        charged=fields.Datetime.to_string(
                            fields.Datetime.context_timestamp(self, charged_to)
                        ),
                    )
                )

    @api.model_create_multi
    def create(self, vals_list):
        assignments = super().create(vals_list)
        assignments._check_not_behind_charges()
        for assignment in assignments:
            assignment._log_change(after=assignment._get_audit_values())
        assignments.service_point_id._request_settlement()
        return assignments

    def write(self, vals):
        self._check_not_behind_charges()
        before = {assignment: assignment._get_audit_values() for assignment in self}
        result = super().write(vals)
        self._check_not_behind_charges()
        for assignment in self:
            assignment._log_change(before[assignment], assignment._get_audit_values())
        self.service_point_id._request_settlement()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_only_unused(self):
        self._check_not_behind_charges()
        for assignment in self:
            assignment._log_change(before=assignment._get_audit_values())

    def _get_audit_values(self):
        return {"tariff": self.tariff_id.name, "valid_from": self.valid_from}

    def _log_change(self, before=None, after=None):
        self.env["audit.entry"]._log("tariff.assign", self.service_point_id, before=before, after=after)
