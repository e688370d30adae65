from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

FUNCTION_GROUP = "property_utility.property_utility_group_function_tariff"


class UtilityTariffAssign(models.TransientModel):
    """Gives many service points a tariff from a moment on."""

    _name = "utility.tariff.assign"
    _description = "Assign a Tariff"

    tariff_id = fields.Many2one("utility.tariff", required=True)
    kind_id = fields.Many2one(related="tariff_id.kind_id")
    sentence = fields.Text(related="tariff_id.version_id.sentence", string="Price in Words")
    valid_from = fields.Datetime(required=True, default=fields.Datetime.now)
    is_first_from_start = fields.Boolean(
        "First Tariffs from the First Reading",
        default=True,
        help="A service point that never had a tariff gets it from the day its meter was installed, so that no use stays without a price.",
    )
    only_without = fields.Boolean("Show Only Points Without a Tariff", default=False)
    service_point_ids = fields.Many2many(
        "utility.service.point", string="Service Points", domain="[('kind_id', '=', kind_id)]"
    )
    note = fields.Text(compute="_compute_note")

    @api.onchange("tariff_id", "only_without")
    def _onchange_only_without(self):
        """Offer all points of the kind that have no tariff yet."""
        if self.only_without and self.tariff_id:
            self.service_point_ids = self.env["utility.service.point"].search(
                [("kind_id", "=", self.kind_id.id), ("assignment_ids", "=", False)]
            )

    @api.depends("service_point_ids", "tariff_id", "is_first_from_start")
    def _compute_note(self):
        for wizard in self:
            points = wizard.service_point_ids
            lines = []
            if points and wizard.tariff_id:
                new = points.filtered(lambda point: not point.assignment_ids)
                other = points.filtered(
                    lambda point, kind=wizard.kind_id: point.kind_id._origin != kind._origin
                )
                lines.append(
                    self.env._(
                        "%(count)s service points, %(new)s of them get their first tariff.",
                        count=len(points),
                        new=len(new),
                    )
                )
                if other:
                    names = ", ".join(other[:5].mapped("display_name"))
                    lines.append(self.env._("Not of this kind: %s", names))
            wizard.note = "\n".join(lines)

    def action_assign(self):
        self.ensure_one()
        if not self.env.user.has_group(FUNCTION_GROUP):
            raise AccessError(self.env._("You need the right to set tariffs."))
        if not self.service_point_ids:
            raise UserError(self.env._("Choose the service points."))
        points = self.service_point_ids
        points.check_access("read")
        assignments = self.env["utility.tariff.assignment"].create(
            [
                {
                    "service_point_id": point.id,
                    "tariff_id": self.tariff_id.id,
                    "valid_from": self._get_begin(point),
                }
                for point in points
            ]
        )
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "prepaid_billing.utility_tariff_assignment_action"
        )
        return action | {"domain": [("id", "in", assignments.ids)], "context": {}}

    def _get_begin(self, point):
        if self.is_first_from_start and not point.assignment_ids:
            return min(filter(None, (point._get_first_instant(), self.valid_from)))
        return self.valid_from
