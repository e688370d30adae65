import hashlib

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
    def create(self, vals_list):
        raise UserError(self.env._("Seals are made by the system only."))

    def write(self, vals):
        raise UserError(self.env._("Seals cannot be changed."))

    def unlink(self):
        raise UserError(self.env._("Seals cannot be deleted."))

    @api.model
    def _cron_seal(self):
        self._seal()

    @api.model
    def _seal(self):
        """Seal all committed entries that no seal covers. Returns the new seal, or an empty recordset.

        A seal covers what its snapshot sees: an entry whose transaction commits later goes into a later
        block, whatever its id. The unique keys on number, prev_hash and entry make a fork impossible even
        if two sealers should meet.
        """
        cr = self.env.cr
        cr.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK_KEY,))
        if not cr.fetchone()[0]:
            return self.browse()
        cr.execute(
            """SELECT entry.id, entry.digest FROM audit_entry entry
               WHERE NOT EXISTS (SELECT FROM audit_seal_line line WHERE line.entry_id = entry.id)
               ORDER BY entry.id"""
        )
        pairs = cr.fetchall()
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
                self.env._("Entry %(id)s (%(action)s, %(at)s) was changed after it was written.", **row)
                for row in rows
                if compute_digest(row) != row["digest"]
            ]

    @api.model
    def _get_chain_problems(self):
        """Seals that do not fit their entries or their predecessor."""
        problems = []
        prev_hash = GENESIS
        expected = 1
        self.env.cr.execute("SELECT id, number, prev_hash, hash, entry_count FROM audit_seal ORDER BY number")
        for seal_id, number, seal_prev, seal_hash, count in self.env.cr.fetchall():
            self.env.cr.execute(
                """SELECT line.entry_id, entry.digest FROM audit_seal_line line
                   LEFT JOIN audit_entry entry ON entry.id = line.entry_id
                   WHERE line.seal_id = %s ORDER BY line.entry_id""",
                (seal_id,),
            )
            pairs = self.env.cr.fetchall()
            missing = [entry_id for entry_id, digest in pairs if digest is None]
            if number != expected:
                problems.append(
                    self.env._(
                        "Seal %(expected)s is missing (next is %(number)s).", expected=expected, number=number
                    )
                )
            if missing or len(pairs) != count:
                problems.append(
                    self.env._(
                        "Seal %(number)s covers %(count)s entries, but only %(found)s are there.",
                        number=number,
                        count=count,
                        found=len(pairs) - len(missing),
                    )
                )
            if seal_prev != prev_hash:
                problems.append(self.env._("Seal %s does not continue the seal before it.", number))
            if compute_seal_hash(seal_prev, number, pairs) != seal_hash:
                problems.append(self.env._("Seal %s does not match the entries it covers.", number))
            prev_hash = seal_hash
            expected = number + 1
        return problems
