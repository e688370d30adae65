from odoo import api, fields, models


class PrepaidWallet(models.Model):
    _inherit = "prepaid.wallet"

    topup_ids = fields.One2many("prepaid.topup", "wallet_id", string="Top-ups")
    topup_count = fields.Integer(compute="_compute_money_counts", compute_sudo=True)
    payment_count = fields.Integer(compute="_compute_money_counts", compute_sudo=True)
    invoice_count = fields.Integer(compute="_compute_money_counts", compute_sudo=True)

    def _compute_money_counts(self):
        for field, model, domain in (
            ("topup_count", "prepaid.topup", []),
            ("payment_count", "account.payment", []),
            ("invoice_count", "account.move", [("move_type", "in", ("out_invoice", "out_refund"))]),
        ):
            domain = [("wallet_id", "in", self.ids), *domain]
            counts = dict(self.env[model]._read_group(domain, ["wallet_id"], ["__count"]))
            for wallet in self:
                wallet[field] = counts.get(wallet, 0)

    def action_view_topups(self):
        return self._get_money_action("prepaid_billing.prepaid_topup_action")

    def action_view_payments(self):
        return self._get_money_action("account.action_account_payments")

    def action_view_invoices(self):
        return self._get_money_action("prepaid_billing.account_move_action_tenancy_invoice")

    def _get_money_action(self, xmlid):
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id(xmlid)
        return {**action, "domain": [("wallet_id", "in", self.ids)], "context": {"create": False}}

    @api.model
    def _get_amount_error(self, amount, key):
        return {
            "not_a_number": self.env._("%s is not an amount of money.", amount),
            "not_positive": self.env._("The amount must be above zero, not %s.", amount),
            "too_large": self.env._("%s is more than anybody pays.", amount),
            "too_precise": self.env._("%s has more than two decimals.", amount),
        }[key]

    def _get_advance_lines_sudo(self):
        """Open journal items of these wallets on the advance account. As superuser: used while money is taken."""
        accounts = self.company_id.sudo().prepaid_advance_account_id
        return (
            self.env["account.move.line"]
            .sudo()
            .search(
                [
                    ("account_id", "in", accounts.ids),
                    ("parent_state", "=", "posted"),
                    ("reconciled", "=", False),
                    ("move_id.wallet_id", "in", self.ids),
                ],
                order="date, id",
            )
        )

    def _reconcile_advance_sudo(self):
        """Match what each wallet was paid with what it was invoiced, oldest first.

        As superuser: runs with every top-up and invoice, whoever made it.
        """
        for lines in self._get_advance_lines_sudo().grouped(lambda line: line.move_id.wallet_id).values():
            if len({line.balance > 0 for line in lines}) == 2:
                lines.reconcile()

    def _get_balance_decimal(self):
        """The balance, exact (Decimal), as this transaction sees it."""
        self.ensure_one()
        return self._get_balances()[self.id]
