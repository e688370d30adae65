import hashlib
import json
from datetime import date, datetime
from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.http import request

from ..tools import protect_table

# what the digest covers, in this order; "id" makes a renumbered row visible
DIGEST_FIELDS = (
    "id",
    "at",
    "user_id",
    "login",
    "remote_address",
    "model",
    "res_id",
    "res_name",
    "building_id",
    "company_id",
    "action",
    "reason",
    "before",
    "after",
)


def canonical_json(value):
    """One spelling for one content: sorted keys, no blanks, decimals and times as text."""

    def spell(item):
        if isinstance(item, Decimal):
            return str(item)
        if isinstance(item, datetime):
            return item.isoformat(timespec="microseconds")
        if isinstance(item, date):
            return item.isoformat()
        if isinstance(item, models.BaseModel):
            return [item._name, item.ids]
        raise TypeError(f"{type(item).__name__} cannot be written to the audit: {item!r}")

    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=spell)


def compute_digest(row):
    """sha256 over the canonical content of one row (dict with DIGEST_FIELDS)."""
    return hashlib.sha256(canonical_json([row[name] for name in DIGEST_FIELDS]).encode()).hexdigest()


class AuditEntry(models.Model):
    """Append-only record of who did what, when, from where, with before and after."""

    _name = "audit.entry"
    _description = "Audit Entry"
    _order = "id desc"
    _rec_name = "action"
    _log_access = False

    at = fields.Datetime(string="Time", required=True, readonly=True, index=True)
    user_id = fields.Many2one("res.users", readonly=True, index=True, ondelete="restrict")
    login = fields.Char(readonly=True)
    remote_address = fields.Char(string="From", readonly=True)
    model = fields.Char(string="Model", readonly=True)
    res_id = fields.Many2oneReference(string="Record ID", model_field="model", readonly=True)
    res_name = fields.Char(string="Record", readonly=True)
    building_id = fields.Many2one("property.building", readonly=True, index=True, ondelete="restrict")
    company_id = fields.Many2one("res.company", readonly=True, ondelete="restrict")
    action = fields.Char(required=True, readonly=True, index=True)
    reason = fields.Char(readonly=True)
    before = fields.Text(readonly=True)
    after = fields.Text(readonly=True)
    digest = fields.Char(required=True, readonly=True)

    _record_idx = models.Index("(model, res_id)")

    def init(self):
        protect_table(self.env.cr, self._table)

    @api.model_create_multi
    def create(self, vals_list):
        raise UserError(self.env._("Audit entries are written by the operations themselves only."))

    def write(self, vals):
        raise UserError(self.env._("Audit entries cannot be changed."))

    def unlink(self):
        raise UserError(self.env._("Audit entries cannot be deleted."))

    @api.model
    def _log(self, action, record, before=None, after=None, reason=None):
        """Write one entry per record of ``record`` (may be empty: then one entry without a record).

        ``before``/``after``: dicts of what changed; Decimal, dates and recordsets are fine.
        """
        rows = [
            self._prepare_row(action, single, before, after, reason)
            for single in (record if record else [record])
        ]
        self._insert_rows(rows)

    @api.model
    def _prepare_row(self, action, record, before, after, reason):
        building = self._get_building(record)
        return {
            "at": datetime.utcnow(),
            "user_id": self.env.uid,
            "login": self.env.user.login,
            "remote_address": request.httprequest.remote_addr if request else None,
            "model": record._name if record is not None else None,
            "res_id": record.id or None if record is not None else None,
            "res_name": record.sudo().display_name or None if record else None,
            "building_id": building.id or None,
            "company_id": (building.company_id or self.env.company).id,
            "action": action,
            "reason": reason or None,
            "before": canonical_json(before) if before is not None else None,
            "after": canonical_json(after) if after is not None else None,
        }

    @api.model
    def _get_building(self, record):
        """The building an entry belongs to, for the scope of auditors; empty if none."""
        buildings = self.env["property.building"].sudo()
        if record is None or not record:
            return buildings
        record = record.sudo()
        if record._name == "property.building":
            return record
        for name in ("building_id", "building_ids"):
            if record._fields.get(name) and record._fields[name].comodel_name == "property.building":
                return record[name][:1]
        return buildings

    @api.model
    def _insert_rows(self, rows):
        cr = self.env.cr
        cr.execute("SELECT nextval('audit_entry_id_seq') FROM generate_series(1, %s)", (len(rows),))
        for row, (entry_id,) in zip(rows, cr.fetchall(), strict=True):
            row["id"] = entry_id
            row["digest"] = compute_digest(row)
        names = (*DIGEST_FIELDS, "digest")
        columns = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join(["%s"] * len(names))
        for row in rows:
            cr.execute(f"INSERT INTO audit_entry ({columns}) VALUES ({marks})", [row[name] for name in names])
        self.invalidate_model()

    @api.model
    def _verify(self):
        """List of problems (texts) found in the whole chain; empty if all is as it was written."""
        return self.env["audit.seal"]._get_problems()
