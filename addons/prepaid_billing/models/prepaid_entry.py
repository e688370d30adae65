from odoo import api, fields, models
from odoo.addons.property_utility.tools import protect_table
from odoo.exceptions import AccessError, UserError
from psycopg2.extras import execute_values

from ..exact import fetch_exact
from ..ledger import LedgerError, append

KINDS = [
    ("topup", "Top-up"),
    ("charge", "Consumption"),
    ("fee", "Fee"),
    ("refund", "Refund"),
    ("subsidy", "Subsidy"),
    ("adjustment", "Adjustment"),
    ("reversal", "Reversal"),
]
LINK_FIELDS = ("charge_id", "payment_id", "transaction_id")
COLUMNS = (
    "wallet_id",
    "sequence",
    "at",
    "kind",
    "subaccount_id",
    "amount",
    "balance_after",
    "source",
    "description",
    "prev_hash",
    "hash",
    "contract_id",
    "company_id",
    "user_id",
    *LINK_FIELDS,
)


class PrepaidEntry(models.Model):
    """One line of a wallet's ledger. Inserted by ``_post`` only; the database refuses change, deletion and wrong sums."""

    _name = "prepaid.entry"
    _description = "Wallet Entry"
    _order = "id desc"
    _rec_name = "description"
    _log_access = False

    wallet_id = fields.Many2one(
        "prepaid.wallet", required=True, readonly=True, index=True, ondelete="restrict"
    )
    contract_id = fields.Many2one(
        "contract.contract", string="Tenancy", required=True, readonly=True, ondelete="restrict"
    )
    company_id = fields.Many2one("res.company", required=True, readonly=True, ondelete="restrict")
    partner_id = fields.Many2one(related="contract_id.partner_id", string="Tenant")
    currency_id = fields.Many2one(related="wallet_id.currency_id")
    sequence = fields.Integer(string="No.", required=True, readonly=True)
    at = fields.Datetime(string="Time", required=True, readonly=True)
    kind = fields.Selection(KINDS, required=True, readonly=True)
    subaccount_id = fields.Many2one("utility.kind", string="Sub-account", readonly=True, ondelete="restrict")
    amount = fields.Monetary(required=True, readonly=True)
    balance_after = fields.Monetary(string="Balance", required=True, readonly=True)
    source = fields.Char(
        required=True, readonly=True, help="Identity of the fact behind this entry; counts once."
    )
    description = fields.Char(readonly=True)
    user_id = fields.Many2one("res.users", string="Entered By", readonly=True, ondelete="restrict")
    prev_hash = fields.Char(readonly=True)
    hash = fields.Char(required=True, readonly=True)
    charge_id = fields.Many2one("prepaid.charge", readonly=True, index="btree_not_null", ondelete="restrict")
    payment_id = fields.Many2one(
        "account.payment", readonly=True, index="btree_not_null", ondelete="restrict"
    )
    transaction_id = fields.Many2one(
        "payment.transaction", readonly=True, index="btree_not_null", ondelete="restrict"
    )

    _source_uniq = models.UniqueIndex("(source)", "This has been entered already.")
    _chain_uniq = models.UniqueIndex(
        "(wallet_id, sequence)", "Entries of a wallet are numbered without a gap."
    )
    _wallet_kind_idx = models.Index("(wallet_id, subaccount_id)")
    _company_at_idx = models.Index("(company_id, at)")
    _contract_at_idx = models.Index("(contract_id, at)")

    def init(self):
        protect_table(self.env.cr, self._table)
        self.env.cr.execute(
            """
            CREATE OR REPLACE FUNCTION prepaid_entry_check_chain() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE before record;
            BEGIN
                SELECT balance_after, hash INTO before FROM prepaid_entry
                 WHERE wallet_id = NEW.wallet_id AND sequence = NEW.sequence - 1;
                IF NOT FOUND AND NEW.sequence <> 1
                   OR NEW.balance_after <> coalesce(before.balance_after, 0) + NEW.amount
                   OR coalesce(NEW.prev_hash, '') <> coalesce(before.hash, '') THEN
                    RAISE EXCEPTION 'wallet %: entry % does not continue the ledger', NEW.wallet_id, NEW.sequence
                        USING ERRCODE = 'check_violation';
                END IF;
                RETURN NEW;
            END $$;
            CREATE OR REPLACE TRIGGER prepaid_entry_check_chain
                BEFORE INSERT ON prepaid_entry FOR EACH ROW EXECUTE FUNCTION prepaid_entry_check_chain();
            """
        )

    @api.model_create_multi
    def create(self, vals_list):
        raise AccessError(self.env._("Entries are written by the operations that move money only."))

    def write(self, vals):
        raise AccessError(self.env._("Entries are never changed. Post a reversal instead."))

    def unlink(self):
        raise AccessError(self.env._("Entries are never deleted. Post a reversal instead."))

    @api.model
    def _post(self, postings, audit=True):
        """{source: entry id} of ``postings`` (of any number of wallets, in order), entered in one go.

        Locks the wallets. Raises as ``prepaid.wallet._post_entry`` says. SQL: entries have no ORM write.
        """
        wallets = self.env["prepaid.wallet"].browse({posting.wallet_id for posting in postings})
        tails = wallets._lock()
        result = self._get_known(postings)
        rows = []
        for posting in postings:
            if posting.source in result:
                continue
            row, tails[posting.wallet_id] = self._append(tails[posting.wallet_id], posting)
            rows.append((row, posting.links))
            result[posting.source] = None
        result.update(self._insert(rows))
        self._update_wallets({row["wallet_id"]: tails[row["wallet_id"]] for row, _links in rows})
        if audit:
            self._audit([row for row, _links in rows])
        return result

    def _append(self, tail, posting):
        try:
            unknown = set(posting.links) - set(LINK_FIELDS)
            if unknown:
                raise LedgerError(f"entries have no link {sorted(unknown)[0]!r}")
            return append(tail, posting)
        except LedgerError as error:
            raise UserError(
                self.env._("%(fact)s cannot be entered: %(rule)s.", fact=posting.source, rule=error)
            ) from error

    def _get_known(self, postings):
        """{source: id} of those entered before; raises when the content differs from then."""
        rows = fetch_exact(
            self.env.cr,
            "SELECT source, id, wallet_id, kind, subaccount_id, amount FROM prepaid_entry WHERE source = ANY(%s)",
            [[posting.source for posting in postings]],
        )
        known = {row[0]: (row[1], row[2:]) for row in rows}
        for posting in postings:
            if posting.source in known and known[posting.source][1] != posting.content:
                raise UserError(
                    self.env._(
                        "%(fact)s was entered before with other content (%(before)s, now %(now)s).",
                        fact=posting.source,
                        before=known[posting.source][1][3],
                        now=posting.amount,
                    )
                )
        return {source: value[0] for source, value in known.items()}

    def _insert(self, rows):
        """{source: id} of new rows."""
        if not rows:
            return {}
        wallet_ids = list({row["wallet_id"] for row, _links in rows})
        self.env.cr.execute(
            "SELECT id, contract_id, company_id FROM prepaid_wallet WHERE id = ANY(%s)", [wallet_ids]
        )
        owners = {row[0]: row[1:] for row in self.env.cr.fetchall()}
        values = []
        for row, links in rows:
            contract_id, company_id = owners[row["wallet_id"]]
            row = row | {"contract_id": contract_id, "company_id": company_id, "user_id": self.env.uid}
            row |= {name: links.get(name) or None for name in LINK_FIELDS}
            values.append(tuple(row[name] for name in COLUMNS))
        statement = f"INSERT INTO prepaid_entry ({', '.join(COLUMNS)}) VALUES %s RETURNING source, id"
        inserted = execute_values(self.env.cr._obj, statement, values, page_size=1000, fetch=True)
        self.invalidate_model()
        return dict(inserted)

    def _update_wallets(self, tails):
        if not tails:
            return
        execute_values(
            self.env.cr._obj,
            """UPDATE prepaid_wallet w
                  SET balance = v.balance, last_sequence = v.sequence, last_hash = v.hash
                 FROM (VALUES %s) AS v(id, sequence, balance, hash) WHERE w.id = v.id""",
            [
                (wallet_id, tail.sequence, tail.balance, tail.hash)
                for wallet_id, tail in sorted(tails.items())
            ],
            page_size=1000,
        )
        self.env["prepaid.wallet"].browse(tails).invalidate_recordset()

    def _audit(self, rows):
        for row in rows:
            wallet = self.env["prepaid.wallet"].browse(row["wallet_id"])
            keys = ("sequence", "kind", "amount", "balance_after", "source", "description")
            self.env["audit.entry"]._log("wallet.entry", wallet, after={key: row[key] for key in keys})
