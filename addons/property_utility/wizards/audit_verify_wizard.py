from odoo import fields, models
from odoo.exceptions import AccessError

READER_GROUPS = (
    "property_utility.property_utility_group_auditor",
    "property_utility.property_utility_group_supervisor",
    "base.group_system",
)


class AuditVerifyWizard(models.TransientModel):
    """Seal what is new, then check every entry and every seal, and show the result."""

    _name = "audit.verify.wizard"
    _description = "Verify the Audit Chain"

    state = fields.Selection([("ask", "Ask"), ("good", "Intact"), ("bad", "Tampered")], default="ask")
    known_head = fields.Char(
        string="Head You Know",
        help="The hash from one of the daily mails. It must be one of the chain's seals.",
    )
    entry_count = fields.Integer(string="Entries Checked", readonly=True)
    seal_count = fields.Integer(string="Seals Checked", readonly=True)
    head = fields.Char(string="Head Now", readonly=True)
    head_number = fields.Integer(string="Seal No.", readonly=True)
    problem_count = fields.Integer(readonly=True)
    problems = fields.Text(readonly=True)
    checked_at = fields.Datetime(readonly=True)

    def action_verify(self):
        self.ensure_one()
        if not any(self.env.user.has_group(group) for group in READER_GROUPS):
            raise AccessError(self.env._("Only auditors and supervisors may verify the audit."))
        seals = self.env["audit.seal"].sudo()  # the whole chain, also entries beyond the user's buildings
        seals._seal(full=True)
        problems = seals._get_problems()
        if self.known_head and not seals.search_count([("hash", "=", self.known_head.strip())]):
            problems.insert(
                0,
                self.env._(
                    "The head you know is not in the chain any more: seals were replaced after %s was sent out.",
                    self.known_head.strip()[:12] + "…",
                ),
            )
        last = seals.search([], limit=1)
        self.write(
            {
                "state": "bad" if problems else "good",
                "entry_count": self.env["audit.entry"].sudo().search_count([]),
                "seal_count": seals.search_count([]),
                "head": last.hash,
                "head_number": last.number,
                "problem_count": len(problems),
                "problems": "\n".join(problems[:500]),
                "checked_at": fields.Datetime.now(),
            }
        )
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Verify the Audit Chain"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
        }
