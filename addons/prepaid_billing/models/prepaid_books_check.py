from markupsafe import Markup
from odoo import api, fields, models
from odoo.tools import SQL

from ..exact import fetch_exact, fetch_exact_dicts

PARTS = ("balance", "ledger_amount", "charge_amount", "fee_amount", "subsidy_amount")


class PrepaidBooksCheck(models.Model):
    _name = "prepaid.books.check"
    _description = "Books Check"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "at desc, id desc"
    _rec_name = "at"

    at = fields.Datetime(string="Checked At", readonly=True, required=True, default=fields.Datetime.now)
    company_id = fields.Many2one("res.company", readonly=True, required=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    wallet_count = fields.Integer(string="Wallets", readonly=True)
    balance = fields.Monetary(string="Wallet Balances", readonly=True)
    ledger_amount = fields.Monetary(string="Sum of Entries", readonly=True)
    advance_amount = fields.Monetary(string="Advance Account", readonly=True)
    charge_amount = fields.Monetary(string="Charges Not Invoiced", readonly=True)
    fee_amount = fields.Monetary(string="Fees Not Invoiced", readonly=True)
    subsidy_amount = fields.Monetary(string="Subsidies Not Booked", readonly=True)
    unassigned_amount = fields.Monetary(
        string="Advances of No Wallet",
        readonly=True,
        help="On the advance account, but of no wallet. Must be zero.",
    )
    difference = fields.Monetary(readonly=True)
    uncredited_count = fields.Integer(string="Paid Online, Not Credited", readonly=True)
    line_ids = fields.One2many(
        "prepaid.books.check.line", "check_id", string="Tenancies That Differ", readonly=True
    )
    state = fields.Selection(
        [("ok", "Books Agree"), ("different", "Books Differ")], readonly=True, required=True
    )

    @api.model
    def _run(self, company):
        """Compare wallets and books of a company now; keep the result. Sums are SQL numeric, differences Decimal."""
        self.env.flush_all()
        totals = self._get_totals(company)
        totals["advance_amount"], totals["unassigned_amount"] = self._get_advance_amounts(company)
        open_amount = totals["charge_amount"] + totals["fee_amount"] + totals["subsidy_amount"]
        difference = totals["balance"] - totals["advance_amount"] - open_amount
        lines = self.env["prepaid.books.line"].search(
            [("company_id", "=", company.id), ("is_different", "=", True)]
        )
        uncredited = len(self.env["payment.transaction"].sudo()._get_uncredited_ids())
        wrong = difference or lines or uncredited or totals["unassigned_amount"]
        return self.create(
            {
                **{key: float(value) for key, value in totals.items() if key != "wallet_count"},
                "wallet_count": totals["wallet_count"],
                "company_id": company.id,
                "difference": float(difference),
                "uncredited_count": uncredited,
                "state": "different" if wrong else "ok",
                "line_ids": [fields.Command.create(line._prepare_check_line()) for line in lines],
            }
        )

    def _get_totals(self, company):
        columns = SQL(", ").join(
            SQL("coalesce(sum(%s), 0) AS %s", *[SQL.identifier(part)] * 2) for part in PARTS
        )
        query = self.env["prepaid.books.line"]._table_query
        statement = "SELECT count(*) AS wallet_count, %s FROM (%s) line WHERE company_id = %s"
        return fetch_exact_dicts(self.env.cr, SQL(statement, columns, query, company.id))[0]

    def _get_advance_amounts(self, company):
        """(balance of the advance account, the part of it that is of no wallet), credit positive."""
        account = company.prepaid_advance_account_id
        rows = fetch_exact(
            self.env.cr,
            """SELECT coalesce(-sum(line.balance), 0),
                      coalesce(-sum(line.balance) FILTER (WHERE move.wallet_id IS NULL), 0)
               FROM account_move_line line JOIN account_move move ON move.id = line.move_id
               WHERE line.account_id = %s AND line.company_id = %s AND line.parent_state = 'posted'""",
            [account.id or 0, company.id],
        )
        return rows[0]

    # --- alarm ------------------------------------------------------------------------------------------------

    @api.model
    def _cron_check(self):
        """Nightly: check each company, tell somebody when the books differ."""
        for company in self.env["res.company"].search([("prepaid_advance_account_id", "!=", False)]):
            check = self._run(company)
            if check.state == "different":
                check._alarm()

    def _alarm(self):
        """An activity and an e-mail to the person named in the settings, or to the accountants."""
        user = self.company_id.prepaid_books_user_id
        users = user or self.env.ref("property_utility.property_utility_group_accountant").all_user_ids
        users = users.filtered(lambda user: self.company_id in user.company_ids and not user.share)
        summary = self.env._("Wallets and books differ by %s", self.currency_id.format(self.difference))
        body = Markup("<p>%s</p><ul>%s</ul>") % (
            summary,
            Markup("").join(Markup("<li>%s</li>") % row for row in self._get_alarm_rows()),
        )
        for user in users[:5]:
            self.activity_schedule(
                "mail.mail_activity_data_todo", summary=summary, note=body, user_id=user.id
            )
        self.message_notify(partner_ids=users.partner_id.ids, subject=summary, body=body)
        self.env["audit.entry"]._log("books.differ", self, after={"difference": str(self.difference)})

    def _get_alarm_rows(self):
        for line in self.line_ids[:20]:
            yield f"{line.contract_id.display_name}: {self.currency_id.format(line.difference)}"
        if self.unassigned_amount:
            yield self.env._("Advances of no wallet: %s", self.currency_id.format(self.unassigned_amount))
        if self.uncredited_count:
            yield self.env._("Online payments confirmed but not credited: %s", self.uncredited_count)

    # --- page -------------------------------------------------------------------------------------------------

    @api.model
    def action_run(self):
        """Check now and show the result (menu)."""
        self.browse().check_access("read")
        # As superuser: accountants and auditors read checks, the check itself writes them.
        check = self.sudo()._run(self.env.company)
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Books Check"),
            "res_model": self._name,
            "res_id": check.id,
            "view_mode": "form",
            "views": [(False, "form")],
            "target": "current",
        }

    def action_again(self):
        return self.action_run()

    def action_view_tenancies(self):
        """All tenancies with their components, live."""
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_books_line_action")
        return {**action, "domain": [("company_id", "=", self.company_id.id)]}

    @api.depends("at", "state")
    def _compute_display_name(self):
        for check in self:
            at = fields.Datetime.context_timestamp(check, check.at) if check.at else None
            check.display_name = f"{at:%Y-%m-%d %H:%M}" if at else ""
