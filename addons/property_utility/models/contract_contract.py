from odoo import Command, api, fields, models


class ContractContract(models.Model):
    _inherit = "contract.contract"

    is_tenancy = fields.Boolean(string="Tenancy", index=True, copy=True)
    account_number = fields.Char(
        string="Account No.",
        copy=False,
        index="trigram",
        help="Number of the tenant's account, unique in the company.",
    )
    tenancy_state = fields.Selection(
        [("draft", "Not Moved In"), ("active", "Active"), ("ended", "Ended")],
        compute="_compute_tenancy",
        store=True,
        index=True,
        string="Tenancy Status",
        tracking=True,
    )
    site_id = fields.Many2one(
        "property.site", compute="_compute_tenancy", store=True, readonly=False, index=True, string="Site"
    )
    building_ids = fields.Many2many(
        "property.building",
        "contract_contract_property_building_rel",
        "contract_id",
        "building_id",
        compute="_compute_tenancy",
        store=True,
        compute_sudo=True,
        string="Buildings",
    )
    occupancy_ids = fields.One2many("property.occupancy", "contract_id", string="Occupancies")
    unit_ids = fields.Many2many(
        "property.unit",
        compute="_compute_current",
        compute_sudo=True,
        string="Units",
        search="_search_unit_ids",
    )
    service_point_ids = fields.Many2many(
        "utility.service.point", compute="_compute_current", compute_sudo=True, string="Service Points"
    )
    head_count = fields.Integer(compute="_compute_current", compute_sudo=True)

    _account_number_uniq = models.UniqueIndex(
        "(company_id, account_number) WHERE account_number IS NOT NULL",
        "A tenancy with this account number exists already.",
    )

    @api.depends(
        "occupancy_ids.start_at", "occupancy_ids.end_at", "occupancy_ids.unit_id.building_id", "is_tenancy"
    )
    def _compute_tenancy(self):
        now = fields.Datetime.now()
        for contract in self:
            occupancies = contract.sudo().occupancy_ids
            contract.building_ids = [Command.set(occupancies.unit_id.building_id.ids)]
            contract.site_id = occupancies.unit_id.site_id[:1] or contract.site_id
            contract.tenancy_state = occupancies._get_tenancy_state(now) if contract.is_tenancy else False

    @api.depends("occupancy_ids.start_at", "occupancy_ids.end_at", "occupancy_ids.head_count")
    def _compute_current(self):
        now = fields.Datetime.now()
        for contract in self:
            current = contract.occupancy_ids.filtered(lambda o: o._is_in_effect(now))
            contract.unit_ids = current.unit_id
            contract.service_point_ids = current.unit_id.service_point_ids
            contract.head_count = sum(current.mapped("head_count"))

    def _search_unit_ids(self, operator, value):
        return fields.Domain("occupancy_ids.unit_id", operator, value)

    @api.depends("account_number", "partner_id.name", "is_tenancy")
    def _compute_display_name(self):
        tenancies = self.filtered(lambda c: c.is_tenancy and c.account_number)
        super(ContractContract, self - tenancies)._compute_display_name()
        for contract in tenancies:
            contract.display_name = f"{contract.account_number} {contract.partner_id.name or ''}".strip()

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            is_tenancy = vals.get("is_tenancy", self.env.context.get("default_is_tenancy"))
            if is_tenancy and not vals.get("account_number"):
                vals["account_number"] = self._get_next_account_number(vals.get("company_id"))
            if is_tenancy and not vals.get("name"):
                vals["name"] = vals["account_number"]
        return super().create(vals_list)

    @api.model
    def _get_next_account_number(self, company_id=None):
        sequence = self.env["ir.sequence"].sudo().with_company(company_id or self.env.company.id)
        return sequence.next_by_code("property_utility.account_number")
