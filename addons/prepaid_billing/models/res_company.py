from zoneinfo import ZoneInfo

from odoo import Command, api, fields, models
from odoo.exceptions import UserError

ADVANCE_CODE = "220301"


class ResCompany(models.Model):
    _inherit = "res.company"

    prepaid_advance_account_id = fields.Many2one(
        "account.account",
        string="Tenant Advances Account",
        check_company=True,
        domain=[("account_type", "=", "asset_receivable"), ("reconcile", "=", True)],
        help="Top-ups are credited and tenants' invoices debited here. What stays is what the wallets hold.",
    )
    prepaid_subsidy_account_id = fields.Many2one(
        "account.account", string="Subsidy Account", check_company=True
    )
    prepaid_adjustment_account_id = fields.Many2one(
        "account.account", string="Adjustment Account", check_company=True
    )
    prepaid_cash_journal_id = fields.Many2one(
        "account.journal", string="Counter Cash Journal", check_company=True, domain=[("type", "=", "cash")]
    )
    prepaid_bank_journal_id = fields.Many2one(
        "account.journal",
        string="Cheque and Transfer Journal",
        check_company=True,
        domain=[("type", "=", "bank")],
    )
    prepaid_invoice_journal_id = fields.Many2one(
        "account.journal",
        string="Utility Invoice Journal",
        check_company=True,
        domain=[("type", "=", "sale")],
    )
    prepaid_misc_journal_id = fields.Many2one(
        "account.journal",
        string="Subsidy and Adjustment Journal",
        check_company=True,
        domain=[("type", "=", "general")],
    )
    prepaid_topup_min = fields.Monetary(string="Smallest Online Top-up", default=1.0)
    prepaid_topup_max = fields.Monetary(string="Largest Top-up", default=50000.0)
    prepaid_reversal_limit = fields.Monetary(
        string="Cashier Reversal Limit",
        default=2000.0,
        help="A cashier may take back their own top-up of the same day up to this amount; above it, or for "
        "somebody else's, the right to refund is needed.",
    )
    prepaid_refund_limit = fields.Monetary(
        string="Refund Limit Without Approval",
        default=200.0,
        help="A refund above this amount is paid after a second person has approved it.",
    )
    prepaid_fee_rule = fields.Selection(
        [
            ("always", "Withhold on the due date"),
            ("keep_minimum", "Withhold only if enough is left for supply"),
        ],
        string="Fee Rule",
        default="always",
        required=True,
    )
    prepaid_fee_min_left = fields.Monetary(string="Minimum Left for Supply")
    prepaid_invoice_day = fields.Integer(
        string="Invoice Day", default=2, help="Day of the month on which the month before is invoiced."
    )
    prepaid_invoice_completeness = fields.Integer(
        string="Readings Asked For (%)",
        help="The invoice of a month waits while a meter of the tenancy has fewer of its scheduled readings of that month. "
        "0: it does not wait.",
    )
    _prepaid_invoice_completeness_range = models.Constraint(
        "CHECK (prepaid_invoice_completeness BETWEEN 0 AND 100)",
        "Readings asked for are between 0 and 100 percent.",
    )
    prepaid_books_user_id = fields.Many2one(
        "res.users",
        string="Books Check Reported To",
        help="Gets an activity and an e-mail when the books differ.",
    )

    _prepaid_invoice_day_range = models.Constraint(
        "CHECK (prepaid_invoice_day BETWEEN 1 AND 28)", "The invoice day must be between 1 and 28."
    )
    _prepaid_limits_sign = models.Constraint(
        "CHECK (prepaid_topup_min >= 0 AND prepaid_topup_max >= prepaid_topup_min"
        " AND prepaid_reversal_limit >= 0 AND prepaid_refund_limit >= 0)",
        "Limits must not be negative, and the largest top-up not below the smallest.",
    )

    def action_prepaid_setup_accounting(self):
        """Create what is missing of the accounts and journals for prepaid money (button in the settings)."""
        self.check_access("write")
        self._prepaid_setup_accounting_sudo()
        return True

    @api.model
    def _prepaid_setup_all_companies(self):
        """Called from data at installation, for the companies that have a chart of accounts by then."""
        self.sudo().search([("chart_template", "!=", False)])._prepaid_setup_accounting_sudo()

    def _prepaid_setup_accounting_sudo(self):
        """Idempotent. As superuser: the first top-up of a new company is taken by a cashier, who has no
        rights on accounts and journals.
        """
        for company in self.sudo():
            company = company.with_company(company)
            values = {}
            for field, getter in self._get_prepaid_defaults().items():
                if not company[field]:
                    values[field] = getattr(company, getter)().id
            company.write(values)
            company._prepaid_setup_cash_method()
            company.env["utility.kind"]._prepaid_setup_products()

    def _get_prepaid_defaults(self):
        return {
            "prepaid_advance_account_id": "_prepaid_create_advance_account",
            "prepaid_cash_journal_id": "_prepaid_find_cash_journal",
            "prepaid_bank_journal_id": "_prepaid_find_bank_journal",
            "prepaid_misc_journal_id": "_prepaid_find_misc_journal",
            "prepaid_invoice_journal_id": "_prepaid_create_invoice_journal",
            "prepaid_subsidy_account_id": "_prepaid_find_expense_account",
            "prepaid_adjustment_account_id": "_prepaid_find_expense_account",
        }

    def _prepaid_create_advance_account(self):
        Account = self.env["account.account"].with_company(self)
        domain = [("company_ids", "in", self.ids), ("code", "=", ADVANCE_CODE)]
        account = Account.search(domain, limit=1) or Account.create(
            {
                "name": self.env._("Tenant Advances (Water and Power)"),
                "code": ADVANCE_CODE,
                "account_type": "asset_receivable",
                "reconcile": True,
                "company_ids": [Command.set(self.ids)],
            }
        )
        self._prepaid_translate_name(account, lambda env: env._("Tenant Advances (Water and Power)"))
        return account

    def _prepaid_find_journal(self, journal_type):
        domain = [*self.env["account.journal"]._check_company_domain(self), ("type", "=", journal_type)]
        return self.env["account.journal"].search(domain, limit=1)

    def _prepaid_find_cash_journal(self):
        return self._prepaid_find_journal("cash")

    def _prepaid_find_bank_journal(self):
        return self._prepaid_find_journal("bank")

    def _prepaid_find_misc_journal(self):
        return self._prepaid_find_journal("general")

    def _prepaid_create_invoice_journal(self):
        income = self._prepaid_find_journal("sale").default_account_id
        journal = self.env["account.journal"].create(
            {
                "name": self.env._("Water and Power Invoices"),
                "code": "WPI",
                "type": "sale",
                "company_id": self.id,
                "default_account_id": income.id,
            }
        )
        self._prepaid_translate_name(journal, lambda env: env._("Water and Power Invoices"))
        return journal

    @api.model
    def _prepaid_translate_name(self, record, get_name):
        """Names of what we set up, in each installed language."""
        for code, _label in self.env["res.lang"].get_installed():
            translated = record.with_context(lang=code)
            translated.name = get_name(translated.env)

    def _prepaid_find_expense_account(self):
        """Administrative expenses (管理费用: 6602, 5602 for small enterprises) where the chart has them, else any expense account."""
        accounts = self.env["account.account"].with_company(self)
        domain = [("company_ids", "in", self.ids), ("account_type", "=", "expense")]
        administrative = [*domain, "|", ("code", "=like", "6602%"), ("code", "=like", "5602%")]
        return accounts.search(administrative, limit=1) or accounts.search(domain, limit=1)

    def _prepaid_setup_cash_method(self):
        """Cash is in the drawer at once: no outstanding account between the payment and the cash account."""
        journal = self.prepaid_cash_journal_id
        for line in journal.inbound_payment_method_line_ids + journal.outbound_payment_method_line_ids:
            if not line.payment_account_id:
                line.payment_account_id = journal.default_account_id

    def _get_prepaid_today(self):
        """The company's calendar day."""
        zone = ZoneInfo(self.partner_id.tz or "Asia/Shanghai")
        return fields.Datetime.now().replace(tzinfo=ZoneInfo("UTC")).astimezone(zone).date()

    def _get_prepaid_setting_sudo(self, field):
        """An account or journal of the prepaid settings, set up on first use, or UserError naming it.

        As superuser: used in the middle of a cashier's or the tenant's own transaction.
        """
        self.ensure_one()
        company_sudo = self.sudo()
        if not company_sudo[field] and company_sudo.chart_template:
            company_sudo._prepaid_setup_accounting_sudo()
        if not company_sudo[field]:
            raise UserError(
                self.env._(
                    "%(setting)s is not set for %(company)s. Choose one in the settings under Prepaid Money.",
                    setting=self._fields[field]._description_string(self.env),
                    company=self.name,
                )
            )
        return company_sudo[field]
