from odoo import fields, models
from odoo.tools import SQL

UNBOOKED_KINDS = ("subsidy", "adjustment", "reversal")

QUERY = """
WITH ledger AS (
    SELECT wallet_id, sum(amount) AS amount FROM prepaid_entry GROUP BY wallet_id
), books AS (
    SELECT move.wallet_id, -sum(line.balance) AS amount
    FROM account_move_line line
    JOIN account_move move ON move.id = line.move_id
    JOIN res_company company ON company.id = line.company_id AND company.prepaid_advance_account_id = line.account_id
    WHERE line.parent_state = 'posted' AND move.wallet_id IS NOT NULL
    GROUP BY move.wallet_id
), charges AS (
    SELECT charge.wallet_id, -sum(charge.amount) AS amount
    FROM prepaid_charge charge LEFT JOIN account_move_line line ON line.id = charge.invoice_line_id
    WHERE charge.wallet_id IS NOT NULL AND (line.id IS NULL OR line.parent_state != 'posted')
    GROUP BY charge.wallet_id
), others AS (
    SELECT entry.wallet_id,
           sum(entry.amount) FILTER (WHERE entry.kind = 'fee') AS fees,
           sum(entry.amount) FILTER (WHERE entry.kind IN %s) AS subsidies
    FROM prepaid_entry entry
    LEFT JOIN prepaid_booking booking ON booking.entry_id = entry.id
    LEFT JOIN account_move move ON move.id = booking.move_id
    WHERE entry.charge_id IS NULL AND (move.id IS NULL OR move.state != 'posted')
      AND entry.payment_id IS NULL AND entry.transaction_id IS NULL
    GROUP BY entry.wallet_id
), sums AS (
    SELECT wallet.id, wallet.id AS wallet_id, wallet.contract_id, wallet.partner_id, wallet.company_id, wallet.currency_id,
           coalesce(wallet.balance, 0) AS balance,
           coalesce(ledger.amount, 0) AS ledger_amount,
           coalesce(books.amount, 0) AS advance_amount,
           coalesce(charges.amount, 0) AS charge_amount,
           coalesce(others.fees, 0) AS fee_amount,
           coalesce(others.subsidies, 0) AS subsidy_amount
    FROM prepaid_wallet wallet
    LEFT JOIN ledger ON ledger.wallet_id = wallet.id
    LEFT JOIN books ON books.wallet_id = wallet.id
    LEFT JOIN charges ON charges.wallet_id = wallet.id
    LEFT JOIN others ON others.wallet_id = wallet.id
)
SELECT sums.*,
       balance - ledger_amount AS ledger_difference,
       ledger_amount - advance_amount - charge_amount - fee_amount - subsidy_amount AS difference,
       balance != ledger_amount
         OR ledger_amount != advance_amount + charge_amount + fee_amount + subsidy_amount AS is_different
FROM sums
"""


class PrepaidBooksLine(models.Model):
    """Live proof per tenancy: wallet = advance account + what is not invoiced or booked yet."""

    _name = "prepaid.books.line"
    _description = "Books Check by Tenancy"
    _auto = False
    _log_access = False
    _order = "is_different DESC, id"
    _rec_name = "contract_id"

    _depends = {
        "prepaid.wallet": ["balance"],
        "account.move": ["wallet_id", "state"],
        "account.move.line": ["balance", "account_id", "parent_state"],
        "prepaid.booking": ["entry_id", "move_id"],
        "res.company": ["prepaid_advance_account_id"],
    }

    wallet_id = fields.Many2one("prepaid.wallet", readonly=True)
    contract_id = fields.Many2one("contract.contract", string="Tenancy", readonly=True)
    partner_id = fields.Many2one("res.partner", string="Tenant", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    currency_id = fields.Many2one("res.currency", readonly=True)
    balance = fields.Monetary(string="Wallet Balance", readonly=True)
    ledger_amount = fields.Monetary(string="Sum of Entries", readonly=True)
    advance_amount = fields.Monetary(string="Advance Account", readonly=True)
    charge_amount = fields.Monetary(string="Charges Not Invoiced", readonly=True)
    fee_amount = fields.Monetary(string="Fees Not Invoiced", readonly=True)
    subsidy_amount = fields.Monetary(string="Subsidies Not Booked", readonly=True)
    ledger_difference = fields.Monetary(string="Balance − Entries", readonly=True)
    difference = fields.Monetary(
        readonly=True, help="Sum of entries less the advance account and what is open. Must be zero."
    )
    is_different = fields.Boolean(readonly=True)

    @property
    def _table_query(self):
        return SQL(QUERY, UNBOOKED_KINDS)

    def action_view_journal_items(self):
        """The tenancy's journal items on the advance account."""
        self.ensure_one()
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("account.action_account_moves_all")
        account = self.company_id.prepaid_advance_account_id
        domain = [("account_id", "=", account.id), ("move_id.wallet_id", "=", self.wallet_id.id)]
        return {**action, "domain": domain, "context": {"create": False}}

    def action_view_entries(self):
        self.ensure_one()
        self.check_access("read")
        return self.wallet_id.action_view_entries()

    def _prepare_check_line(self):
        keys = ("balance", "ledger_amount", "advance_amount", "charge_amount", "fee_amount", "subsidy_amount")
        return {"wallet_id": self.wallet_id.id, "difference": self.difference or self.ledger_difference} | {
            key: self[key] for key in keys
        }
