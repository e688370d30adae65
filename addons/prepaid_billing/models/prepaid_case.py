from odoo import api, fields, models

STATES = [
    ("warned", "Warned"),
    ("due", "Due to Be Cut Off"),
    ("tripped", "Cut Off"),
    ("closed", "Closed"),
]


class PrepaidCase(models.Model):
    """One arrears story of a tenancy, from the first warning to power back. At most one is open."""

    _name = "prepaid.case"
    _description = "Arrears Case"
    _order = "id desc"
    _rec_name = "contract_id"

    contract_id = fields.Many2one(
        "contract.contract", string="Tenancy", required=True, readonly=True, index=True, ondelete="restrict"
    )
    partner_id = fields.Many2one(related="contract_id.partner_id", store=True, string="Tenant")
    company_id = fields.Many2one(related="contract_id.company_id", store=True, index=True)
    building_ids = fields.Many2many(related="contract_id.building_ids")
    wallet_balance = fields.Monetary(related="contract_id.wallet_balance", currency_field="currency_id")
    currency_id = fields.Many2one(related="company_id.currency_id")
    state = fields.Selection(STATES, required=True, readonly=True, default="warned", index=True)
    opened_at = fields.Datetime(readonly=True, required=True, default=fields.Datetime.now)
    due_since = fields.Datetime("Money Gone Since", readonly=True)
    tripped_at = fields.Datetime("Cut Off At", readonly=True)
    closed_at = fields.Datetime(readonly=True)
    next_check_at = fields.Datetime("Looked at Again", readonly=True, index=True)
    is_confirmed = fields.Boolean("Trip Confirmed by a Person", readonly=True)
    is_held_as_mass = fields.Boolean(
        "Waits for a Person", readonly=True, help="Too many would be cut off at once."
    )
    decision_ids = fields.One2many("prepaid.decision", "case_id", readonly=True)
    notice_ids = fields.One2many("prepaid.notice", "case_id", readonly=True)
    order_ids = fields.Many2many("meter.order", compute="_compute_order_ids", string="Orders")

    _open_uniq = models.UniqueIndex("(contract_id) WHERE state <> 'closed'", "A tenancy has one open case.")

    @api.depends("contract_id", "opened_at", "closed_at")
    def _compute_order_ids(self):
        occupancies = self.contract_id._get_all_occupancies()
        for case in self:
            points = occupancies[case.contract_id].unit_id.service_point_ids
            domain = [
                ("circuit_id.service_point_id", "in", points.ids),
                ("create_date", ">=", case.opened_at),
            ]
            if case.closed_at:
                domain.append(("create_date", "<=", fields.Datetime.add(case.closed_at, minutes=10)))
            case.order_ids = self.env["meter.order"].search(domain)

    def _get_warned_at(self):
        """{level: when a warning of it was delivered}"""
        warned = self.notice_ids.filtered(
            lambda notice: notice.state == "delivered" and notice.kind in ("warning_1", "warning_2")
        )
        return {notice.level: notice.delivered_at for notice in warned}

    def _look_again(self):
        """Something that the decision depends on has changed: decide within a minute."""
        self.filtered(lambda case: case.state != "closed").next_check_at = fields.Datetime.now()
        self.env.ref("prepaid_billing.prepaid_supply_cron").sudo()._trigger()

    def action_confirm_trip(self):
        """A person has looked: this tenancy may be cut off although many others are too."""
        self.check_access("read")
        switches = self.sudo().contract_id._get_power_switches()
        switches.with_env(self.env)._check_right()
        for case in self.sudo().filtered(lambda case: case.state == "due"):
            case.is_confirmed = True
            self.env["audit.entry"]._log("case.confirm", case, after={"confirmed": True})
        self.contract_id.sudo()._evaluate_supply("confirmed")
        return True
