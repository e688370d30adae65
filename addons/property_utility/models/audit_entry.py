import hashlib
import json
import re
from datetime import date, datetime
from decimal import Decimal

from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.http import request
from odoo.tools import format_datetime

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

ISO_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$")
XMLID = re.compile(r"^[a-z0-9_]+\.[a-z0-9_]*group[a-z0-9_]*$")


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
    remote_address = fields.Char(readonly=True)
    model = fields.Char(readonly=True)
    res_id = fields.Many2oneReference(string="Record ID", model_field="model", readonly=True)
    res_name = fields.Char(string="Record", readonly=True)
    building_id = fields.Many2one("property.building", readonly=True, index=True, ondelete="restrict")
    company_id = fields.Many2one("res.company", readonly=True, ondelete="restrict")
    action = fields.Char(required=True, readonly=True, index=True)
    reason = fields.Char(readonly=True)
    before = fields.Text(readonly=True)
    after = fields.Text(readonly=True)
    digest = fields.Char(required=True, readonly=True)

    action_label = fields.Char(string="Action Name", compute="_compute_action_label")
    change_html = fields.Html(string="Before and After", compute="_compute_change")
    change_text = fields.Char(string="Change", compute="_compute_change")
    seal_id = fields.Many2one("audit.seal", compute="_compute_seal_id", compute_sudo=True)
    is_sealed = fields.Boolean(string="Sealed", compute="_compute_seal_id", compute_sudo=True)

    _record_idx = models.Index("(model, res_id)")

    def init(self):
        protect_table(self.env.cr, self._table)

    @api.model
    def _get_action_labels(self):
        """{action: what people read}; upper addons add theirs. Actions without a label are shown as they are."""
        return {
            "tenancy.open": self.env._("Account opened"),
            "tenancy.change": self.env._("Tenancy changed"),
            "tenancy.delete": self.env._("Tenancy deleted"),
            "occupancy.start": self.env._("Moved in"),
            "occupancy.change": self.env._("Occupancy changed"),
            "occupancy.delete": self.env._("Occupancy deleted"),
            "rights.create": self.env._("User created"),
            "rights.change": self.env._("Rights changed"),
            "rights.group": self.env._("Group changed"),
            "rights.password": self.env._("Password set"),
            "rights.password_link": self.env._("Password link sent"),
            "audit.head_sent": self.env._("Audit head sent"),
        }

    @api.depends("action")
    def _compute_action_label(self):
        labels = self._get_action_labels()
        for entry in self:
            entry.action_label = labels.get(entry.action, entry.action)

    @api.model
    def _get_key_labels(self):
        """{key of before/after: what people read}; upper addons add theirs. Other keys are shown as they are."""
        return {
            "account_number": self.env._("Account No."),
            "tenant": self.env._("Tenant"),
            "invoice_to": self.env._("Invoice To"),
            "is_tenancy": self.env._("Tenancy"),
            "active": self.env._("Enabled"),
            "unit": self.env._("Unit"),
            "tenancy": self.env._("Tenancy"),
            "start_at": self.env._("From"),
            "end_at": self.env._("Until"),
            "head_count": self.env._("Head Count"),
            "login": self.env._("Login"),
            "groups": self.env._("Roles and Functions"),
            "all_buildings": self.env._("All Buildings"),
            "buildings": self.env._("Buildings"),
            "users": self.env._("Users"),
            "implies": self.env._("Implied Groups"),
            "hash": self.env._("Hash"),
            "to": self.env._("Recipients"),
        }

    def _get_changes(self):
        """[(label, before, after)] of what differs, as texts."""
        self.ensure_one()
        before = json.loads(self.before or "{}")
        after = json.loads(self.after or "{}")
        if not isinstance(before, dict) or not isinstance(after, dict):
            return [("", self._spell(before), self._spell(after))]
        labels = self._get_key_labels()
        return [
            (labels.get(key, key), self._spell(before.get(key)), self._spell(after.get(key)))
            for key in dict.fromkeys([*after, *before])
            if before.get(key) != after.get(key)
        ]

    @api.model
    def _spell(self, value):
        """One value for people: times in their zone, groups by name."""
        if value is None or value == {} or value == []:
            return ""
        if isinstance(value, bool):
            return self.env._("yes") if value else self.env._("no")
        if isinstance(value, list):
            return ", ".join(self._spell(item) for item in value)
        if not isinstance(value, str):
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
        if ISO_TIME.match(value):
            return format_datetime(self.env, datetime.fromisoformat(value), dt_format="yyyy-MM-dd HH:mm")
        if XMLID.match(value) and (group := self.env.ref(value, raise_if_not_found=False)):
            return group.sudo().name if group._name == "res.groups" else value
        return value

    @api.depends("before", "after")
    def _compute_change(self):
        head = Markup("<tr><th>%s</th><th>%s</th><th>%s</th></tr>") % (
            self.env._("Field"),
            self.env._("Before"),
            self.env._("After"),
        )
        line = Markup("<tr><td>%s</td><td class='text-danger'>%s</td><td class='text-success'>%s</td></tr>")
        for entry in self:
            changes = entry._get_changes()
            rows = Markup().join(line % change for change in changes)
            table = Markup("<table class='table table-sm'>%s%s</table>") % (head, rows)
            entry.change_html = table if changes else False
            entry.change_text = "; ".join(
                f"{key}: {old} → {new}" if entry.before and entry.after else f"{key}: {new or old}"
                for key, old, new in changes
                if old or new
            )[:200]

    def _compute_seal_id(self):
        lines = self.env["audit.seal.line"].search([("entry_id", "in", self.ids)])
        seals = {line.entry_id.id: line.seal_id for line in lines}
        for entry in self:
            entry.seal_id = seals.get(entry.id)
            entry.is_sealed = bool(entry.seal_id)

    def action_open_record(self):
        self.ensure_one()
        if self.model not in self.env:
            raise UserError(self.env._("%s is not installed any more.", self.model))
        record = self.env[self.model].browse(self.res_id).exists()
        if not record:
            raise UserError(self.env._("The record does not exist any more."))
        return record.get_formview_action()

    @api.model_create_multi
    def create(self, vals_list):  # pylint: disable=method-required-super
        raise UserError(self.env._("Audit entries are written by the operations themselves only."))

    def write(self, vals):  # pylint: disable=method-required-super
        raise UserError(self.env._("Audit entries cannot be changed."))

    @api.ondelete(at_uninstall=False)
    def _unlink_refused(self):
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
