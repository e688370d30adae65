import pytz
from odoo import api, fields, models


class ContractContract(models.Model):
    _inherit = "contract.contract"

    wallet_ids = fields.One2many("prepaid.wallet", "contract_id", string="Wallets")
    wallet_id = fields.Many2one(
        "prepaid.wallet",
        compute="_compute_wallet_id",
        search="_search_wallet_id",
        compute_sudo=True,
        string="Wallet",
    )
    wallet_balance = fields.Monetary(
        related="wallet_id.balance", string="Balance", currency_field="wallet_currency_id"
    )
    wallet_currency_id = fields.Many2one(related="wallet_id.currency_id", string="Wallet Currency")
    charge_count = fields.Integer(compute="_compute_charge_count", string="Charges")
    review_count = fields.Integer(compute="_compute_review_count", string="Readings to Review")

    @api.depends("wallet_ids")
    def _compute_wallet_id(self):
        for contract in self:
            contract.wallet_id = contract.wallet_ids[:1]

    def _search_wallet_id(self, operator, value):
        return fields.Domain("wallet_ids", operator, value)

    def _compute_charge_count(self):
        counts = dict(
            self.env["prepaid.charge"]._read_group(
                [("contract_id", "in", self.ids)], ["contract_id"], ["__count"]
            )
        )
        for contract in self:
            contract.charge_count = counts.get(contract, 0)

    def _compute_review_count(self):
        for contract in self:
            contract.review_count = sum(contract.service_point_ids.mapped("review_count"))

    @api.model_create_multi
    def create(self, vals_list):
        contracts = super().create(vals_list)
        contracts._ensure_wallet_sudo()
        return contracts

    def write(self, vals):
        result = super().write(vals)
        if vals.get("is_tenancy"):
            self._ensure_wallet_sudo()
        return result

    def action_view_wallet(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_wallet_action")
        return action | {"view_mode": "form", "views": [(False, "form")], "res_id": self.wallet_id.id}

    def action_view_charges(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_charge_action")
        return action | {"domain": [("contract_id", "=", self.id)], "context": {}}

    def action_view_reviews(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_review_action")
        return action | {
            "domain": [("service_point_id", "in", self.service_point_ids.ids)],
            "context": {"search_default_open": 1},
        }

    def _ensure_wallet_sudo(self):
        """Each tenancy has its wallet from the first day. As superuser: nobody creates wallets by hand."""
        missing = self.sudo().filtered(lambda c: c.is_tenancy and not c.wallet_ids)
        self.env["prepaid.wallet"].sudo().create(
            [
                {
                    "contract_id": c.id,
                    "company_id": c.company_id.id,
                    "currency_id": c.company_id.currency_id.id,
                }
                for c in missing
            ]
        )
        missing.invalidate_recordset(["wallet_ids", "wallet_id"])

    def _get_tz(self):
        """Name of the zone in which this tenancy's days and hours are counted."""
        return self.sudo().site_id.tz or self.env.company.sudo().partner_id.tz or "Asia/Shanghai"

    def _get_local_date(self, at):
        """The day at the site at instant ``at`` (naive UTC)."""
        self.ensure_one()
        return pytz.utc.localize(at).astimezone(pytz.timezone(self._get_tz())).date()
