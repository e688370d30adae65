from odoo import Command, api, fields, models
from odoo.exceptions import ValidationError

#: Facts of a tenancy; the contract's own read-only fields are written by its own code on users' behalf.
TENANCY_FACTS = ("tenancy_state", "building_ids", "moved_in_at", "moved_out_at")
AUDITED_FIELDS = ("account_number", "partner_id", "invoice_partner_id", "is_tenancy", "active")
#: In the context while a tenancy is made, which has an audit entry of its own. No caller from outside can send this very object.
OPENING = object()


class ContractContract(models.Model):
    _name = "contract.contract"
    _inherit = ["contract.contract", "property.facts.mixin"]

    is_tenancy = fields.Boolean(string="Tenancy", index=True, copy=True)
    account_number = fields.Char(
        string="Account No.", copy=False, help="Number of the tenant's account, unique in the company."
    )
    tenancy_state = fields.Selection(
        [("draft", "Not Moved In"), ("active", "Running"), ("ended", "Moved Out")],
        compute="_compute_tenancy_state",
        store=True,
        index=True,
        string="Tenancy Status",
        tracking=True,
        group_expand="_group_expand_tenancy_state",
    )
    site_id = fields.Many2one(
        "property.site", compute="_compute_buildings", store=True, readonly=False, index=True
    )
    building_ids = fields.Many2many(
        "property.building",
        "contract_contract_property_building_rel",
        "contract_id",
        "building_id",
        compute="_compute_buildings",
        store=True,
        compute_sudo=True,
        string="Buildings",
    )
    occupancy_ids = fields.One2many("property.occupancy", "contract_id", string="Occupancies")
    unit_ids = fields.Many2many(
        "property.unit", compute="_compute_current", string="Units", search="_search_unit_ids"
    )
    service_point_ids = fields.Many2many(
        "utility.service.point", compute="_compute_current", string="Service Points"
    )
    unit_names = fields.Char(string="Rooms", compute="_compute_current")
    building_names = fields.Char(string="Building", compute="_compute_current")
    area_m2 = fields.Float(string="Let Area (m²)", digits=(12, 2), compute="_compute_current")
    head_count = fields.Integer(compute="_compute_current")
    moved_in_at = fields.Datetime(string="Move-in Time", compute="_compute_buildings", store=True)
    moved_out_at = fields.Datetime(string="Move-out Time", compute="_compute_buildings", store=True)

    _account_number_uniq = models.UniqueIndex(
        "(company_id, account_number) WHERE account_number IS NOT NULL",
        "A tenancy with this account number exists already.",
    )

    @api.model
    def _is_fact(self, name):
        return name in TENANCY_FACTS and super()._is_fact(name)

    @api.model
    def _group_expand_tenancy_state(self, states, domain):
        return [key for key, _label in self._fields["tenancy_state"].selection]

    def _get_all_occupancies(self):
        """{contract: all its occupancies, sudo}.

        Searched, not read from ``occupancy_ids``: that one's cache holds what the present user may see, and
        stored fields must not depend on who makes them be computed.
        """
        occupancies = self.env["property.occupancy"].sudo()
        found = occupancies.search([("contract_id", "in", self.ids)]).grouped("contract_id")
        return {contract: found.get(contract._origin.sudo(), occupancies) for contract in self}

    @api.depends("occupancy_ids.start_at", "occupancy_ids.end_at", "is_tenancy")
    def _compute_tenancy_state(self):
        now = fields.Datetime.now()
        occupancies = self._get_all_occupancies()
        for contract in self:
            state = occupancies[contract]._get_tenancy_state(now)
            contract.tenancy_state = state if contract.is_tenancy else False

    @api.depends("occupancy_ids.start_at", "occupancy_ids.end_at", "occupancy_ids.unit_id.building_id")
    def _compute_buildings(self):
        all_occupancies = self._get_all_occupancies()
        for contract in self:
            occupancies = all_occupancies[contract]
            contract.building_ids = [Command.set(occupancies.unit_id.building_id.ids)]
            contract.site_id = occupancies.unit_id.site_id[:1] or contract.site_id
            contract.moved_in_at = min(occupancies.mapped("start_at"), default=False)
            ends = occupancies.mapped("end_at")
            contract.moved_out_at = max(ends) if ends and all(ends) else False

    @api.depends("occupancy_ids.start_at", "occupancy_ids.end_at", "occupancy_ids.head_count")
    @api.depends_context("uid")
    def _compute_current(self):
        """What the tenancy has now, as far as the user may see it (who sees A sees nothing of B)."""
        now = fields.Datetime.now()
        occupancies = self._get_all_occupancies()
        for contract in self:
            current = occupancies[contract].filtered(lambda o: o._is_in_effect(now))
            units = current.unit_id
            if not (self.env.su or self.env.user.share):
                units = units.sudo(False)._filtered_access("read").sudo()
            contract.unit_ids = units
            contract.unit_names = "、".join(units.mapped("code")) or False
            contract.building_names = "、".join(units.building_id.mapped("name")) or False
            contract.service_point_ids = units.service_point_ids
            contract.area_m2 = sum(units.mapped("area_m2"))
            contract.head_count = sum(current.mapped("head_count"))

    def _search_unit_ids(self, operator, value):
        return fields.Domain("occupancy_ids.unit_id", operator, value)

    @api.depends("account_number", "partner_id.name", "is_tenancy")
    def _compute_display_name(self):
        tenancies = self.filtered(lambda c: c.is_tenancy and c.account_number)
        result = super(ContractContract, self - tenancies)._compute_display_name()
        for contract in tenancies:
            contract.display_name = f"{contract.account_number} {contract.partner_id.name or ''}".strip()
        return result

    @api.model
    def _search_display_name(self, operator, value):
        domain = super()._search_display_name(operator, value)
        if operator in ("ilike", "like", "=", "=ilike", "=like", "in") and value:
            domain |= fields.Domain("account_number", operator, value)
            domain |= fields.Domain("partner_id.name", operator, value)
        return domain

    @api.constrains("is_tenancy", "account_number")
    def _check_account_number(self):
        for contract in self:
            if contract.is_tenancy and not contract.account_number:
                raise ValidationError(
                    self.env._("Tenancy %s needs an account number.", contract.display_name)
                )

    @api.constrains("is_tenancy", "company_id")
    def _check_occupancies(self):
        for contract in self.filtered("occupancy_ids"):
            contract.sudo().occupancy_ids._check_contract()

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            is_tenancy = vals.get("is_tenancy", self.env.context.get("default_is_tenancy"))
            if is_tenancy and not vals.get("account_number"):
                vals["account_number"] = self._get_next_account_number(vals.get("company_id"))
            if is_tenancy and not vals.get("name"):
                vals["name"] = vals["account_number"]
        opening = super(ContractContract, self.with_context(tenancy_opening=OPENING))
        contracts = opening.create(vals_list).with_env(self.env)
        for contract in contracts.filtered("is_tenancy"):
            self.env["audit.entry"]._log("tenancy.open", contract, after=contract._get_audit_values())
        return contracts

    def write(self, vals):
        if not vals.keys() & set(AUDITED_FIELDS) or self.env.context.get("tenancy_opening") is OPENING:
            return super().write(vals)
        before = {contract.id: contract._get_audit_values() for contract in self if contract.is_tenancy}
        result = super().write(vals)
        for contract in self.filtered("is_tenancy"):
            after = contract._get_audit_values()
            if after != before.get(contract.id):
                self.env["audit.entry"]._log("tenancy.change", contract, before.get(contract.id), after)
        return result

    def unlink(self):
        for contract in self.filtered("is_tenancy"):
            self.env["audit.entry"]._log("tenancy.delete", contract, before=contract._get_audit_values())
        return super().unlink()

    def _get_audit_values(self):
        self.ensure_one()
        sudo = self.sudo()
        return {
            "account_number": sudo.account_number or None,
            "tenant": sudo.partner_id.display_name,
            "invoice_to": sudo.invoice_partner_id.display_name or None,
            "is_tenancy": sudo.is_tenancy,
            "active": sudo.active,
        }

    @api.model
    def _get_next_account_number(self, company_id=None):
        """The next number that nobody has: numbers may also be given by hand or by an import."""
        company_id = company_id or self.env.company.id
        sequence = self.env["ir.sequence"].sudo().with_company(company_id)
        contracts = self.sudo().with_context(active_test=False)
        while True:
            number = sequence.next_by_code("property_utility.account_number")
            if not contracts.search_count(
                [("company_id", "=", company_id), ("account_number", "=", number)], limit=1
            ):
                return number

    def get_formview_id(self, access_uid=None):
        if self.is_tenancy:
            return self.env.ref("property_utility.contract_contract_view_form_tenancy").id
        return super().get_formview_id(access_uid=access_uid)

    # --- buttons --------------------------------------------------------------------------------------

    def _get_wizard_action(self, model, name):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": name,
            "res_model": model,
            "view_mode": "form",
            "target": "new",
            "context": {"default_contract_id": self.id},
        }

    def action_move_in(self):
        return self._get_wizard_action("property.move.in", self.env._("Move In"))

    def action_move_out(self):
        return self._get_wizard_action("property.move.out", self.env._("Move Out"))

    def action_room_change(self):
        return self._get_wizard_action("property.room.change", self.env._("Room Change"))

    def action_view_units(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("property_utility.property_unit_action")
        action["domain"] = [("id", "in", self.unit_ids.ids)]
        return action

    def action_view_service_points(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "property_utility.utility_service_point_action"
        )
        action["domain"] = [("id", "in", self.service_point_ids.ids)]
        return action
