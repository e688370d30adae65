from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools.misc import formatLang

from ..exact import fetch_exact, fetch_exact_dicts
from ..ledger import Posting, Tail, find_problems

LEDGER_FIELDS = frozenset(("balance", "last_sequence", "last_hash"))


class PrepaidWallet(models.Model):
    """One tenancy's money. The balance is written by the ledger (``prepaid.entry``) only; the database checks it."""

    _name = "prepaid.wallet"
    _description = "Wallet"
    _order = "contract_id, id"
    _rec_names_search = ["contract_id.account_number", "partner_id.name"]

    contract_id = fields.Many2one(
        "contract.contract", string="Tenancy", required=True, readonly=True, index=True, ondelete="restrict"
    )
    partner_id = fields.Many2one(related="contract_id.partner_id", store=True, index=True, string="Tenant")
    account_number = fields.Char(related="contract_id.account_number", string="Account No.", store=True)
    site_id = fields.Many2one(related="contract_id.site_id", store=True, index=True)
    tenancy_state = fields.Selection(related="contract_id.tenancy_state", string="Tenancy Status")
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    balance = fields.Monetary(readonly=True, default=0, help="Sum of the entries. Changes by entries only.")
    last_sequence = fields.Integer(string="Entries", readonly=True, default=0)
    last_hash = fields.Char(readonly=True, default="")
    entry_ids = fields.One2many("prepaid.entry", "wallet_id", string="Entries of the Ledger")
    subaccount_summary = fields.Json(compute="_compute_subaccount_summary", string="By Kind")
    subaccount_table = fields.Html(compute="_compute_subaccount_table", string="Sub-accounts", sanitize=False)
    is_negative = fields.Boolean(compute="_compute_is_negative", string="In Arrears")
    unit_names = fields.Char(related="contract_id.unit_names")
    charge_count = fields.Integer(compute="_compute_charge_count", string="Charges")

    _contract_uniq = models.UniqueIndex("(contract_id)", "A tenancy has one wallet.")
    _company_balance_idx = models.Index("(company_id, balance)")

    def init(self):
        """A wallet says what its last entry says; nothing else can be written, by anybody."""
        self.env.cr.execute(
            """
            CREATE OR REPLACE FUNCTION prepaid_wallet_check_balance() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.last_sequence = 0 AND NEW.balance = 0 AND coalesce(NEW.last_hash, '') = '' THEN
                    IF TG_OP = 'INSERT' OR OLD.last_sequence = 0 THEN RETURN NEW; END IF;
                END IF;
                PERFORM 1 FROM prepaid_entry
                  WHERE wallet_id = NEW.id AND sequence = NEW.last_sequence
                    AND balance_after = NEW.balance AND hash = NEW.last_hash;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'wallet %: balance % is not what its ledger says', NEW.id, NEW.balance
                        USING ERRCODE = 'check_violation';
                END IF;
                RETURN NEW;
            END $$;
            CREATE OR REPLACE TRIGGER prepaid_wallet_check_balance
                BEFORE INSERT OR UPDATE OF balance, last_sequence, last_hash ON prepaid_wallet
                FOR EACH ROW EXECUTE FUNCTION prepaid_wallet_check_balance();
            """
        )

    @api.depends("account_number", "partner_id.name")
    def _compute_display_name(self):
        for wallet in self:
            wallet.display_name = f"{wallet.account_number or ''} {wallet.partner_id.name or ''}".strip()

    def _compute_subaccount_summary(self):
        balances = self._get_subaccount_balances()
        kinds = {
            kind.id: kind.name for kind in self.env["utility.kind"].with_context(active_test=False).search([])
        }
        for wallet in self:
            wallet.subaccount_summary = [
                {
                    "kind_id": kind_id,
                    "name": kinds.get(kind_id) or self.env._("General"),
                    "balance": str(amount),
                }
                for kind_id, amount in sorted(balances.get(wallet.id, {}).items())
            ]

    @api.depends("balance")
    def _compute_is_negative(self):
        for wallet in self:
            wallet.is_negative = wallet.currency_id.compare_amounts(wallet.balance, 0) < 0

    def _compute_subaccount_table(self):
        """What each kind brought and took, as a small table for the form."""
        line = Markup("<tr><td>%s</td><td class='text-end'>%s</td></tr>")
        for wallet in self:
            rows = Markup().join(
                line
                % (row["name"], formatLang(self.env, float(row["balance"]), currency_obj=wallet.currency_id))
                for row in wallet.subaccount_summary
            )
            wallet.subaccount_table = (
                Markup("<table class='table table-sm mb-0'>%s</table>") % rows if rows else False
            )

    def _compute_charge_count(self):
        counts = dict(
            self.env["prepaid.charge"]._read_group(
                [("wallet_id", "in", self.ids)], ["wallet_id"], ["__count"]
            )
        )
        for wallet in self:
            wallet.charge_count = counts.get(wallet, 0)

    def _get_subaccount_balances(self):
        """{wallet id: {utility.kind id or 0: Decimal}}: what came in and went out per kind. Flushes nothing: entries
        are never pending in memory."""
        rows = fetch_exact(
            self.env.cr,
            """SELECT wallet_id, coalesce(subaccount_id, 0), sum(amount) FROM prepaid_entry
                WHERE wallet_id = ANY(%s) GROUP BY 1, 2""",
            [self.ids],
        )
        result = {}
        for wallet_id, kind_id, amount in rows:
            result.setdefault(wallet_id, {})[kind_id] = amount
        return result

    def _get_balances(self):
        """{wallet id: Decimal} exact, from the database."""
        return dict(
            fetch_exact(self.env.cr, "SELECT id, balance FROM prepaid_wallet WHERE id = ANY(%s)", [self.ids])
        )

    # --- the one place where money moves ----------------------------------------------------------------------

    def _post_entry(self, kind, subaccount, amount, source, description, at=None, **links):
        """Enter ``amount`` into this wallet's ledger, once per ``source``.

        :param str kind: topup, charge, fee, refund, subsidy, adjustment, reversal
        :param subaccount: utility.kind record, or empty for money of no kind
        :param Decimal amount: whole fen; positive adds to the balance
        :param str source: identity of the outside fact, e.g. "payment.transaction,17"
        :param links: charge_id, payment_id, transaction_id (ids)
        :return: the entry; the one of the first time when the source is known with the same content
        :raise UserError: same source with other content, or an amount that may not be posted
        :raise psycopg2.errors.SerializationFailure: somebody else moved money of this wallet meanwhile; the caller
            retries its whole transaction (HTTP requests and queue jobs do so by themselves)
        """
        self.ensure_one()
        posting = Posting(
            self.id,
            kind,
            subaccount.id or None,
            amount,
            source,
            description,
            at or fields.Datetime.now(),
            links,
        )
        entry = self.env["prepaid.entry"]._post([posting])[source]
        return self.env["prepaid.entry"].browse(entry)

    def _lock(self):
        """{wallet id: Tail}, rows locked in order of id until the end of the transaction."""
        self.env.flush_all()
        rows = fetch_exact(
            self.env.cr,
            """SELECT id, last_sequence, balance, coalesce(last_hash, '') FROM prepaid_wallet
                WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE""",
            [self.ids],
        )
        return {row[0]: Tail(*row[1:]) for row in rows}

    def write(self, vals):
        if LEDGER_FIELDS & vals.keys():
            raise AccessError(self.env._("A balance is never written. Post an entry instead."))
        return super().write(vals)

    @api.model_create_multi
    def create(self, vals_list):
        if any(LEDGER_FIELDS & vals.keys() for vals in vals_list):
            raise AccessError(self.env._("A wallet starts empty. Post an entry instead."))
        return super().create(vals_list)

    @api.ondelete(at_uninstall=False)
    def _unlink_only_unused(self):
        if any(wallet.last_sequence for wallet in self):
            raise UserError(self.env._("A wallet with entries stays."))

    # --- proof ------------------------------------------------------------------------------------------------

    def _find_problems(self):
        """[(wallet, sequence, rule)] found by walking the chains again."""
        found = []
        for wallet in self:
            rows = fetch_exact_dicts(
                self.env.cr,
                """SELECT wallet_id, sequence, at, kind, subaccount_id, amount, balance_after, source, description,
                          prev_hash, hash FROM prepaid_entry WHERE wallet_id = %s ORDER BY sequence""",
                [wallet.id],
            )
            tail = Tail(wallet.last_sequence, wallet._get_balances()[wallet.id], wallet.last_hash or "")
            found += [(wallet, *problem) for problem in find_problems(rows, tail)]
        return found

    @api.model
    def _find_sum_mismatches(self):
        """[(wallet id, balance, sum of entries)] where they differ: must be empty, always."""
        return fetch_exact(
            self.env.cr,
            """SELECT w.id, w.balance, coalesce(sum(e.amount), 0) FROM prepaid_wallet w
               LEFT JOIN prepaid_entry e ON e.wallet_id = w.id
               GROUP BY w.id HAVING w.balance <> coalesce(sum(e.amount), 0)""",
        )

    def action_verify(self):
        """Walk the chains of entries (of all wallets, when none is chosen) and say whether anything was tampered with."""
        wallets = self or self.search([])
        wallets.check_access("read")
        problems = wallets._find_problems()
        rules = self._get_problem_labels()
        lines = [f"{wallet.display_name} #{number}: {rules[rule]}" for wallet, number, rule in problems[:10]]
        message = "\n".join(lines) or self.env._(
            "%s entries checked: nothing is missing or changed.", wallets._count_entries()
        )
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "danger" if problems else "success",
                "title": self.env._("The ledger was tampered with")
                if problems
                else self.env._("The ledger is sound"),
                "message": message,
                "sticky": bool(problems),
            },
        }

    def _count_entries(self):
        return sum(self.mapped("last_sequence"))

    def _get_problem_labels(self):
        return {
            "number": self.env._("an entry is missing before this one"),
            "link": self.env._("the link to the entry before is broken"),
            "balance": self.env._("the running balance is wrong"),
            "hash": self.env._("the content was changed"),
            "wallet": self.env._("the wallet does not say what its last entry says"),
        }

    def action_view_entries(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_entry_action")
        return action | {"domain": [("wallet_id", "=", self.id)], "context": {}}

    def action_view_charges(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_charge_action")
        return action | {"domain": [("wallet_id", "=", self.id)], "context": {}}

    @api.model
    def _get_total(self, company):
        """Sum of all balances of a company, exact."""
        query = "SELECT coalesce(sum(balance), 0) FROM prepaid_wallet WHERE company_id = %s"
        return fetch_exact(self.env.cr, query, [company.id])[0][0]
