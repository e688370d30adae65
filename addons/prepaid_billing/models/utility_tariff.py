from odoo import api, fields, models
from odoo.exceptions import UserError

STRUCTURES = [
    ("flat", "Flat"),
    ("tou", "Time of Use"),
    ("tiered", "Tiered"),
    ("tiered_tou", "Tiered and Time of Use"),
]


class UtilityTariff(models.Model):
    """A price list of one kind; what it costs is said by its versions, each valid from an instant."""

    _name = "utility.tariff"
    _description = "Tariff"
    _inherit = ["mail.thread"]
    _order = "kind_id, sequence, name, id"

    name = fields.Char(required=True, tracking=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    kind_id = fields.Many2one(
        "utility.kind", required=True, index=True, ondelete="restrict", domain=[("is_metered", "=", True)]
    )
    uom_name = fields.Char(related="kind_id.uom_name")
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    version_ids = fields.One2many("utility.tariff.version", "tariff_id", string="Versions")
    version_id = fields.Many2one("utility.tariff.version", compute="_compute_version_id", string="In Force")
    structure = fields.Selection(STRUCTURES, compute="_compute_version_id")
    summary = fields.Char(compute="_compute_version_id", string="Price")
    sentence = fields.Text(compute="_compute_version_id", string="Price in Words")
    assignment_ids = fields.One2many("utility.tariff.assignment", "tariff_id")
    service_point_count = fields.Integer(compute="_compute_service_point_count")

    _name_uniq = models.UniqueIndex("(company_id, kind_id, name)", "A tariff with this name exists already.")

    @api.depends("version_ids.valid_from", "version_ids.state")
    def _compute_version_id(self):
        now = fields.Datetime.now()
        for tariff in self:
            valid = tariff.version_ids.filtered(lambda v: v.state == "confirmed" and v.valid_from <= now)
            version = valid.sorted("valid_from")[-1:]
            tariff.version_id = version
            tariff.structure, tariff.summary, tariff.sentence = (
                version.structure,
                version.summary,
                version.sentence,
            )

    def write(self, vals):
        if {"kind_id", "company_id"} & vals.keys() and any(tariff._has_confirmed() for tariff in self):
            raise UserError(self.env._("A tariff with a confirmed price keeps its kind and company."))
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_only_draft(self):
        if any(tariff._has_confirmed() for tariff in self):
            raise UserError(self.env._("A tariff with a confirmed price stays. Archive it."))

    def _has_confirmed(self):
        return any(version.state == "confirmed" for version in self.version_ids)

    def _compute_service_point_count(self):
        domain = [("tariff_id", "in", self.ids), ("is_current", "=", True)]
        groups = self.env["utility.tariff.assignment"]._read_group(domain, ["tariff_id"], ["__count"])
        counts = dict(groups)
        for tariff in self:
            tariff.service_point_count = counts.get(tariff, 0)

    def action_view_service_points(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "prepaid_billing.utility_tariff_assignment_action"
        )
        return action | {
            "domain": [("tariff_id", "=", self.id)],
            "context": {"default_tariff_id": self.id, "search_default_is_current": 1},
        }

    def action_open_assign(self):
        """The wizard that gives service points this tariff."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.utility_tariff_assign_action")
        return action | {"context": {"default_tariff_id": self.id}}
