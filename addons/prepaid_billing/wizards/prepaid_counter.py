from uuid import uuid4

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..money.chinese_amount import to_chinese_capitals


class PrepaidCounter(models.TransientModel):
    """One customer at the counter: find, see the balance, take the money, print the slip, next."""

    _name = "prepaid.counter"
    _description = "Counter"
    _transient_max_hours = 24.0

    contract_id = fields.Many2one("contract.contract", string="Tenant", domain=[("is_tenancy", "=", True)])
    wallet_id = fields.Many2one(related="contract_id.wallet_id")
    currency_id = fields.Many2one(
        "res.currency", compute="_compute_currency_id", default=lambda self: self.env.company.currency_id
    )
    account_number = fields.Char(related="contract_id.account_number")
    partner_id = fields.Many2one(related="contract_id.partner_id")
    phone = fields.Char(related="contract_id.partner_id.phone")
    unit_names = fields.Char(compute="_compute_unit_names", string="Units")
    balance = fields.Monetary(compute="_compute_balance")
    balance_after = fields.Monetary(compute="_compute_balance", string="New Balance")
    amount = fields.Monetary()
    amount_capitals = fields.Char(compute="_compute_amount_capitals", string="In Words")
    method = fields.Selection(
        [("cash", "Cash"), ("cheque", "Cheque"), ("transfer", "Bank Transfer")], default="cash", required=True
    )
    reference = fields.Char(string="Cheque or Transfer No.")
    voucher = fields.Binary(string="Photo of the Voucher")
    is_confirmed = fields.Boolean(
        string="Money Received", default=True, help="Clear it for a voucher whose money has not arrived yet."
    )
    print_receipt = fields.Boolean(default=True)
    request_key = fields.Char(default=lambda self: str(uuid4()), readonly=True)
    topup_id = fields.Many2one("prepaid.topup", readonly=True)
    topup_state = fields.Selection(related="topup_id.state")
    recent_topup_ids = fields.Many2many(
        "prepaid.topup", compute="_compute_recent_topup_ids", string="Last Top-ups"
    )
    supply_text = fields.Char(compute="_compute_supply_text", string="Supply")

    @api.depends("topup_id")
    def _compute_display_name(self):
        for counter in self:
            counter.display_name = counter.topup_id.number or self.env._("Counter")

    @api.depends("contract_id")
    def _compute_currency_id(self):
        for counter in self:
            counter.currency_id = counter.contract_id.wallet_id.currency_id or self.env.company.currency_id

    @api.depends("contract_id")
    def _compute_unit_names(self):
        for counter in self:
            counter.unit_names = ", ".join(counter.contract_id.unit_ids.mapped("display_name"))

    @api.depends("contract_id", "amount", "topup_id")
    def _compute_balance(self):
        for counter in self:
            counter.balance = counter.wallet_id.balance
            counter.balance_after = counter.balance + (0.0 if counter.topup_id else counter.amount)

    @api.depends("amount")
    def _compute_amount_capitals(self):
        for counter in self:
            counter.amount_capitals = to_chinese_capitals(counter.amount) if counter.amount else ""

    @api.depends("contract_id", "topup_id")
    def _compute_recent_topup_ids(self):
        for counter in self:
            domain = [("contract_id", "=", counter.contract_id.id or 0), ("state", "!=", "draft")]
            counter.recent_topup_ids = self.env["prepaid.topup"].search(domain, limit=5)

    @api.depends("contract_id", "topup_id")
    def _compute_supply_text(self):
        words = {
            "on": self.env._("On"),
            "off": self.env._("Off"),
            "pending": self.env._("Switching"),
            "unknown": self.env._("Unknown"),
        }
        for counter in self:
            summary = counter.contract_id._get_supply_summary() if counter.contract_id else {}
            counter.supply_text = words.get(summary.get("switch"), "")

    def action_take(self):
        """Take the money, once however often the button is pressed; then the slip."""
        self.ensure_one()
        if not self.contract_id:
            raise UserError(self.env._("Choose the tenant first."))
        if not self.topup_id:
            self.topup_id = self.env["prepaid.topup"]._take(
                self.wallet_id,
                self.amount,
                self.method,
                reference=self.reference,
                voucher=self.voucher,
                request_key=self.request_key,
                confirm=self.is_confirmed,
            )
        if self.print_receipt and self.topup_id.state == "posted":
            return self.action_print()
        return self._get_action(self)

    def action_print(self):
        self.ensure_one()
        return self.topup_id.action_print_receipt()

    def action_next(self):
        """The next customer: an empty counter."""
        return self._get_action(self.browse())

    @api.model
    def _get_action(self, counter):
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_counter_action")
        return {**action, "res_id": counter.id, "target": "main"}
