from odoo import fields, models

from ..tools import protect_table


class AuditSealLine(models.Model):
    """Which entry is covered by which seal. Entries are append-only, so it cannot be a column there."""

    _name = "audit.seal.line"
    _description = "Sealed Audit Entry"
    _log_access = False

    seal_id = fields.Many2one("audit.seal", required=True, index=True, ondelete="restrict")
    entry_id = fields.Many2one("audit.entry", required=True, ondelete="restrict")

    _entry_uniq = models.UniqueIndex("(entry_id)", "An audit entry is sealed once.")

    def init(self):
        protect_table(self.env.cr, self._table)
