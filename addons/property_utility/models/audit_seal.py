import hashlib
from datetime import timedelta

from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import UserError

from ..tools import get_protection_problems, protect_table
from .audit_entry import DIGEST_FIELDS, compute_digest

GENESIS = "0" * 64
LOCK_KEY = 0x61756469  # "audi": one sealer at a time
PROTECTED = ("audit_entry", "audit_seal", "audit_seal_line")


def compute_seal_hash(prev_hash, number, pairs):
    """Hash of one block. ``pairs``: [(entry id, digest)] in the order of ids."""
    block = hashlib.sha256(f"{number}:{prev_hash}".encode())
    for entry_id, digest in pairs:
        block.update(f":{entry_id}={digest}".encode())
    return block.hexdigest()


class AuditSeal(models.Model):
    """One block of the hash chain over audit entries."""

    _name = "audit.seal"
    _description = "Audit Seal"
    _order = "number desc"
    _rec_name = "number"
    _log_access = False

    number = fields.Integer(required=True, readonly=True, aggregator=None)
    at = fields.Datetime(string="Time", required=True, readonly=True)
    first_id = fields.Integer(string="First Entry", required=True, readonly=True, aggregator=None)
    last_id = fields.Integer(string="Last Entry", required=True, readonly=True, aggregator=None)
    entry_count = fields.Integer(string="Entries", required=True, readonly=True)
    prev_hash = fields.Char(string="Previous Hash", required=True, readonly=True)
    hash = fields.Char(required=True, readonly=True)
    line_ids = fields.One2many("audit.seal.line", "seal_id", readonly=True)

    _number_uniq = models.UniqueIndex("(number)", "Seals are numbered without repetition.")
    _prev_hash_uniq = models.UniqueIndex("(prev_hash)", "The chain of seals cannot fork.")

    def init(self):
        protect_table(self.env.cr, self._table)

    @api.model_create_multi
    def create(self, vals_list):  # pylint: disable=method-required-super
        raise UserError(self.env._("Seals are made by the system only."))

    def write(self, vals):  # pylint: disable=method-required-super
        raise UserError(self.env._("Seals cannot be changed."))

    @api.ondelete(at_uninstall=False)
    def _unlink_refused(self):
        raise UserError(self.env._("Seals cannot be deleted."))

    @api.model
    def _cron_seal(self):
        self._seal()

    @api.model
    def _seal(self, full=False):
        """Seal all committed entries that no seal covers. Returns the new seal, or an empty recordset.

        A seal covers what its snapshot sees: an entry whose transaction commits later goes into a later
        block, whatever its id. The unique keys on number, prev_hash and entry make a fork impossible even
        if two sealers should meet.

        :param full: look at all entries; else only at those written after the seals of yesterday, which is
            enough as no transaction stays open for a day.
        """
        cr = self.env.cr
        cr.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK_KEY,))
        if not cr.fetchone()[0]:
            return self.browse()
        pairs = self._get_unsealed(full)
        if not pairs:
            return self.browse()
        cr.execute("SELECT number, hash FROM audit_seal ORDER BY number DESC LIMIT 1")
        last_number, prev_hash = cr.fetchone() or (0, GENESIS)
        number = last_number + 1
        cr.execute(
            """INSERT INTO audit_seal (number, at, first_id, last_id, entry_count, prev_hash, hash)
               VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id""",
            (
                number,
                fields.Datetime.now(),
                pairs[0][0],
                pairs[-1][0],
                len(pairs),
                prev_hash,
                compute_seal_hash(prev_hash, number, pairs),
            ),
        )
        seal_id = cr.fetchone()[0]
        cr.execute(
            "INSERT INTO audit_seal_line (seal_id, entry_id) SELECT %s, unnest(%s)",
            (seal_id, [entry_id for entry_id, _digest in pairs]),
        )
        self.invalidate_model()
        return self.browse(seal_id)

    @api.model
    def _get_unsealed(self, full=False):
        """[(entry id, digest)] of visible entries that no seal covers, by id."""
        floor = 0
        if not full:
            yesterday = fields.Datetime.now() - timedelta(days=1)
            self.env.cr.execute(
                "SELECT coalesce(max(last_id), 0) FROM audit_seal WHERE at < %s", (yesterday,)
            )
            floor = self.env.cr.fetchone()[0]
        self.env.cr.execute(
            """SELECT entry.id, entry.digest FROM audit_entry entry
               WHERE entry.id > %s
                 AND NOT EXISTS (SELECT FROM audit_seal_line line WHERE line.entry_id = entry.id)
               ORDER BY entry.id""",
            (floor,),
        )
        return self.env.cr.fetchall()

    # --- the head leaves the house --------------------------------------------------------------------

    @api.model
    def _cron_send_head(self):
        """Mail the head of the chain, so that a chain rebuilt by an administrator does not fit it."""
        recipients = self.env["ir.config_parameter"].sudo().get_param("property_utility.audit_mail_to")
        self._seal(full=True)
        head = self.search([], limit=1)
        if not head or not recipients:
            return
        self.env["mail.mail"].sudo().create(head._prepare_head_mail(recipients)).send()
        self.env["audit.entry"]._log("audit.head_sent", head, after={"hash": head.hash, "to": recipients})

    def _prepare_head_mail(self, recipients):
        self.ensure_one()
        company = self.env.company
        lines = (
            self.env._("Seal No.: %s", self.number),
            self.env._("Sealed at (UTC): %s", self.at),
            self.env._("Last entry: %s", self.last_id),
            self.env._("Head: %s", self.hash),
        )
        advice = self.env._(
            "Keep this message. Whoever changes audit entries later can rebuild the chain, but cannot make it "
            "end in this head again. To check, open Audit > Verify and paste the head."
        )
        body = Markup("<p>%s</p><p>%s</p>") % (Markup("<br/>").join(lines), advice)
        return {
            "subject": self.env._(
                "Audit head of %(company)s: seal %(number)s", company=company.name, number=self.number
            ),
            "email_to": recipients,
            "body_html": body,
            "auto_delete": False,
        }

    # --- checking -------------------------------------------------------------------------------------

    @api.model
    def _get_problems(self):
        return [*self._get_protection_problems(), *self._get_entry_problems(), *self._get_chain_problems()]

    @api.model
    def _get_protection_problems(self):
        return [
            self.env._(
                "Table %(table)s is not protected: trigger %(trigger)s is missing or off.",
                table=table,
                trigger=name,
            )
            for table in PROTECTED
            for name in get_protection_problems(self.env.cr, table)
        ]

    @api.model
    def _get_entry_problems(self):
        """Entries whose content does not give their own digest any more."""
        problems = []
        names = (*DIGEST_FIELDS, "digest")
        columns = ", ".join(f'"{name}"' for name in names)
        last_id = 0
        while True:
            self.env.cr.execute(
                f"SELECT {columns} FROM audit_entry WHERE id > %s ORDER BY id LIMIT 5000", (last_id,)
            )
            rows = [dict(zip(names, values, strict=True)) for values in self.env.cr.fetchall()]
            if not rows:
                return problems
            last_id = rows[-1]["id"]
            problems += [
                self.env._(
                    "Entry %(id)s (%(action)s, %(at)s) was changed after it was written.",
                    id=row["id"],
                    action=row["action"],
                    at=row["at"],
                )
                for row in rows
                if compute_digest(row) != row["digest"]
            ]

    @api.model
    def _get_chain_problems(self):
        """Seals that do not fit their entries or their predecessor."""
        problems = []
        expected, prev_hash = 1, GENESIS
        for number, seal_prev, seal_hash, count, entry_ids, digests in self._iter_seals():
            pairs = list(zip(entry_ids, digests, strict=True))
            problems += self._check_seal(number, expected, seal_prev, prev_hash, seal_hash, count, pairs)
            expected, prev_hash = number + 1, seal_hash
        return problems

    def _iter_seals(self):
        """(number, prev_hash, hash, entry_count, [entry id], [digest or None]) in order, 1000 seals a query."""
        last = None
        while True:
            self.env.cr.execute(
                """SELECT seal.number, seal.prev_hash, seal.hash, seal.entry_count,
                          array_remove(array_agg(line.entry_id ORDER BY line.entry_id), NULL),
                          array_agg(entry.digest ORDER BY line.entry_id) FILTER (WHERE line.entry_id IS NOT NULL)
                   FROM (SELECT * FROM audit_seal WHERE %(last)s::int IS NULL OR number > %(last)s
                         ORDER BY number LIMIT 1000) seal
                   LEFT JOIN audit_seal_line line ON line.seal_id = seal.id
                   LEFT JOIN audit_entry entry ON entry.id = line.entry_id
                   GROUP BY seal.id, seal.number, seal.prev_hash, seal.hash, seal.entry_count
                   ORDER BY seal.number""",
                {"last": last},
            )
            rows = self.env.cr.fetchall()
            if not rows:
                return
            for number, seal_prev, seal_hash, count, entry_ids, digests in rows:
                yield number, seal_prev, seal_hash, count, entry_ids or [], digests or []
            last = rows[-1][0]

    def _check_seal(self, number, expected, seal_prev, prev_hash, seal_hash, count, pairs):
        problems = []
        found = sum(digest is not None for _entry_id, digest in pairs)
        if number != expected:
            problems.append(
                self.env._(
                    "Seal %(expected)s is missing (next is %(number)s).", expected=expected, number=number
                )
            )
        if found != count:
            problems.append(
                self.env._(
                    "Seal %(number)s covers %(count)s entries, but %(found)s are there.",
                    number=number,
                    count=count,
                    found=found,
                )
            )
        if seal_prev != prev_hash:
            problems.append(self.env._("Seal %s does not continue the seal before it.", number))
        if compute_seal_hash(seal_prev, number, pairs) != seal_hash:
            problems.append(self.env._("Seal %s does not match the entries it covers.", number))
        return problems
